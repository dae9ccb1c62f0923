# SPDX-License-Identifier: BSD-3-Clause
"""Many arrays, few descriptors."""

from __future__ import annotations

import os
import resource

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
