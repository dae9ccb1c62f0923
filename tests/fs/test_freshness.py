# SPDX-License-Identifier: BSD-3-Clause
"""What others do in the store directly, as the mount shows it: at once by open and in a listing,
within 50 ms by stat."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from support.wait import soon

pytestmark = pytest.mark.fuse


def size_soon(path: Path, size: int) -> None:
    soon(lambda: os.stat(path).st_size == size, f"{path} of {size} bytes")


def test_new_array_is_there_at_once(sa, either, errno_of):
    assert errno_of(os.stat, either / "x") == "ENOENT"
    sa.create("x", 3)
    assert os.stat(either / "x").st_size == 24
    assert os.listdir(either) == ["x"]


def test_deleted_array_is_gone_at_once(sa, either, errno_of):
    sa.create("x", 3)
    os.stat(either / "x")
    sa.delete("x")
    assert errno_of(os.open, either / "x", os.O_RDONLY) == "ENOENT"
    assert os.listdir(either) == []


def test_array_made_again_is_the_new_one(sa, either):
    for count in range(1, 50):
        sa.create("x", count, "<i4" if count % 2 else "<f8")[:] = count
        itemsize = 4 if count % 2 else 8
        size_soon(either / "x", itemsize * count)
        assert either.xattr("shape", "x") == str(count)
        assert either.xattr("itemsize", "x") == str(itemsize)
        assert len((either / "x").read_bytes()) == itemsize * count
        sa.delete("x")


def test_replaced_array_is_the_new_one_and_the_old_stays_open(sa, store, either):
    sa.create("x", 10)[:] = 1
    with open(either / "x", "rb", buffering=0) as old:
        sa.create("new", 20)[:] = 2
        os.rename(store / "new", store / "x")
        assert np.fromfile(either / "x").tolist() == [2] * 20
        assert np.frombuffer(old.read()).tolist() == [1] * 10


def test_no_reader_ever_sees_another_error_than_that_it_is_gone(sa, store, either):
    """ESTALE and EIO stay between the kernel and the daemon."""
    sa.create("x", 10)
    stop, wrong = threading.Event(), []

    def replace():
        while not stop.is_set():
            for name, count in (("y", 20), ("z", 10)):
                sa.create(name, count)
                os.rename(store / name, store / "x")

    def read():
        for _ in range(400):
            try:
                data = (either / "x").read_bytes()
                wrong.extend([] if len(data) in (80, 160) else [len(data)])
            except OSError as error:
                wrong.append(repr(error))

    replacer = threading.Thread(target=replace)
    replacer.start()
    read()
    stop.set()
    replacer.join()
    assert not wrong


def test_many_readers_of_names_that_are_replaced_all_the_time(sa, store, either):
    names = [f"x{i}" for i in range(6)]
    stop, wrong = threading.Event(), []

    def replace(number):
        while not stop.is_set():
            for name in names:
                sa.put(name, np.zeros(number), replace=True)

    def read(number):
        for i in range(300):
            path = either / names[(i + number) % len(names)]
            try:
                with open(path, "rb", buffering=0) as file:
                    wrong.extend([] if len(file.read()) in (80, 160) else [path])
            except OSError as error:
                wrong.append(repr(error))

    for number in (10, 20):
        for name in names:
            sa.put(name, np.zeros(number), replace=True)
    replacers = [threading.Thread(target=replace, args=[n]) for n in (10, 20)]
    readers = [threading.Thread(target=read, args=[n]) for n in range(6)]
    for thread in replacers + readers:
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    for thread in replacers:
        thread.join()
    assert not wrong


def test_group_that_was_renamed_directly_is_found_again(sa, store, either, errno_of):
    os.mkdir(store / "a")
    sa.create("shm://a/x", 3)
    os.stat(either / "a" / "x")
    os.rename(store / "a", store / "b")
    soon(lambda: errno_of(os.stat, either / "a" / "x") == "ENOENT")
    assert errno_of(os.open, either / "a" / "x", os.O_RDONLY) == "ENOENT"
    assert os.stat(either / "b" / "x").st_size == 24


def test_file_that_becomes_an_array_appears(sa, store, either):
    """As SharedArray makes one: first the file, then its trailer through a map."""
    sa.create("y", 1000)
    whole = (store / "y").read_bytes()
    (store / "x").write_bytes(bytes(len(whole)))
    view = np.memmap(store / "x", np.uint8, "r+")
    view[:] = 0  # only the first store into a page changes the ctime
    assert os.listdir(either) == ["y"]
    view[:] = np.frombuffer(whole, np.uint8)
    assert sorted(os.listdir(either)) == ["x", "y"]


def test_store_that_is_emptied_under_the_mount(sa, store, either):
    os.mkdir(store / "a")
    sa.create("shm://a/x", 3)
    assert os.listdir(either / "a") == ["x"]
    sa.delete("shm://a/x")
    os.rmdir(store / "a")
    assert os.listdir(either) == []


def listed(folder) -> dict[str, int]:
    """Names and sizes, as the kernel remembers them after one walk over all."""
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_size for entry in entries}


@pytest.fixture
def remembered(sa, either):
    """Twenty arrays x0, x1, …, just listed, so that the kernel knows them all by heart."""
    for i in range(20):
        sa.create(f"x{i}", 3)
    assert listed(either) == {f"x{i}": 24 for i in range(20)}
    return either


def write_one(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"1")


CHANGES = {
    "mode": (lambda sa, x: os.chmod(x, 0o640), lambda st: st.st_mode & 0o777 == 0o640),
    "owner": (lambda sa, x: os.chown(x, 5, 6), lambda st: (st.st_uid, st.st_gid) == (5, 6)),
    "times": (lambda sa, x: os.utime(x, (1, 2)), lambda st: (st.st_atime, st.st_mtime) == (1, 2)),
    "write": (lambda sa, x: write_one(x), lambda st: st.st_mtime > 1),
    "replace": (lambda sa, x: sa.create(x.name, 9, replace=True), lambda st: st.st_size == 72),
    "again": (lambda sa, x: [sa.delete(x.name), sa.create(x.name, 9)], lambda st: st.st_size == 72),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_after_a_listing_shows_in_stat(sa, store, remembered, change):
    act, shows = CHANGES[change]
    if change == "write":
        os.utime(store / "x7", (1, 1))
        soon(lambda: os.stat(remembered / "x7").st_mtime == 1)
        assert listed(remembered)["x7"] == 24
    act(sa, store / "x7")
    soon(lambda: shows(os.stat(remembered / "x7")))


def test_change_by_a_link_in_another_group_shows_in_stat_after_a_listing(sa, store, either):
    os.mkdir(store / "group")
    for i in range(20):
        sa.create(f"x{i}", 3)
    os.link(store / "x7", store / "group" / "y")
    assert listed(either)["x7"] == 24
    os.chmod(store / "group" / "y", 0o640)
    soon(lambda: os.stat(either / "x7").st_mode & 0o777 == 0o640)


@pytest.mark.parametrize("how", ["deleted", "renamed", "made foreign"])
def test_array_that_goes_after_a_listing_is_gone(sa, store, remembered, errno_of, how):
    if how == "deleted":
        sa.delete("x7")
    elif how == "renamed":
        os.rename(store / "x7", store / "y")
    else:
        os.truncate(store / "x7", 24)
    soon(lambda: errno_of(os.stat, remembered / "x7") == "ENOENT")
    assert errno_of(os.open, remembered / "x7", os.O_RDONLY) == "ENOENT"
    assert ("y" in listed(remembered)) == (how == "renamed")


@pytest.mark.parametrize("how", ["replace", "again"])
def test_open_after_a_listing_is_of_the_new_one_at_once(sa, store, remembered, how):
    for i in range(20):
        CHANGES[how][0](sa, store / f"x{i}")
        assert len((remembered / f"x{i}").read_bytes()) == 72


def test_each_open_is_of_the_newest_one(sa, store, either, errno_of):
    """Also while the kernel is told again and again that what it knows is stale."""
    for count in range(1, 100):
        sa.create("x", count, replace=True)
        assert len((either / "x").read_bytes()) == 8 * count
        if count % 3 == 0:
            os.stat(either / "x")
            sa.delete("x")
            assert errno_of(os.open, either / "x", os.O_RDONLY) == "ENOENT"


def test_listing_is_right_at_once(sa, store, remembered):
    for i in range(20):
        sa.create(f"y{i}", 5)
        sa.delete(f"x{i}")
        sizes = listed(remembered)
        assert sizes[f"y{i}"] == 40
        assert f"x{i}" not in sizes


@pytest.mark.parametrize("first", ["listed", "opened"])
def test_name_of_an_open_array_that_was_replaced_is_the_new_ones(sa, store, remembered, first):
    """By the path the new array, by the descriptor the old one."""
    if first == "listed":
        listed(remembered)
    with open(remembered / "x7", "rb") as old:
        if first == "opened":
            listed(remembered)
        sa.create("x7", 9, replace=True)
        soon(lambda: os.stat(remembered / "x7").st_size == 72)
        assert os.fstat(old.fileno()).st_size == 24
        sa.delete("x7")
        soon(lambda: not os.path.exists(remembered / "x7"))
        assert len(old.read()) == os.fstat(old.fileno()).st_size == 24


def test_attributes_of_a_reinterpreted_array_are_the_new_ones(sa, store, remembered):
    for shape in ("3", "1,3", "3,1"):
        os.setxattr(remembered / "x7", "user.sharr.shape", shape.encode())
        assert sa.attach("x7").shape == tuple(map(int, shape.split(",")))
        assert remembered.xattr("shape", "x7") == shape


def test_groups_are_as_fresh_as_the_store_itself(sa, store, either, errno_of):
    os.makedirs(store / "a" / "b")
    sa.create("a/b/x", 3)
    assert listed(either / "a" / "b") == {"x": 24}
    os.rename(store / "a", store / "c")
    soon(lambda: errno_of(os.stat, either / "a" / "b" / "x") == "ENOENT")
    assert listed(either / "c" / "b") == {"x": 24}
    sa.create("c/b/x", 4, replace=True)
    soon(lambda: os.stat(either / "c" / "b" / "x").st_size == 32)
    sa.delete("c/b/x")
    os.rmdir(store / "c" / "b")
    soon(lambda: errno_of(os.stat, either / "c" / "b") == "ENOENT")
    os.mkdir(store / "c" / "b")
    sa.create("c/b/y", 3)
    assert listed(either / "c" / "b") == {"y": 24}


def test_strict_remembers_nothing(sa, mount, store, errno_of):
    strict = mount(store, "strict")
    for count in range(1, 30):
        sa.create("x", count, replace=True)
        assert os.stat(strict / "x").st_size == listed(strict)["x"] == 8 * count
    sa.delete("x")
    assert errno_of(os.stat, strict / "x") == "ENOENT"


def test_events_that_were_lost_are_made_good(sa, store, mount, limit):
    limit("max_queued_events", 1)
    seen = mount(store)
    for round_ in range(1, 20):
        for i in range(20):
            sa.create(f"x{i}", round_, replace=True)
        for i in range(20):
            size_soon(seen / f"x{i}", 8 * round_)
        assert set(listed(seen).values()) == {8 * round_}


def test_without_a_watch_nothing_is_remembered_for_long(sa, store, mount, limit):
    limit("max_user_watches", 0)
    seen = mount(store)
    for count in range(1, 20):
        sa.create("x", count, replace=True)
        size_soon(seen / "x", 8 * count)
        assert listed(seen)["x"] == 8 * count


def test_daemon_killed_in_a_storm_of_events_leaves_nobody_hanging(sa, store, mount, python):
    for i in range(50):
        sa.create(f"x{i}", 3)
    for _ in range(5):
        seen = mount(store)
        readers = [python() for _ in range(2)]
        for reader in readers:
            reader.start(
                f"while True: [entry.stat() for entry in os.scandir({str(seen)!r})]",
            )
        for i in range(300):
            sa.create(f"x{i % 50}", 3 + i, replace=True)
        seen.kill()
        for reader in readers:
            with pytest.raises(OSError, match="abort|not connected"):
                reader.result()
        seen.detach()
