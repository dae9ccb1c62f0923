# SPDX-License-Identifier: BSD-3-Clause
"""Lock, event and snapshot of arrays that some attach directly and others through the mount."""

from __future__ import annotations

import errno
import os

import pytest

WAYS = {"mount": (True, True), "mixed": (False, True)}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def names(request, sa, direct):
    """Of one array: as this process, and as another one attaches it."""
    sa.create("x", 512)
    return [f"file://{direct / 'x'}" if mounted else "x" for mounted in request.param]


@pytest.fixture
def peer(python, names):
    process = python()
    process.run("a = sa.attach(name)", name=names[1])
    return process


@pytest.mark.passthrough
def test_counts_right(sa, names, python):
    a = sa.attach(names[0])
    peers = [python() for _ in range(4)]
    for i, process in enumerate(peers):
        process.run("a = sa.attach(name)", name=names[i % 2])
        process.start(
            "for _ in range(500):\n    with sa.lock(a):\n        v = a[0]\n        a[0] = v + 1\n"
        )
    for process in peers:
        process.result()
    assert a[0] == 4 * 500


@pytest.mark.passthrough
def test_waiter_is_woken(sa, names, peer):
    a = sa.attach(names[0])
    with sa.lock(a):
        peer.start("sa.lock(a).acquire()")
        assert peer.is_waiting(0.3)
    peer.result()
    peer.kill()
    with pytest.raises(sa.OwnerDiedError):
        sa.lock(a, timeout=20).acquire()


@pytest.mark.passthrough
def test_reader_is_notified(sa, names, python):
    a = sa.attach(names[0])
    reader = python()
    reader.start("sa.wait(sa.attach(name, ro=True), 0)", name=names[1])
    assert reader.is_waiting(0.3)
    sa.notify(a)
    assert reader.result() == 1


@pytest.mark.passthrough
def test_reader_gets_it_whole(sa, names, peer):
    a = sa.attach(names[0], ro=True)
    peer.start(
        "for i in range(2000):\n    with sa.writing(a):\n        a[:256] = i\n        a[256:] = i\n"
    )
    for _ in range(50):
        copy = sa.snapshot(a, 60)
        assert (copy == copy[0]).all()
    peer.result()
    peer.run("sa.writing(a).acquire()")
    peer.kill()
    with pytest.raises(sa.OwnerDiedError):
        sa.snapshot(a, 20)


@pytest.mark.passthrough
def test_lock_stays_when_the_array_is_given_another_dtype(sa, direct, python):
    """Metadata are rewritten behind the fixed block, which does not move."""
    a = sa.create("x", 8)
    process = python()
    with sa.lock(a):
        os.setxattr(direct / "x", "user.sharr.dtype", b"<i2")
        assert process.run("a = sa.attach('x'); a.dtype.str") == "<i2"
        with pytest.raises(TimeoutError):
            process.run("sa.lock(a, 0).acquire()")
        process.start("sa.lock(a).acquire()")
        assert process.is_waiting(0.2)
    process.result()


@pytest.mark.parametrize("elements", [3, 512, 4096], ids=["in a page", "of a page", "of pages"])
def test_without_passthrough_a_reader_is_told(sa, mount, store, python, elements):
    """Its map is a copy of its own, which ends with the data: a look behind them is SIGBUS."""
    sa.create("x", elements)[:] = 1
    reader = python()
    reader.run("a = sa.attach(name, ro=True)", name=f"file://{mount(store, 'io=fallback') / 'x'}")
    for call in ("event(a)", "snapshot(a)", "lock(a).acquire()", "wait(a, 0, 1)"):
        with pytest.raises(OSError, match="attach it directly") as caught:
            reader.run(f"sa.{call}")
        assert caught.value.errno == errno.ENODEV
    assert reader.run("a.sum()") == elements


def test_without_passthrough_nobody_attaches_for_writing(sa, mount, store):
    sa.create("x", 3)
    fallback = mount(store, "io=fallback")
    with pytest.raises(OSError, match="passthrough") as caught:
        sa.attach(f"file://{fallback / 'x'}")
    assert caught.value.errno == errno.ENODEV
