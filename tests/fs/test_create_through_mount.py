# SPDX-License-Identifier: BSD-3-Clause
"""Making arrays by libsharr where only the mount is at hand: create, put, replace, building."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest
from support.wait import wait_for

pytestmark = pytest.mark.fuse


@pytest.fixture
def via(sa, either, monkeypatch):
    """The module, with the mount as the only way to its names."""
    monkeypatch.setenv("SHARR_MOUNT", str(either))
    monkeypatch.setenv("SHARR_VIA", "mount")
    return sa


@pytest.fixture
def through(sa, direct, monkeypatch):
    """Likewise, with passthrough: without it nothing can be mapped to be written."""
    monkeypatch.setenv("SHARR_MOUNT", str(direct))
    monkeypatch.setenv("SHARR_VIA", "mount")
    return sa


def read(store, name="x"):
    """As a process has it that knows the store alone."""
    os.environ["SHARR_VIA"] = "shm"
    try:
        import SharedArray

        return SharedArray.attach(name)
    finally:
        os.environ["SHARR_VIA"] = "mount"


@pytest.mark.passthrough
@pytest.mark.parametrize("shape", [(), (0,), (3, 4), (1 << 17,)], ids=str)
def test_create(store, through, shape):
    array = through.create("x", shape, "<i4", order="F")
    array[...] = 7
    assert store.names() == ["x"]
    other = read(store)
    assert (other.dtype, other.shape) == (np.int32, shape)
    assert other.tolist() == array.tolist()
    other[...] = 8
    assert array.tolist() == other.tolist()


def test_put(store, via):
    array = np.asfortranarray(np.arange(12, dtype=">i2").reshape(3, 4))
    via.put("x", array)
    other = read(store)
    assert (other.dtype, other.flags.f_contiguous) == (array.dtype, True)
    assert other.tolist() == array.tolist()
    assert store.names() == ["x"]


@pytest.mark.passthrough
def test_create_and_put_are_exclusive(store, through):
    through.put("x", np.arange(3))
    for size in (3, 1 << 18):
        with pytest.raises(FileExistsError):
            through.put("x", np.zeros(size))
        with pytest.raises(FileExistsError):
            through.create("x", size)
    assert read(store).tolist() == [0, 1, 2]
    assert store.names() == ["x"]


def test_put_replaces(store, via):
    via.put("x", np.arange(3))
    old = via.attach("x", ro=True)
    for i in range(50):
        via.put("x", np.full(5, i), replace=True)
        assert read(store).tolist() == via.copy("x").tolist() == [i] * 5
    assert old.tolist() == [0, 1, 2]
    assert store.names() == ["x"]


@pytest.mark.passthrough
def test_create_replaces(store, through):
    old = through.create("x", 3)
    new = through.create("x", 5, replace=True)
    new[:] = 7
    assert read(store).tolist() == [7] * 5
    assert old.tolist() == [0] * 3
    assert through.create("y", 2, replace=True).tolist() == [0, 0]
    assert store.names() == ["x", "y"]


@pytest.mark.passthrough
def test_building_is_published_whole_at_its_end(store, direct, through):
    with through.building("x", (2, 3)) as array:
        array[:] = 7
        assert store.names() == os.listdir(direct) == []
    assert read(store).tolist() == [[7.0] * 3] * 2
    array[0] = 8
    assert read(store).tolist() == [[8.0] * 3, [7.0] * 3]


@pytest.mark.passthrough
def test_building_that_raises_makes_nothing(store, through):
    with pytest.raises(ZeroDivisionError), through.building("x", 3) as array:
        array[0] = 1 / 0
    del array
    wait_for(lambda: os.statvfs(store).f_files - os.statvfs(store).f_ffree <= 1)
    assert store.names() == []


@pytest.mark.passthrough
def test_building_replaces_only_at_its_end(store, through):
    through.put("x", np.arange(3))
    with through.building("x", 2, replace=True) as array:
        array[:] = 7
        assert read(store).tolist() == [0, 1, 2]
    assert read(store).tolist() == [7, 7]


@pytest.mark.passthrough
def test_building_under_a_name_that_is_taken(store, through):
    with pytest.raises(FileExistsError), through.building("x", 2) as array:
        through.put("x", np.arange(3))
    del array
    assert read(store).tolist() == [0, 1, 2]
    assert store.names() == ["x"]


@pytest.mark.passthrough
def test_killed_while_it_builds_leaves_nothing(store, python, direct, through):
    other = python(SHARR_VIA="mount", SHARR_MOUNT=str(direct))
    other.run("b = sa.building('x', 100_000); a = b.__enter__(); a[:] = 7")
    used = os.statvfs(store)
    assert used.f_bfree < used.f_blocks
    other.kill()
    wait_for(lambda: os.statvfs(store).f_bfree == os.statvfs(store).f_blocks)
    assert store.names() == os.listdir(direct) == []


@pytest.mark.passthrough
def test_mode_and_owner(store, through):
    through.create("x", 3, mode=0o604)
    through.put("y", np.arange(3), mode=0o640, replace=True)
    assert stat.S_IMODE(os.stat(store / "x").st_mode) == 0o604
    assert stat.S_IMODE(os.stat(store / "y").st_mode) == 0o640


def test_fallback_maps_nothing_for_writing_and_leaves_nothing(store, mount, sa, monkeypatch):
    monkeypatch.setenv("SHARR_MOUNT", str(mount(store, "io=fallback")))
    monkeypatch.setenv("SHARR_VIA", "mount")
    sa.put("x", np.arange(3))
    for make in (lambda: sa.create("x", 2, replace=True), lambda: sa.building("y", 2).__enter__()):
        with pytest.raises(OSError, match="passthrough"):
            make()
    assert sa.attach("x", ro=True).tolist() == [0, 1, 2]
    assert store.names() == ["x"]


def test_full_store_is_told_before_anything_is_made(store, mount, sa, monkeypatch):
    small = store(size="1m")
    monkeypatch.setenv("SHARR_MOUNT", str(mount(small, "io=fallback")))
    monkeypatch.setenv("SHARR_VIA", "mount")
    sa.put("x", np.zeros(3))
    for replace in (False, True):
        with pytest.raises(OSError, match=r"has .* free; asked for were") as caught:
            sa.put("x" if replace else "y", np.zeros(1 << 20), replace=replace)
        assert caught.value.errno == 28
    wait_for(lambda: small.names() == ["x"], what="the end of what was in the making")


def test_groups_and_paths_into_the_mount(store, either, sa):
    os.mkdir(store / "group")
    sa.put(f"file://{either}/group/x", np.arange(3))
    sa.put(f"file://{either}/group/x", np.arange(4), replace=True)
    assert sa.attach("group/x").tolist() == [0, 1, 2, 3]


def test_foreign_file_is_not_replaced(store, via):
    (store / "x").write_bytes(b"no array")
    for replace in (False, True):
        with pytest.raises(FileExistsError):
            via.put("x", np.arange(3), replace=replace)
    assert (store / "x").read_bytes() == b"no array"


def test_hidden_names_are_nobodys_arrays(store, either):
    name = ".sharr~" + "0123abcdef" * 4
    with open(either / name, "wb") as file:
        file.write(b"abc")
    wait_for(lambda: not os.path.exists(either / name))
    assert store.names() == []


def test_readers_see_one_or_the_other_while_it_is_replaced(store, python, via, either):
    """As one process may replace an array that others attach by name all the time."""
    via.put("x", np.zeros(1000))
    reader = python(SHARR_VIA="mount", SHARR_MOUNT=str(either))
    reader.start(
        "seen = set()\n"
        "while not os.path.exists(stop):\n"
        "    a = sa.copy('x'); assert a.min() == a.max(); seen.add(a[0])\n"
        "len(seen)",
        stop=str(either.store / "stop"),
    )
    for i in range(300):
        via.put("x", np.full(1000 + i, float(i)), replace=True)
    (store / "stop").touch()
    assert reader.result() > 1
