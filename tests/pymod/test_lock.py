# SPDX-License-Identifier: BSD-3-Clause
"""lock(): one thread of one process at a time, and what becomes of a lock whose holder dies."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from support.build import python_environment
from support.remote import Remote
from support.wait import wait_for

STARVING = 0x40000000
DATA_BYTES = 64  # of the arrays here: the fixed block follows at once


@pytest.fixture
def words(store):
    """words(): the lock's word first, as whoever may write the array sees them."""
    return lambda: np.memmap(store / "x", np.uint64, "r+", DATA_BYTES + 64, (4,))


@pytest.fixture
def x(sa):
    return sa.create("x", 8)


@pytest.fixture
def peer(python, x):
    """peer(): another process that has attached it."""

    def start():
        process = python()
        process.run("a = sa.attach('x')")
        return process

    return start


def is_free(x):
    import SharedArray as sa  # noqa: N813

    with sa.lock(x, timeout=0):
        return True


def test_counts_right_in_eight_processes(x, peer):
    processes = [peer() for _ in range(8)]
    for process in processes:
        process.start(
            "for _ in range(500):\n    with sa.lock(a):\n        v = a[0]\n        a[0] = v + 1\n"
        )
    for process in processes:
        process.result()
    assert x[0] == 8 * 500


def test_counts_right_in_threads(sa, x):
    def work():
        for _ in range(500):
            with sa.lock(x):
                value = x[0]
                x[0] = value + 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x[0] == 4 * 500


def test_another_process_waits_until_it_is_given_back(sa, x, peer):
    process = peer()
    with sa.lock(x):
        process.start("with sa.lock(a): 'mine'")
        assert process.is_waiting(0.3)
    process.result()


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_timeout(x, peer, sa, timeout):
    peer().run("sa.lock(a).acquire()")
    with pytest.raises(TimeoutError, match="another thread has the lock") as caught:
        sa.lock(x, timeout).acquire()
    assert caught.value.filename == "x"


def test_views_have_the_lock_of_their_base(sa, x, peer):
    peer().run("sa.lock(a[::-2].reshape(2, 2)).acquire()")
    with pytest.raises(TimeoutError):
        sa.lock(memoryview(x), timeout=0).acquire()


def test_guard_is_used_again(sa, x):
    guard = sa.lock(x)
    for _ in range(3):
        with guard:
            pass
    guard.acquire()
    guard.release()
    assert is_free(x)


def test_guard_keeps_the_map(sa, x):
    guard = sa.lock(sa.attach("x"))
    with guard:
        pass


def test_block_that_raises_gives_it_back(sa, x):
    with pytest.raises(ZeroDivisionError), sa.lock(x):
        raise ZeroDivisionError
    assert is_free(x)


def test_same_thread_again(sa, x):
    with sa.lock(x):
        with pytest.raises(OSError, match="this thread has the lock already") as caught:
            sa.lock(x).acquire()
        assert caught.value.errno == errno.EDEADLK
    assert is_free(x)


def test_release_without_it(sa, x):
    with pytest.raises(PermissionError, match="does not have the lock"):
        sa.lock(x).release()


def test_held_by_another_thread_of_this_process(sa, x):
    guard = sa.lock(x, timeout=0)
    has, may_end = threading.Event(), threading.Event()

    def hold():
        with sa.lock(x):
            has.set()
            may_end.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    has.wait(20)
    with pytest.raises(TimeoutError):
        guard.acquire()
    may_end.set()
    thread.join()
    assert is_free(x)


def test_holder_that_is_killed_is_told_once(sa, x, peer):
    process = peer()
    process.run("sa.lock(a).acquire()")
    process.kill()
    with pytest.raises(sa.OwnerDiedError, match="may be half changed") as caught:
        sa.lock(x, timeout=20).acquire()
    assert caught.value.errno == errno.EOWNERDEAD
    assert caught.value.filename == "x"
    assert is_free(x)


def test_holder_that_is_killed_while_others_wait(sa, x, peer):
    holder, *waiters = peer(), peer(), peer(), peer()
    holder.run("sa.lock(a).acquire()")
    for waiter in waiters:
        waiter.start(
            "told = 0\n"
            "try:\n    sa.lock(a, 20).acquire()\n"
            "except sa.OwnerDiedError:\n    told = 1\n    sa.lock(a, 20).acquire()\n"
            "sa.lock(a).release()\n"
            "told"
        )
    assert waiters[0].is_waiting(0.2)
    holder.kill()
    assert sum(waiter.result() for waiter in waiters) == 1


