# SPDX-License-Identifier: BSD-3-Clause
"""via= (in the store or through its mount) and huge= (pages of a tmpfs that gives them)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from support.require import lacking

MIB = 1 << 20


# via


@pytest.fixture
def seen(mount, monkeypatch):
    mounted = mount()
    monkeypatch.setenv("SHARR_MOUNT", str(mounted))
    return mounted


def file_under(array) -> str:
    """What /proc says is mapped there."""
    start = f"{array.base.addr:x}-"
    (line,) = (t for t in Path("/proc/self/maps").read_text().split("\n") if t.startswith(start))
    return line.split()[-1]


@pytest.mark.passthrough
@pytest.mark.parametrize("environment", ["auto", "shm", "mount"])
def test_call_goes_before_the_environment(sa, store, seen, monkeypatch, environment):
    monkeypatch.setenv("SHARR_VIA", environment)
    sa.create("x", 3, via="shm")
    assert file_under(sa.attach("x", via="shm")) == str(store / "x")
    assert file_under(sa.attach("x", via="mount")) == str(seen / "x")
    assert file_under(sa.attach("x", via="auto")) == str(store / "x")
    default = seen if environment == "mount" else store
    assert file_under(sa.attach("x")) == file_under(sa.attach("x", via=None)) == str(default / "x")


@pytest.mark.passthrough
def test_every_call_that_makes_arrays(sa, seen):
    assert file_under(sa.create("a", 3, via="mount")) == str(seen / "a")
    assert file_under(sa.create("a", 3, via="mount", exist_ok=True)) == str(seen / "a")
    before = seen.counters()["writes"]
    sa.put("b", [1, 2], via="mount")
    assert seen.counters()["writes"] > before
    with sa.building("c", 3, via="shm") as c:
        c[:] = 1
    assert [sa.copy(name).sum() for name in "abc"] == [0, 3, 3]


def test_mount_alone_is_looked_at(sa, monkeypatch, area):
    sa.create("x", 3)
    monkeypatch.setenv("SHARR_MOUNT", str(area / "nothing"))
    with pytest.raises(FileNotFoundError):
        sa.attach("x", via="mount")
    assert sa.attach("x", via="auto").shape == (3,)


@pytest.mark.parametrize("via", ["", "Mount", b"shm", 1])
def test_unknown_way(sa, via):
    for call in (lambda: sa.create("x", 3, via=via), lambda: sa.attach("x", via=via)):
        with pytest.raises(ValueError, match="via must be 'auto', 'shm' or 'mount'"):
            call()
    assert sa.list() == ()


# huge


def huge_bytes(array) -> int:
    """Of the array's map, once it has been read."""
    array.sum()
    text = Path("/proc/self/smaps").read_text()
    (entry,) = re.findall(rf"^{array.base.addr:x}-.*?ShmemPmdMapped: +(\d+) kB", text, re.M | re.S)
    return int(entry) * 1024


@pytest.fixture
def advised(sa, store, monkeypatch):
    if not Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled").exists():
        lacking("hugepages", "this kernel has no huge pages for shared memory")
    other = store(options="huge=advise")
    monkeypatch.setenv("SHARR_STORE", str(other))
    return other


@pytest.mark.parametrize("how", ["create", "put", "building", "sparse"])
@pytest.mark.parametrize(("huge", "expected"), [(None, 8), (True, 8), (False, 0)])
def test_large_arrays_have_them_where_the_store_gives_them(sa, advised, how, huge, expected):
    if how == "create":
        a = sa.create("x", 8 * MIB, "u1", huge=huge)
    elif how == "sparse":
        a = sa.create("x", 8 * MIB, "u1", huge=huge, reserve=False)
        a[:] = 1
    elif how == "put":
        sa.put("x", np.ones(8 * MIB, "u1"), huge=huge)
        a = sa.attach("x")
        assert (a == 1).all()
    else:
        with sa.building("x", 8 * MIB, "u1", huge=huge) as a:
            pass
    assert huge_bytes(a) == expected * MIB


def test_small_arrays_have_none_unless_asked(sa, advised):
    assert huge_bytes(sa.create("x", MIB, "u1")) == 0
    assert huge_bytes(sa.create("y", 3 * MIB, "u1", huge=True)) == 2 * MIB


def test_no_more_space_is_taken_than_without(sa, advised):
    for huge in (True, False):
        sa.create(f"x{huge}", 3 * MIB, "u1", huge=huge)
    assert os.stat(advised / "xTrue").st_blocks == os.stat(advised / "xFalse").st_blocks


def test_where_there_are_none_nothing_is_different(sa, store):
    a = sa.create("x", 4 * MIB, "u1", huge=True)
    assert (huge_bytes(a), a.size) == (0, 4 * MIB)
    assert os.stat(store / "x").st_blocks * 512 >= 4 * MIB


def test_file_of_another_file_system(sa, area):
    a = sa.create(area / "x", 4 * MIB, "u1", huge=True)
    assert (a == 0).all()


def test_full_store_is_an_error_with_huge_pages_too(sa, advised):
    with pytest.raises(OSError, match="free") as caught:
        sa.create("x", 300 * MIB, "u1", huge=True)
    assert caught.value.filename == "x"
    assert advised.names() == []
