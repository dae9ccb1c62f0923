# SPDX-License-Identifier: BSD-3-Clause
"""Many arrays, few descriptors."""

from __future__ import annotations

import fcntl
import os
import resource
import struct
import threading

import pytest
from support.wait import wait_for

pytestmark = pytest.mark.fuse


def limit_descriptors(mounted, count):
    (pid,) = mounted.pids()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, count))
    return pid


def test_64_descriptors_serve_500_arrays_one_after_the_other(sa, either):
    for i in range(500):
        sa.create(f"x{i}", 1)
    limit_descriptors(either, 64)
    for _ in range(3):
        for i in range(500):
            with open(either / f"x{i}", "rb") as file:
                assert len(file.read()) == 8


def test_out_of_descriptors_is_an_error_and_passes(sa, either, errno_of):
    for i in range(80):
        sa.create(f"x{i}", 1)
    limit_descriptors(either, 64)
    opened, failed = [], None
    for i in range(80):
        failed = errno_of(lambda n=i: opened.append(os.open(either / f"x{n}", os.O_RDONLY)))
        if failed:
            break
    assert failed == "ENFILE"
    assert len(opened) > 40
    assert os.pread(opened[-1], 8, 0) == bytes(8)
    for fd in opened:
        os.close(fd)
    wait_for(lambda: errno_of(os.open, either / "x79", os.O_RDONLY) is None)


def test_out_of_descriptors_no_listing_is_short(sa, either, errno_of):
    names = {f"x{i}" for i in range(80)}
    for name in names:
        sa.create(name, 1)
    limit_descriptors(either, 64)
    held = []
    while errno_of(lambda: held.append(os.open(either / f"x{len(held)}", os.O_RDONLY))) is None:
        pass
    while held:
        listed = []
        code = errno_of(lambda into=listed: into.extend(os.listdir(either)))
        assert (code, set(listed)) in ((None, names), ("ENFILE", set()))
        os.close(held.pop())
    assert code is None


@pytest.mark.release_only
def test_memory_per_array_is_small(sa, either):
    def resident():
        with open(f"/proc/{pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    (pid,) = either.pids()
    for i in range(3000):
        sa.create(f"a{i:05}", 1)
    assert len(list(os.scandir(either))) == 3000
    before = resident()
    for i in range(10_000):
        sa.create(f"b{i:05}", 1)
    assert sum(entry.stat().st_size for entry in os.scandir(either)) == 13_000 * 8
    assert (resident() - before) * 1024 < 10_000 * 600


LOCK_OFFSET = (1 << 62) + 1  # of what changes an array's metadata, lib/rewrite.c


def hold_metadata(path):
    """A descriptor that keeps others from changing the array's metadata."""
    fd = os.open(path, os.O_RDWR)
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, LOCK_OFFSET, 1, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
    return fd


def test_who_keeps_metadata_locked_does_not_hold_up_others(sa, store, either, errno_of):
    names = [f"x{i}" for i in range(20)]  # more than the daemon has threads
    held, told = [], []
    for name in names:
        sa.create(name, 1)
        held.append(hold_metadata(store / name))
    sa.create("other", 3)

    def change(name):
        told.append(errno_of(os.setxattr, either / name, "user.note", b"?"))

    changing = [threading.Thread(target=change, args=(name,)) for name in names]
    for thread in changing:
        thread.start()
    hasty = len(names) - 4
    wait_for(lambda: len(told) >= hasty)
    assert os.stat(either / "other").st_size == 24
    assert "other" in os.listdir(either)
    assert (either / "other").read_bytes() == bytes(24)
    assert len(told) == hasty  # the others are waiting all the while
    for thread in changing:
        thread.join(20)
    assert told == ["EBUSY"] * len(names)
    for fd in held:
        os.close(fd)
    assert errno_of(os.setxattr, either / "x0", "user.note", b"!") is None