def test_zombie_is_dead(sa, x):
    pid = os.fork()
    if pid == 0:
        sa.lock(x).acquire()
        os._exit(0)
    wait_for(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))
    with pytest.raises(sa.OwnerDiedError):
        sa.lock(x, timeout=20).acquire()
    os.waitpid(pid, 0)


def test_thread_that_ends_without_giving_it_back(sa, x):
    thread = threading.Thread(target=sa.lock(x).acquire)
    thread.start()
    thread.join()
    with pytest.raises(sa.OwnerDiedError):
        sa.lock(x, timeout=20).acquire()
    assert is_free(x)


@pytest.mark.parametrize(("end", "died"), [("sys.exit(0)", False), ("os._exit(0)", True)])
def test_exit_while_holding(sa, x, end, died, store):
    """An ordinary exit leaves the block; one that runs no code any more is a death."""
    code = f"import os, sys, SharedArray as sa\nwith sa.lock(sa.attach('x')): {end}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=python_environment(SHARR_STORE=str(store)), check=False
    )
    assert done.returncode == 0
    if died:
        with pytest.raises(sa.OwnerDiedError):
            sa.lock(x, timeout=20).acquire()
    assert is_free(x)


def test_number_that_another_thread_has_by_now(sa, x, peer, words):
    process = peer()
    process.run("sa.lock(a).acquire()")
    words()[0] ^= np.uint64(1 << 32)  # the lowest bit of the start time
    with pytest.raises(sa.OwnerDiedError):
        sa.lock(x, timeout=20).acquire()
    assert is_free(x)


def test_child_that_is_forked_while_holding(sa, x):
    with sa.lock(x):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with pytest.raises(TimeoutError):
                    sa.lock(x, timeout=0).acquire()
                with pytest.raises(PermissionError):
                    sa.lock(x).release()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert is_free(x)


def test_block_that_a_forked_child_leaves_too(sa, x, peer):
    """It has nothing to give back, and says nothing."""
    with sa.lock(x):
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert is_free(x)


def namespace(store, remotes, *options):
    """A process with `a`, in a pid namespace of its own."""
    command = ["unshare", "--pid", "--fork", "--kill-child", *options, sys.executable]
    remotes.append(Remote(command, python_environment(SHARR_STORE=str(store))))
    remotes[-1].run("import os, subprocess, sys, numpy as np, SharedArray as sa")
    remotes[-1].run("a = sa.attach('x')")
    return remotes[-1]


@pytest.mark.root
def test_holder_in_another_pid_namespace_is_never_taken_for_dead(sa, x, store, remotes):
    process = namespace(store, remotes, "--mount-proc")
    process.run("sa.lock(a).acquire()")
    process.kill()
    with pytest.raises(TimeoutError):
        sa.lock(x, timeout=0.5).acquire()


@pytest.mark.root
def test_holder_in_the_same_namespace_under_a_proc_of_another(sa, x, store, remotes):
    """There /proc tells of other processes under the same numbers."""
    process = namespace(store, remotes)
    process.run("sa.lock(a).acquire()")
    program = "import SharedArray as sa\nsa.lock(sa.attach('x'), 0.3).acquire()"
    done = process.run(
        "subprocess.run([sys.executable, '-c', it], stderr=subprocess.PIPE, text=True).stderr",
        it=program,
    )
    assert "TimeoutError" in done
    program = "import os, SharedArray as sa\na = sa.attach('x')\nsa.lock(a).acquire(); os._exit(0)"
    process.run(
        "sa.lock(a).release(); _ = subprocess.run([sys.executable, '-c', it], check=True)",
        it=program,
    )
    with pytest.raises(OSError, match="may be half changed"):
        process.run("sa.lock(a, 20).acquire()")


@pytest.mark.parametrize(
    "wait", ["sa.lock(a)", "sa.lock(a, 100)"], ids=["for ever", "with a timeout"]
)
def test_interrupt_while_waiting(sa, x, peer, wait):
    process = peer()
    with sa.lock(x):
        process.start(f"{wait}.acquire()")
        assert process.is_waiting(0.2)
        process.process.send_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            process.result()
    process.run(f"{wait}.acquire()")


def test_handler_that_does_not_raise_goes_on_waiting(sa, x, peer):
    process = peer()
    process.run("import signal; caught = []")
    process.run("_ = signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))")
    with sa.lock(x):
        process.start("sa.lock(a).acquire()")
        assert process.is_waiting(0.2)
        process.process.send_signal(signal.SIGUSR1)
        assert process.is_waiting(0.2)
    process.result()
    assert process.run("caught") == [1]


