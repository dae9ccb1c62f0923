# SPDX-License-Identifier: BSD-3-Clause
"""Changes of names through the mount: they happen in the store, and to nothing that is hidden."""

from __future__ import annotations

import os
import stat

import pytest

pytestmark = pytest.mark.fuse


@pytest.fixture
def foreign(store):
    path = store / "foreign"
    path.write_bytes(b"no array" * 1000)
    return path


def test_unlink_deletes_the_array(sa, store, either):
    array = sa.create("x", 3)
    os.unlink(either / "x")
    assert store.names() == os.listdir(either) == []
    array[:] = 7
    assert sa.create("x", 4).tolist() == [0] * 4


def test_foreign_files_are_neither_deleted_nor_replaced(sa, store, either, foreign, errno_of):
    sa.create("x", 3)
    assert errno_of(os.unlink, either / "foreign") == "ENOENT"
    assert errno_of(os.rename, either / "x", either / "foreign") == "EEXIST"
    assert errno_of(os.mkdir, either / "foreign") == "EEXIST"
    assert errno_of(os.rename, either / "foreign", either / "y") == "ENOENT"
    assert foreign.read_bytes() == b"no array" * 1000
    assert store.names() == ["foreign", "x"]


def test_unlink_of_what_is_not_there_and_of_a_group(store, either, errno_of):
    os.mkdir(store / "group")
    assert errno_of(os.unlink, either / "x") == "ENOENT"
    assert errno_of(os.unlink, either / "group") == "EISDIR"


def test_rename_keeps_the_array_and_who_has_it_open(sa, either):
    array = sa.create("x", 3)
    with open(either / "x", "r+b", buffering=0) as file:
        os.rename(either / "x", either / "y")
        array[0] = 5
        assert os.pread(file.fileno(), 8, 0) == array[:1].tobytes()
        assert os.fstat(file.fileno()).st_size == 24
    assert os.listdir(either) == ["y"]
    assert sa.attach("y").tolist() == [5, 0, 0]


def test_rename_replaces_an_array(sa, either):
    sa.create("x", 3)[:] = 1
    old = sa.create("y", 4)
    with open(either / "y", "rb") as file:
        os.rename(either / "x", either / "y")
        assert len(file.read()) == 32
    assert (sa.attach("y").tolist(), old.tolist()) == ([1, 1, 1], [0, 0, 0, 0])


def test_rename_noreplace(sa, either, renameat2, errno_of):
    sa.create("x", 3)
    sa.create("y", 4)
    assert errno_of(renameat2, either / "x", either / "y", "noreplace") == "EEXIST"
    assert errno_of(renameat2, either / "x", either / "z", "noreplace") is None
    assert sorted(os.listdir(either)) == ["y", "z"]


def test_rename_exchange(sa, either, renameat2, foreign, errno_of):
    sa.create("x", 3)
    sa.create("y", 4)
    renameat2(either / "x", either / "y", "exchange")
    assert [os.stat(either / name).st_size for name in "xy"] == [32, 24]
    assert [sa.attach(name).shape for name in "xy"] == [(4,), (3,)]
    assert errno_of(renameat2, either / "x", either / "foreign", "exchange") == "ENOENT"


def test_moves_between_groups(sa, store, either):
    sa.create("x", 3)
    os.makedirs(either / "a" / "b")
    os.rename(either / "x", either / "a" / "b" / "x")
    os.rename(either / "a" / "b", either / "c")
    assert os.listdir(either / "c") == ["x"]
    assert os.stat(either / "c" / "x").st_size == 24
    os.rename(either / "c" / "x", either / "y")
    assert store.names() == ["a", "c", "y"]


def test_open_array_survives_the_rename_of_its_group(sa, either):
    os.mkdir(either / "a")
    sa.create("shm://a/x", 3)[:] = 1
    with open(either / "a" / "x", "rb", buffering=0) as file:
        os.rename(either / "a", either / "b")
        assert len(file.read()) == 24
        assert os.fstat(file.fileno()).st_size == 24


def test_group_that_is_held_is_found_under_its_new_name(sa, either):
    os.mkdir(either / "a")
    sa.create("shm://a/x", 3)
    held = os.open(either / "a", os.O_RDONLY | os.O_DIRECTORY)
    os.rename(either / "a", either / "b")
    assert os.stat("x", dir_fd=held).st_size == 24
    assert os.listdir(held) == ["x"]
    os.close(held)


def test_mkdir_and_rmdir(store, either, errno_of):
    before = os.umask(0o027)
    try:
        os.mkdir(either / "group", 0o777)
    finally:
        os.umask(before)
    made = os.stat(store / "group")
    assert (made.st_mode, made.st_uid) == (stat.S_IFDIR | 0o750, os.geteuid())
    (store / "group" / "foreign").touch()
    assert errno_of(os.rmdir, either / "group") == "ENOTEMPTY"
    (store / "group" / "foreign").unlink()
    os.rmdir(either / "group")
    assert store.names() == []


def test_setgid_directory_hands_its_group_down(store, either):
    os.mkdir(store / "group")
    os.chown(store / "group", 0, 1234)
    os.chmod(store / "group", 0o2775)
    os.mkdir(either / "group" / "inner")
    made = os.stat(store / "group" / "inner")
    assert made.st_gid == 1234
    assert made.st_mode & stat.S_ISGID


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (os.symlink, ["x", "new"]),
        (os.link, ["x", "new"]),
        (os.mkfifo, ["new"]),
        (os.mknod, ["new", stat.S_IFCHR | 0o600, os.makedev(1, 3)]),
        (os.rename, ["x", "#x"]),
        (os.mkdir, ["#x"]),
    ],
    ids=["symlink", "link", "mkfifo", "mknod", "rename-hidden", "mkdir-hidden"],
)
def test_refused(sa, store, either, errno_of, call, arguments):
    sa.create("x", 3)
    names = [either / a if isinstance(a, str) else a for a in arguments]
    assert errno_of(call, *names) == "EPERM"
    assert store.names() == ["x"]


@pytest.mark.parametrize("name", ["a,b", "a b", "a\nb", "ä€😀", "n" * 255, b"\xff\xfe"], ids=repr)
def test_any_name_can_be_renamed_and_deleted(sa, store, either, name):
    sa.create("x", 3)
    path = os.path.join(os.fsencode(either), os.fsencode(name))
    os.rename(either / "x", path)
    assert os.listdir(os.fsencode(store)) == [os.fsencode(name)]
    os.unlink(path)
    assert store.names() == []
