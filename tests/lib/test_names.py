# SPDX-License-Identifier: BSD-3-Clause
"""Which names there are, what they stand for, and which are refused, and how."""

from __future__ import annotations

import os
from errno import EBADMSG, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR

import pytest
from lib.clib import refused

ODD = [
    *("a", "a b", " ", "x:y", "[1]", "a]b", ".hidden", "_x", "-rf", "...", "..x", "x..", "a\nb"),
    *("shm:", "file:", "shm:x", "a%2fb", "~", "*", "\\", "'\"", "grün", "数組", "#1", "x" * 255),
    *(b"\xff\xfe", b"\x80", b"caf\xe9", "é".encode() * 127),
]

REFUSED = [
    *("", "/", "//", ".", "..", "/.", "/..", "shm://", "shm:///", "shm://.", "shm://.."),
    *("../x", "g/../x", "g/./x", "./x", "g//x", "x/", "g/", "g/.", "g/..", "shm://../x"),
    *("shm://g/../x", "shm://g//x", "foo://x", "http://x", "SHM://x", "File://x", "foo:///x"),
    *("file://", "file:///", "file://.", "file://..", "file://x/", "file:///tmp/"),
    *("file:///tmp/.", "file:///tmp/.."),
]


@pytest.mark.parametrize("name", ODD, ids=repr)
def test_any_bytes_make_a_name(c, store, name):
    c.create(name)
    assert store.names() == [os.fsdecode(name)]
    assert c.names() == [os.fsdecode(name)]
    assert c.attach(name).info.name == os.fsdecode(name)
    c.delete(name)
    assert store.names() == []


@pytest.mark.parametrize("name", ["x", "/x", "//x", "shm://x", "shm:///x"])
def test_spellings_of_one_name(c, store, name):
    c.create(name)
    assert store.names() == ["x"]
    assert c.attach(name).info.name == name
    c.delete(name)


@pytest.mark.parametrize("name", REFUSED, ids=repr)
def test_refused(c, store, name):
    (store / "g").mkdir()
    for call in (c.create, c.attach, c.stat, c.delete, c.prepare):
        with refused(EINVAL):
            call(name)
    assert store.names() == ["g"]


@pytest.mark.parametrize("name", ["x" * 256, "g/" + "x" * 256, "x" * 256 + "/y", b"\xff" * 256])
def test_component_of_256_bytes_is_too_long(c, store, name):
    (store / "g").mkdir()
    for call in (c.create, c.attach, c.delete):
        with refused(ENAMETOOLONG):
            call(name)


def test_path_longer_than_the_kernel_takes(c, area):
    for name in ("file://" + "d/" * 3000 + "x", f"file://{area}/" + "x" * 256):
        with refused(ENAMETOOLONG):
            c.create(name)


def test_many_groups_deep(c, store):
    groups = "/".join(["d" * 255] * 20)  # longer than PATH_MAX: walked one by one
    fd = os.open(store, os.O_PATH)
    for part in groups.split("/"):
        os.mkdir(part, dir_fd=fd)
        inner = os.open(part, os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    c.create(f"{groups}/x").data[:] = 7
    assert c.attach(f"shm://{groups}/x").data[0] == 7
    assert c.names(groups) == [f"{groups}/x"]


@pytest.mark.parametrize("name", ["g/x", "/g/x", "shm://g/x", "shm:///g/x"])
def test_group(c, store, name):
    (store / "g").mkdir()
    c.create(name)
    assert os.listdir(store / "g") == ["x"]
    assert c.names() == []
    assert c.names("g") == ["g/x"]
    c.delete("g/x")
    assert os.listdir(store / "g") == []


def test_group_must_exist(c, store):
    for call in (c.create, c.attach, c.delete, c.stat, c.list):
        with pytest.raises(FileNotFoundError):
            call("g/x")
    assert store.names() == []


def test_group_that_is_a_file(c):
    c.create("g")
    for call in (c.create, c.attach, c.delete):
        with refused(ENOTDIR):
            call("g/x")


def test_group_through_a_symlink_is_refused(c, area, store):
    c.create(f"file://{area}/x")
    (store / "g").symlink_to(area)
    for call in (c.create, c.attach, c.delete, c.stat):
        with refused(ENOTDIR):
            call("g/x")
    assert (area / "x").exists()


def test_list_of_a_group_through_a_symlink_is_refused(c, area, store):
    c.create(f"file://{area}/x")
    (store / "g").symlink_to(area)
    with refused(ENOTDIR):
        c.list("g")


@pytest.mark.parametrize("group", ["..", ".", "g/..", "g//h", "g/", "http://g"])
def test_refused_group(c, store, group):
    (store / "g").mkdir()
    with refused(EINVAL):
        c.list(group)


def test_store_itself_may_be_a_symlink(c, area, store, monkeypatch):
    (area / "link").symlink_to(store.path)
    monkeypatch.setenv("SHARR_STORE", f"{area}/link/")
    c.create("x")
    assert store.names() == ["x"]


def test_store_of_the_environment_is_looked_up_each_time(c, store, monkeypatch):
    c.create("x")
    second = store()
    monkeypatch.setenv("SHARR_STORE", str(second))
    c.create("y")
    assert (store.names(), second.names()) == (["x"], ["y"])


def test_store_that_does_not_exist_is_named(c, area, monkeypatch):
    monkeypatch.setenv("SHARR_STORE", f"{area}/gone")
    for call in (c.create, c.attach, c.delete, c.stat):
        with pytest.raises(FileNotFoundError) as caught:
            call("x")
        assert f"{area}/gone" in caught.value.strerror
    with pytest.raises(FileNotFoundError, match=f"{area}/gone"):
        c.list()


def test_file_by_absolute_path(c, area, store):
    c.create(f"file://{area}/x").data[:] = 5
    assert c.attach(f"file://{area}/x").data[0] == 5
    assert sorted(os.listdir(area)) == sorted(["x", store.path.name])
    assert c.names() == []


def test_file_by_relative_path(c, area, monkeypatch):
    (area / "d").mkdir()
    monkeypatch.chdir(area)
    c.create("file://x")
    c.create("file://d/x")
    c.create("file://./y")
    assert (area / "x").exists()
    assert (area / "d" / "x").exists()
    assert (area / "y").exists()


def test_file_path_may_go_up(c, area, monkeypatch):
    (area / "d").mkdir()
    monkeypatch.chdir(area / "d")
    c.create("file://../x")
    c.attach(f"file://{area}/d/../x")
    assert (area / "x").exists()


def test_file_in_a_missing_folder(c, area):
    with refused(ENOENT):
        c.create(f"file://{area}/none/x")


def test_file_through_a_symlink_is_attached(c, area):
    c.create(f"file://{area}/x").data[:] = 3
    (area / "link").symlink_to("x")
    assert c.attach(f"file://{area}/link").data[0] == 3


def test_file_path_leads_through_a_symlink(c, area):
    (area / "d").mkdir()
    (area / "link").symlink_to("d")
    c.create(f"file://{area}/link/x")
    assert (area / "d" / "x").exists()


def test_file_symlink_is_not_deleted(c, area):
    c.create(f"file://{area}/x")
    (area / "link").symlink_to("x")
    with refused(EBADMSG):
        c.delete(f"file://{area}/link")
    assert (area / "link").is_symlink()


def test_file_in_the_root_folder(c):
    with pytest.raises(FileNotFoundError):
        c.attach("file:///sharr-test-no-such-file")
    with pytest.raises(FileNotFoundError):
        c.delete("file:////sharr-test-no-such-file")