def test_other_threads_run_while_one_waits(sa, x, peer):
    peer().run("sa.lock(a).acquire()")
    ran = threading.Event()
    thread = threading.Timer(0.05, ran.set)
    thread.start()
    with pytest.raises(TimeoutError):
        sa.lock(x, timeout=0.5).acquire()
    assert ran.is_set()
    thread.join()


def test_deleted_array_can_still_be_locked(sa, x, peer):
    process = peer()
    sa.delete("x")
    with sa.lock(x):
        process.start("sa.lock(a).acquire()")
        assert process.is_waiting(0.2)
    process.result()


def test_read_only(sa, x):
    with pytest.raises(PermissionError, match="attach it for writing") as caught:
        sa.lock(sa.attach("x", ro=True)).acquire()
    assert caught.value.filename == "x"


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("-inf")])
def test_timeout_that_is_none(sa, x, wrong):
    with pytest.raises(ValueError, match="timeout must be seconds"):
        sa.lock(x, wrong)


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 3, np.float32(1), None])
def test_timeouts(sa, x, timeout):
    with sa.lock(x, timeout):
        pass


def reserved(milliseconds_ago):
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 10**6 - milliseconds_ago
    return np.uint64((now % 2**32) << 32 | 0xC0000000)


def test_reservation_that_nobody_comes_for(sa, x, words):
    """As when the waiter it was made for was killed."""
    words()[0] = reserved(0)
    with sa.lock(x, timeout=20):
        pass
    words()[0] = reserved(1000)
    assert is_free(x)


def test_who_has_waited_long_comes_before_who_just_gave_it_back(sa, x, peer, words):
    """Else a process that takes it again at once could keep it from others for ever."""
    process = peer()
    guard = sa.lock(x, timeout=0)
    for _ in range(5):
        guard.acquire()
        process.start("sa.lock(a).acquire()")
        wait_for(lambda: words()[0] & np.uint64(STARVING), what="a waiter that says so")
        guard.release()
        with pytest.raises(TimeoutError):
            guard.acquire()
        process.result()
        process.run("sa.lock(a).release()")
    assert is_free(x)


def test_garbage_over_the_words_is_a_timeout_or_an_error(sa, store, python):
    """Whoever may write the array may write them: nobody crashes, hangs or writes elsewhere."""
    a = sa.create("x", 4096, np.uint8)
    a[:] = 7
    vandal = subprocess.Popen(
        [sys.executable, "-c", VANDAL, store / "x", "4160"],
        env=python_environment(),
    )
    victims = [python() for _ in range(3)]
    try:
        for victim in victims:
            victim.start(VICTIM)
        outcomes = [victim.result(100) for victim in victims]
    finally:
        vandal.kill()
        vandal.wait()
    assert all(sum(o.values()) == 200 for o in outcomes)
    assert a.tolist() == [7] * 4096
    data = (store / "x").read_bytes()
    assert data[4096:4102] == b"sharr\0"
    assert sa.info("x").shape == (4096,)


VANDAL = """
import mmap, os, random, sys
with open(sys.argv[1], "r+b") as file:
    words = mmap.mmap(file.fileno(), 0)
at = int(sys.argv[2])
ids = [os.getpid(), os.getppid(), 1, 0, 1 << 31, 1 << 30, 3 << 30, (3 << 30) + os.getppid()]
while True:
    garbage = bytearray(os.urandom(64))
    if random.random() < 0.5:
        garbage[:4] = (random.choice(ids) & 0xffffffff).to_bytes(4, "little")
    words[at:at + 64] = bytes(garbage)
"""

VICTIM = """
import time
a = sa.attach("x")
seen = {}
calls = [
    lambda: sa.lock(a, 0.02).acquire(),
    lambda: sa.lock(a).release(),
    lambda: sa.notify(a),
    lambda: sa.wait(a, sa.event(a), 0.02),
    lambda: sa.snapshot(a, 0.02),
    lambda: sa.writing(a).acquire(),
    lambda: sa.writing(a).release(),
    lambda: sa.lock(a, 0).acquire(),
]
for i in range(200):
    start = time.monotonic()
    try:
        calls[i % 8]()
        outcome = "done"
    except OSError as error:
        outcome = type(error).__name__
    assert time.monotonic() - start < 20, (i, outcome)
    seen[outcome] = seen.get(outcome, 0) + 1
seen
"""
