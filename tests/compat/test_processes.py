# SPDX-License-Identifier: BSD-3-Clause
"""C10, C11 and C13: forks, threads, ends of processes, and very many arrays."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from support.build import python_environment


def run(store, code: str, **environment: str) -> str:
    """A whole program; what it prints."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        env=python_environment(SHARR_STORE=str(store), **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def in_child(work) -> None:
    """In a forked child; its exceptions are failures here."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_arrays_made_before_a_fork_are_shared_after(sa):
    a = sa.create("x", 3)

    def work():
        a[0] = 7

    in_child(work)
    assert a[0] == 7


def test_everything_works_after_a_fork(sa):
    a = sa.create("x", 3)

    def work():
        sa.attach("x")[1] = 5
        sa.create("y", 4)[:] = 6
        sa.delete("x")

    in_child(work)
    assert a.tolist() == [0, 5, 0]
    assert sa.attach("y").tolist() == [6] * 4
    assert [item.name for item in sa.list()] == [b"y"]


def test_array_that_a_child_drops_stays_the_parents(sa):
    arrays = [sa.create("x", 1000)]
    in_child(arrays.clear)
    arrays[0][:] = 1
    assert arrays[0].sum() == 1000


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(store, method):
    """As a program, since spawn and forkserver import the main one."""
    (store.area / "program.py").write_text(
        "import multiprocessing, sys\n"
        "import SharedArray as sa\n"
        "def work(i): sa.attach('x')[i] = i\n"
        "if __name__ == '__main__':\n"
        "    a = sa.create('x', 4)\n"
        f"    with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
        "        pool.map(work, range(4))\n"
        "    print(a.tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, store.area / "program.py"],
        env=python_environment(SHARR_STORE=str(store)),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[0.0, 1.0, 2.0, 3.0]\n", done.stderr


def test_multiprocessing_methods_are_all_tried():
    assert set(multiprocessing.get_all_start_methods()) == {"fork", "spawn", "forkserver"}


def test_works_in_del_and_atexit_and_at_shutdown(sa, store):
    run(
        store,
        "import atexit, SharedArray as sa\n"
        "def work(name):\n"
        "    sa.create(name, (2, 3), 'i4')[:] = 7\n"
        "    sa.create('gone', 3); sa.attach('gone'); sa.list(); sa.delete('gone')\n"
        "class Keeper:\n"
        "    def __init__(self, name): self.name = name\n"
        "    def __del__(self): work(self.name)\n"
        "atexit.register(work, 'atexit')\n"
        "dropped = Keeper('del'); del dropped\n"
        "left = Keeper('left')\n"
        "cycle = Keeper('cycle'); cycle.self = cycle\n",
    )
    assert sorted(item.name for item in sa.list()) == [b"atexit", b"cycle", b"del", b"left"]
    for item in sa.list():
        assert sa.attach(item).tolist() == [[7] * 3] * 2


def test_structured_dtype_at_shutdown(sa, store):
    run(
        store,
        "import SharedArray as sa\n"
        "class Keeper:\n"
        "    def __del__(self): sa.create('x', 2, [('a', 'i4'), ('b', 'f8')]); sa.attach('x')\n"
        "keeper = Keeper()\n",
    )
    assert sa.attach("x").dtype == np.dtype([("a", "i4"), ("b", "f8")])


def test_arrays_alive_at_shutdown_are_no_trouble(store):
    run(
        store,
        "import sys, SharedArray as sa\n"
        "a = sa.create('x', 10**6); b = sa.attach('x', True); sys.a = a; a.base\n"
        "class Cycle: pass\n"
        "c = Cycle(); c.c = c; c.a = sa.attach('x')\n",
    )


def test_nothing_is_deleted_when_a_process_ends(sa, python):
    for name, number in (("by_exit", 0), ("by_kill", 9)):
        other = python()
        other.run(f"a = sa.create({name!r}, 3); a[:] = 1")
        assert (other.kill(number) if number else other.close()) == -number
        assert sa.attach(name).tolist() == [1, 1, 1]


def test_attach_then_delete_then_use(sa):
    sa.create("x", 1000)[:] = 2
    a = sa.attach("x")
    sa.delete("x")
    a += 1
    assert a.sum() == 3000


def test_calls_let_other_threads_run(sa):
    """A put of 128 MiB is one call: a thread that counts goes on meanwhile."""
    data = np.ones(16 << 20)
    counted: list[float] = []
    stop = threading.Event()

    def count():
        while not stop.wait(0.0005):
            counted.append(time.perf_counter())

    counter = threading.Thread(target=count)
    counter.start()
    start = time.perf_counter()
    sa.put("x", data)
    end = time.perf_counter()
    stop.set()
    counter.join()
    assert sum(start < moment < end for moment in counted) > 5


def test_all_calls_from_many_threads(sa):
    wrong = []

    def work(number):
        try:
            for i in range(200):
                name = f"x{(number + i) % 3}"
                array = sa.create(name, (3, i + 1), [("a", "i4"), ("b", f"S{i + 1}")], replace=True)
                array["a"] = 1
                sa.put(f"y{number}", np.full(100, i), replace=True)
                assert (sa.copy(f"y{number}") == i).all()
                assert {len(item) for item in sa.list()} == {3}
                sa.attach(f"y{number}", True).sum()
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_no_descriptor_is_kept(sa):
    before = descriptors()
    arrays = [sa.create(f"x{i}", 3) for i in range(100)]
    arrays += [sa.attach(f"x{i}", ro=i % 2) for i in range(100)]
    assert descriptors() == before
    assert len(arrays) == 200


def test_35000_arrays_at_once(sa, store, monkeypatch):
    monkeypatch.setenv("SHARR_STORE", str(store(size="1g")))
    arrays = [sa.create(f"x{i}", 16, "f4") for i in range(35_000)]
    for i in (0, 17_000, 34_999):
        arrays[i][:] = i
        assert (sa.attach(f"x{i}") == i).all()
    assert len(sa.list()) == 35_000


def test_attach_copy_detach_for_every_sample_leaks_nothing(sa, store):
    sa.create("x", 1000)[:] = 1

    def maps() -> int:
        with open("/proc/self/maps") as lines:
            return sum(str(store) in line for line in lines)

    for _ in range(5000):
        assert sa.attach("x").copy()[0] == 1
    assert maps() == 0


def test_too_many_maps_names_the_limit(sa, python):
    sa.create("x", 3)
    other = python()
    with pytest.raises(OSError, match=r"vm\.max_map_count") as error:
        other.run("held = [sa.attach('x') for _ in range(70_000)]")
    assert error.value.errno == 12
    assert error.value.filename == "x"
    assert other.run("len(sa.list())") == 1
