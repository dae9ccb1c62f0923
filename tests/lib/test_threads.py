# SPDX-License-Identifier: BSD-3-Clause
"""Many threads, and forks: in C (threads.c), under ThreadSanitizer too, and from Python."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest
from lib.clib import READONLY, REPLACE, Array
from support.build import BUILD, ROOT, native_environment
from support.source import public_declarations
from support.tsan import fixed_addresses, tsan_program


def run_threads(program, store, rounds):
    done = subprocess.run(
        [program, str(rounds)],
        env=native_environment(SHARR_STORE=str(store)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert set(store.names()) <= {f"x{i}" for i in range(5)}


def test_16_threads_do_everything_at_once(store):
    run_threads(BUILD / "tests" / "lib" / "threads", store, 1000)


@pytest.mark.release_only
def test_thread_sanitizer_is_content(store):
    with fixed_addresses():
        run_threads(tsan_program("tests/lib/threads"), store, 500)


def test_threads_make_every_call():
    declared = public_declarations((ROOT / "lib" / "sharr.h").read_text())
    made = (ROOT / "tests" / "lib" / "threads.c").read_text()
    assert [name for name in declared if f"{name}(" not in made] == []


def test_calls_of_many_threads_on_one_array(c):
    array = c.create("x", shape=(1000,))
    wrong = []

    def use(number):
        for i in range(200):
            array.data[number] = i
            info = c.c.sharr_info(array.handle).contents
            if info.nbytes != 8000 or c.stat("x").shape != (1000,):
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert array.data[:8].tolist() == [199] * 8


def in_child(function) -> int:
    """Exit code of a forked child that runs it; 9 for an exception."""
    pid = os.fork()
    if pid == 0:
        code = 9
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_child_shares_what_its_parent_attached(c):
    array = c.create("x")

    def work():
        array.data[:] = 5

    assert in_child(work) == 0
    assert array.data.tolist() == [5, 5, 5]


def test_child_detaches_without_touching_its_parent(c):
    array = c.create("x")
    array.data[:] = 1
    assert in_child(array.detach) == 0
    assert array.data.tolist() == [1, 1, 1]


def test_child_uses_the_library(c):
    c.create("x").data[:] = 2

    def work():
        assert c.attach("x", READONLY).data[0] == 2
        c.create("y")
        c.delete("x")

    assert in_child(work) == 0
    assert c.names() == ["y"]


def test_child_is_the_creator_of_what_it_creates(c):
    c.create("x")
    pid = os.fork()
    if pid == 0:
        c.create("y")
        os._exit(0)
    os.waitpid(pid, 0)
    assert c.stat("x").creator_pid == os.getpid()
    assert c.stat("y").creator_pid == pid


def test_child_of_a_preparing_parent_does_no_harm(c):
    array = c.prepare("x")
    array.data[:] = 3
    assert in_child(array.detach) == 0
    array.publish()
    assert c.attach("x").data.tolist() == [3, 3, 3]


def test_fork_while_other_threads_work(c):
    end = threading.Event()

    def work(number):
        while not end.is_set():
            c.create(f"x{number}", REPLACE).detach()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert in_child(lambda: c.create("child", REPLACE)) == 0
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert c.names() == ["child", "x0", "x1", "x2", "x3"]


def test_array_is_detached_by_another_thread(c):
    array = c.create("x")
    thread = threading.Thread(target=Array.detach, args=(array,))
    thread.start()
    thread.join()
    assert c.attach("x").data.tolist() == [0, 0, 0]
