# SPDX-License-Identifier: BSD-3-Clause
"""notify() and wait(): an event that belongs to an array."""

from __future__ import annotations

import errno
import os
import signal
import threading

import numpy as np
import pytest


@pytest.fixture
def x(sa):
    return sa.create("x", 8)


@pytest.fixture
def peer(python, x):
    process = python()
    process.run("a = sa.attach('x', ro=True)")
    return process


def test_counts(sa, x):
    assert sa.event(x) == 0
    sa.notify(x)
    sa.notify(x[::-1])
    assert sa.event(x[2:]) == 2
    assert sa.wait(x, 0) == 2


def test_wakes_a_reader_of_another_process(sa, x, peer):
    peer.start("sa.wait(a, 0)")
    assert peer.is_waiting(0.3)
    sa.notify(x)
    assert peer.result() == 1


def test_wakes_all(sa, x, python):
    peers = [python() for _ in range(3)]
    for peer in peers:
        peer.start("sa.wait(sa.attach('x', ro=True), 0)")
    assert all(peer.is_waiting(0.2) for peer in peers)
    sa.notify(x)
    assert [peer.result() for peer in peers] == [1, 1, 1]


def test_what_was_notified_before_is_not_missed(sa, x, peer):
    seen = peer.run("seen = sa.event(a); seen")
    sa.notify(x)
    assert peer.run("sa.wait(a, seen)") == seen + 1


def ping_pong(sa, x, python, rounds):
    other = sa.create("other", 1)
    process = python()
    process.run("ping, pong = sa.attach('x'), sa.attach('other')")
    process.start(
        "for i in range(rounds):\n    sa.wait(ping, i, 60)\n    sa.notify(pong)\n", rounds=rounds
    )
    for i in range(rounds):
        sa.notify(x)
        assert sa.wait(other, i, 60) == i + 1
    process.result()


def test_no_wake_up_is_lost(sa, x, python):
    ping_pong(sa, x, python, 5_000)


@pytest.mark.slow
def test_no_wake_up_is_lost_in_100_000(sa, x, python):
    ping_pong(sa, x, python, 100_000)


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_timeout(sa, x, timeout):
    with pytest.raises(TimeoutError, match="nobody has notified") as caught:
        sa.wait(x, 0, timeout)
    assert caught.value.filename == "x"
    with pytest.raises(TimeoutError):
        sa.wait(x, seen=0, timeout=timeout)


def test_other_threads_run_while_one_waits(sa, x):
    timer = threading.Timer(0.05, sa.notify, [x])
    timer.start()
    assert sa.wait(x, 0, 60) == 1
    timer.join()


def test_interrupt(x, peer):
    peer.start("sa.wait(a, 0)")
    assert peer.is_waiting(0.2)
    peer.process.send_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        peer.result()


def test_deleted_array(sa, x, peer):
    """Nobody is woken by that, but who has it may still notify."""
    peer.start("sa.wait(a, 0)")
    sa.delete("x")
    assert peer.is_waiting(0.2)
    sa.notify(x)
    assert peer.result() == 1


def test_child_that_was_forked(sa, x):
    pid = os.fork()
    if pid == 0:
        sa.notify(x)
        os._exit(0)
    assert sa.wait(x, 0, 60) == 1
    os.waitpid(pid, 0)


def test_count_goes_on_from_zero(sa, x, store):
    words = np.memmap(store / "x", np.uint32, "r+", 64 + 64, (16,))
    words[2] = 2**32 - 1
    assert sa.event(x) == 2**32 - 1
    sa.notify(x)
    assert sa.wait(x, 2**32 - 1) == 0


def test_read_only(sa, x):
    reader = sa.attach("x", ro=True)
    assert sa.event(reader) == 0
    with pytest.raises(PermissionError, match="attach it for writing"):
        sa.notify(reader)


@pytest.mark.parametrize("call", ["event", "notify", "wait", "lock", "writing", "snapshot"])
def test_array_of_the_original(sa, old_of, call):
    old_of("np2").run("_ = sa.create('old', 8)")
    a = sa.attach("old")
    calls = {
        "wait": lambda: sa.wait(a, 0, 1),
        "lock": lambda: sa.lock(a).acquire(),
        "writing": lambda: sa.writing(a).acquire(),
    }
    with pytest.raises(OSError, match="written by SharedArray, which left no room") as caught:
        calls.get(call, lambda: getattr(sa, call)(a))()
    assert caught.value.errno == errno.ENOTSUP
    assert caught.value.filename == "old"


@pytest.mark.parametrize("call", ["event", "notify", "lock", "writing", "snapshot"])
def test_what_is_not_shared(sa, call):
    with pytest.raises(TypeError, match="expected a shared array"):
        getattr(sa, call)(np.zeros(3))
    with pytest.raises(TypeError, match="expected a shared array"):
        sa.wait(np.zeros(3), 0)


@pytest.mark.parametrize("seen", [-1, 2**32, 2**64, 2**70])
def test_count_that_cannot_be(sa, x, seen):
    with pytest.raises(ValueError, match="seen must be what event"):
        sa.wait(x, seen, 1)


def test_count_that_is_no_number(sa, x):
    with pytest.raises(TypeError):
        sa.wait(x, "0")
    with pytest.raises(TypeError):
        sa.wait(x, 0, "soon")
