# SPDX-License-Identifier: BSD-3-Clause
"""writing() and snapshot(): readers who get the data whole, or are told why not."""

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
    process.run("a = sa.attach('x')")
    return process


def test_is_a_private_copy(sa, x):
    x[:] = 3
    copy = sa.snapshot(sa.attach("x", ro=True))
    x[:] = 4
    copy[0] = 5
    assert type(copy) is np.ndarray
    assert copy.tolist() == [5] + [3] * 7
    assert x.tolist() == [4] * 8


VIEWS = {
    "all": lambda a: a,
    "part": lambda a: a[1:3],
    "backwards": lambda a: a[::-1, ::-2],
    "transposed": lambda a: a.T,
    "one": lambda a: a[2, 3],
    "none": lambda a: a[:0],
    "field": lambda a: a["f"],
    "other dtype": lambda a: a.view("V16"),
    "repeated": lambda a: np.broadcast_to(a, (2, 5, 4)),
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_of_a_view_is_of_what_it_shows(sa, view, order):
    dtype = np.dtype([("f", "<f8"), ("t", "<M8[s]")])
    a = sa.create("s", (5, 4), dtype, order=order)
    a["f"] = np.arange(20).reshape(5, 4)
    shown = view(a)
    if not isinstance(shown, np.ndarray):  # an element of a structured array
        shown = a[2:3, 3]
    copy = sa.snapshot(shown)
    assert copy.dtype == shown.dtype
    assert copy.shape == shown.shape
    assert copy.tobytes() == shown.tobytes()
    assert not np.shares_memory(copy, a)


@pytest.mark.parametrize("shape", [(), 0, (0, 3), 1])
def test_shapes_with_little_in_them(sa, shape):
    a = sa.create("s", shape)
    a[...] = 2
    assert np.array_equal(sa.snapshot(a), a)
    assert sa.snapshot(a).shape == a.shape


def test_waits_for_a_writer(sa, x, peer):
    peer.start("sa.snapshot(a)[0]")
    assert peer.result() == 0
    with sa.writing(x):
        x[0] = 1
        peer.start("sa.snapshot(a).tolist()")
        assert peer.is_waiting(0.3)
        x[:] = 2
    assert peer.result() == [2] * 8


def test_is_whole_under_a_writer_that_never_stops(sa, python):
    """Each copy is of one pass, though a pass is under way most of the time."""
    a = sa.create("big", 20_000, np.int64)
    writer = python()
    writer.run("a = sa.attach('big')")
    writer.start(
        "i = 0\n"
        "while a[0] >= 0:\n"
        "    i += 1\n"
        "    with sa.writing(a):\n"
        "        a[:10000] = i\n"
        "        a[10000:] = i\n"
        "    sa.event(a)\n"
    )
    passes = set()
    while len(passes) < 50:
        copy = sa.snapshot(a, 60)
        assert (copy == copy[0]).all()
        passes.add(int(copy[0]))
    writer.kill()


def test_timeout_while_somebody_writes(sa, x, peer):
    peer.run("sa.writing(a).acquire()")
    for timeout in (0, 0.05):
        with pytest.raises(TimeoutError, match="writing all the time"):
            sa.snapshot(x, timeout)


def test_writer_that_is_killed_in_the_middle_is_told_until_another_has_written(sa, x, peer):
    peer.run("sa.writing(a).acquire(); a[0] = 1")
    peer.kill()
    for _ in range(2):
        with pytest.raises(sa.OwnerDiedError, match="died in the middle") as caught:
            sa.snapshot(x, 20)
        assert caught.value.errno == errno.EOWNERDEAD
    with sa.writing(x):
        x[:] = 2
    assert sa.snapshot(x).tolist() == [2] * 8


def test_writer_that_is_killed_while_a_reader_waits(sa, x, python, peer):
    peer.run("sa.writing(a).acquire()")
    reader = python()
    reader.start("sa.snapshot(sa.attach('x', ro=True))")
    assert reader.is_waiting(0.2)
    peer.kill()
    with pytest.raises(OSError, match="died in the middle"):
        reader.result()


def test_second_writer_is_refused(sa, x, peer):
    with sa.writing(x):
        with pytest.raises(OSError, match="take turns by the lock") as caught:
            peer.run("sa.writing(a).acquire()")
        assert caught.value.errno == errno.EBUSY
        with pytest.raises(OSError, match="writing already") as caught:
            sa.writing(x).acquire()
        assert caught.value.errno == errno.EDEADLK
    peer.run("with sa.writing(a): a[0] = 1")


def test_writers_that_take_turns_by_the_lock(sa, x, python):
    writers = [python() for _ in range(3)]
    for i, writer in enumerate(writers):
        writer.run("a = sa.attach('x')")
        writer.start(
            "for _ in range(200):\n    with sa.lock(a), sa.writing(a):\n        a[:] = value\n",
            value=i,
        )
    for _ in range(50):
        copy = sa.snapshot(x, 60)
        assert (copy == copy[0]).all()
    for writer in writers:
        writer.result()


def test_block_that_raises_has_written(sa, x):
    with pytest.raises(ValueError, match="could not convert"), sa.writing(x):
        x[:2] = [1, "two"]
    assert sa.snapshot(x, 0).shape == (8,)


def test_end_without_beginning(sa, x):
    with pytest.raises(PermissionError, match="has not begun to write"):
        sa.writing(x).release()


def test_child_that_is_forked_while_writing(sa, x):
    with sa.writing(x):
        pid = os.fork()
        if pid == 0:
            try:
                with pytest.raises(TimeoutError):
                    sa.snapshot(x, 0)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sa.snapshot(x, 0)[0] == 0


def test_read_only(sa, x):
    with pytest.raises(PermissionError, match="attach it for writing"):
        sa.writing(sa.attach("x", ro=True)).acquire()


def test_interrupt(sa, x, peer):
    with sa.writing(x):
        peer.start("sa.snapshot(a)")
        assert peer.is_waiting(0.2)
        peer.process.send_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            peer.result()


def test_other_threads_run_while_one_waits(sa, x):
    has, may_end = threading.Event(), threading.Event()

    def write():
        with sa.writing(x):
            has.set()
            may_end.wait(20)
            x[:] = 9

    thread = threading.Thread(target=write)
    thread.start()
    has.wait(20)
    threading.Timer(0.05, may_end.set).start()
    assert sa.snapshot(x, 60).tolist() == [9] * 8
    thread.join()
