# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that become visible filled: put, and prepare with publish. And copies of the data."""

from __future__ import annotations

import os
from errno import EBADMSG, EINVAL, ENOSPC, ERANGE

import numpy as np
import pytest
from lib.clib import READONLY, REPLACE, SPARSE, refused, spec_of


def test_put(c, store):
    array = np.arange(1000, dtype="<i4").reshape(10, 100)
    before = os.listdir("/proc/self/fd")
    c.put("x", array)
    assert os.listdir("/proc/self/fd") == before
    assert np.array_equal(c.attach("x").data, array)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (7,), (64, 8), (5, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_put_of_every_shape(c, shape, order):
    array = np.arange(np.prod(shape), dtype="<f4").reshape(shape).copy(order)
    c.put("x", array)
    attached = c.attach("x")
    assert np.array_equal(attached.data, array)
    assert attached.data.flags.f_contiguous == array.flags.f_contiguous


def test_put_is_exclusive(c):
    c.put("x", np.ones(3))
    with pytest.raises(FileExistsError):
        c.put("x", np.zeros(3))
    assert c.attach("x").data.tolist() == [1, 1, 1]


def test_put_replaces(c, store):
    old = c.create("x")
    c.put("x", np.ones(5), REPLACE)
    assert old.data.tolist() == [0, 0, 0]
    assert c.attach("x").data.tolist() == [1] * 5
    assert store.names() == ["x"]


def test_put_into_a_full_store(c, store, monkeypatch):
    small = store(size="1m")
    monkeypatch.setenv("SHARR_STORE", str(small))
    with refused(ENOSPC) as caught:
        c.put("x", np.zeros(2 << 20, "u1"))
    assert str(small) in caught.value.strerror
    assert small.names() == []
    assert os.statvfs(small).f_bfree == os.statvfs(small).f_blocks


def test_put_without_data(c, store):
    assert c.c.sharr_put(b"x", spec_of(shape=(3,)), None, 0) == -EINVAL
    assert c.c.sharr_put(b"x", spec_of(shape=(0,)), None, 0) == 0
    assert store.names() == ["x"]


def test_put_takes_no_other_flags(c):
    for flags in (SPARSE, READONLY, 1 << 30):
        with refused(EINVAL):
            c.put("x", np.zeros(3), flags)


def test_put_is_never_seen_half_written(c, other):
    looker = other()
    looker.start(
        "sums = set()\n"
        "while 'end' not in c.names():\n"
        "    try: a = c.attach('x', READONLY)\n"
        "    except FileNotFoundError: continue\n"
        "    sums.add(int(a.data.min())); a.detach()\n"
        "sorted(sums)"
    )
    ones = np.ones(1 << 18, "u1")
    for _ in range(300):
        c.put("x", ones, REPLACE)
    c.put("end", ones)
    assert looker.result() == [1]


@pytest.mark.linux_only
def test_prepared_is_invisible(c, store, other):
    array = c.prepare("x")
    array.data[:] = 4
    assert store.names() == []
    with pytest.raises(FileNotFoundError):
        c.attach("x")
    array.publish()
    assert other().run("c.attach('x').data") == [4, 4, 4]


def test_published_stays_attached(c):
    array = c.prepare("x")
    array.publish()
    c.attach("x").data[:] = 6
    assert array.data.tolist() == [6, 6, 6]


@pytest.mark.linux_only
def test_prepared_keeps_one_descriptor_until_it_is_published(c):
    before = len(os.listdir("/proc/self/fd"))
    array = c.prepare("x")
    assert len(os.listdir("/proc/self/fd")) == before + 1
    array.publish()
    assert len(os.listdir("/proc/self/fd")) == before


def test_prepared_and_detached_leaves_nothing(c, store):
    before = os.listdir("/proc/self/fd")
    c.prepare("x", shape=(1 << 20,)).detach()
    assert store.names() == []
    assert os.listdir("/proc/self/fd") == before
    assert os.statvfs(store).f_bfree == os.statvfs(store).f_blocks


@pytest.mark.linux_only
def test_killed_before_publishing_leaves_nothing(store, other):
    child = other()
    child.run("a = c.prepare('x', shape=(1 << 20,)); a.data[:] = 1")
    child.kill()
    assert store.names() == []
    assert os.statvfs(store).f_bfree == os.statvfs(store).f_blocks


def test_publish_onto_a_name_that_was_taken_meanwhile(c):
    array = c.prepare("x")
    array.data[:] = 1
    c.create("x")
    with pytest.raises(FileExistsError):
        array.publish()
    c.delete("x")
    array.publish()
    assert c.attach("x").data.tolist() == [1, 1, 1]


def test_prepare_of_a_name_that_is_taken(c):
    c.create("x")
    with pytest.raises(FileExistsError):
        c.prepare("x")


def test_publish_replaces_if_prepare_was_told_so(c, store):
    c.create("x")
    array = c.prepare("x", REPLACE, shape=(4,))
    array.publish()
    assert c.stat("x").shape == (4,)
    assert store.names() == ["x"]


def test_publish_never_replaces_a_foreign_file(c, store):
    array = c.prepare("x", REPLACE)
    (store / "x").write_text("precious")
    with pytest.raises(FileExistsError):
        array.publish()
    assert (store / "x").read_text() == "precious"


def test_publish_twice(c):
    array = c.prepare("x")
    array.publish()
    with refused(EINVAL):
        array.publish()


def test_publish_of_what_was_never_prepared(c):
    for array in (c.create("x"), c.attach("x")):
        with refused(EINVAL):
            array.publish()


@pytest.mark.linux_only
def test_publish_into_a_group_that_is_gone(c, store):
    (store / "g").mkdir()
    array = c.prepare("g/x")
    (store / "g").rmdir()
    with pytest.raises(FileNotFoundError):
        array.publish()


def test_publish_goes_where_prepare_was_told(c, area, monkeypatch, store):
    second = store()
    (store / "g").mkdir()
    array = c.prepare("g/x")
    monkeypatch.setenv("SHARR_STORE", str(second))
    (store / "g").rename(store / "h")
    array.publish()
    assert os.listdir(store / "h") == ["x"]
    assert second.names() == []


def test_copy(c):
    array = np.arange(100, dtype="<f8")
    c.put("x", array)
    assert c.copy("x", 800) == array.tobytes()
    assert c.copy("x", 800, "<f8") == array.tobytes()


def test_copy_of_an_empty_array(c):
    c.create("x", shape=(0,))
    assert c.copy("x", 0, "<f8") == b""


@pytest.mark.parametrize(("count", "dtype"), [(23, None), (25, None), (0, None), (24, "<i8")])
def test_copy_of_what_is_not_expected(c, count, dtype):
    c.create("x")
    with refused(ERANGE):
        c.copy("x", count, dtype)


def test_copy_of_what_is_no_array(c, store):
    (store / "x").write_bytes(bytes(1000))
    with refused(EBADMSG):
        c.copy("x", 1000)
    with pytest.raises(FileNotFoundError):
        c.copy("y", 1000)


def test_copy_leaves_mtime_and_maps_alone(c, store):
    c.create("x").detach()
    before = os.stat(store / "x").st_mtime_ns
    with open("/proc/self/maps") as lines:
        maps = lines.read().count(str(store))
    c.copy("x", 24)
    assert os.stat(store / "x").st_mtime_ns == before
    with open("/proc/self/maps") as lines:
        assert lines.read().count(str(store)) == maps


@pytest.mark.fuse
@pytest.mark.passthrough
def test_prepared_through_a_mount(c, store, mount, monkeypatch):
    monkeypatch.setenv("SHARR_MOUNT", str(mount(store, "io=passthrough")))
    monkeypatch.setenv("SHARR_VIA", "mount")
    array = c.prepare("x", shape=(3,), attrs={"unit": b"m"})
    array.data[:] = 7
    assert (c.names(), store.names()) == ([], [])
    array.publish()
    with refused(EINVAL):
        array.publish()
    known, told = c.c.sharr_info(array.handle).contents, c.stat("x")
    assert (known.inode, known.created_ns, known.creator_pid) == (
        told.inode,
        told.created_ns,
        os.getpid(),
    )
    monkeypatch.setenv("SHARR_VIA", "shm")
    assert c.attach("x").data.tolist() == [7] * 3
    assert c.attrs("x") == {"unit": b"m"}
    c.detach_all()  # before the mount goes


@pytest.mark.fuse
@pytest.mark.passthrough
def test_prepared_through_a_mount_stays_so_when_its_name_is_taken(c, store, mount, monkeypatch):
    monkeypatch.setenv("SHARR_MOUNT", str(mount(store, "io=passthrough")))
    monkeypatch.setenv("SHARR_VIA", "mount")
    array = c.prepare("x", shape=(3,))
    c.put("x", np.ones(2))
    with pytest.raises(FileExistsError):
        array.publish()
    c.delete("x")
    array.publish()
    assert store.names() == ["x"]
    assert c.copy("x", 24) == bytes(24)
    c.detach_all()
