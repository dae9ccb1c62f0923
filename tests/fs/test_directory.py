# SPDX-License-Identifier: BSD-3-Clause
"""What the mounted directory shows, and what it hides."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import subprocess
import threading

import numpy as np
import pytest
from support.wait import soon

pytestmark = pytest.mark.fuse

HIDDEN = ".sharr~" + "0123abcdef" * 4  # as lib/staging.c names a file in the making


def test_only_arrays_and_groups_are_listed(sa, store, either):
    sa.create("x", 3)
    os.mkdir(store / "group")
    (store / "foreign").write_bytes(b"no array" * 1000)
    (store / "empty").touch()
    os.symlink("x", store / "link")
    os.mkfifo(store / "fifo")
    os.mknod(store / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(store / "socket"))
    assert sorted(os.listdir(either)) == ["group", "x"]


@pytest.mark.parametrize("name", ["foreign", "link", "fifo", "#x", HIDDEN])
def test_what_is_hidden_is_not_found_either(sa, store, either, errno_of, name):
    (store / "foreign").write_bytes(b"no array" * 1000)
    os.mkfifo(store / "fifo")
    sa.create("x", 3)
    os.symlink("x", store / "link")
    for hidden in ("#x", HIDDEN):
        os.link(store / "x", store / hidden)
    assert os.listdir(either) == ["x"]
    assert errno_of(os.stat, either / name) == "ENOENT"
    assert errno_of(os.open, either / name, os.O_RDONLY) == "ENOENT"


def test_stat_tells_the_data_and_the_rest_as_the_store(sa, store, either):
    sa.create("x", (7, 5))
    os.chmod(store / "x", 0o640)
    os.chown(store / "x", 12, 34)
    os.utime(store / "x", ns=(5, 7))
    seen, true = os.stat(either / "x"), os.stat(store / "x")
    assert seen.st_size == 7 * 5 * 8 < true.st_size
    for field in ("st_mode", "st_uid", "st_gid", "st_nlink", "st_mtime_ns", "st_ctime_ns"):
        assert getattr(seen, field) == getattr(true, field)


def test_groups_hold_arrays(sa, store, either):
    os.makedirs(store / "a" / "b")
    sa.create("shm://a/b/x", 3)
    assert os.listdir(either / "a") == ["b"]
    assert os.listdir(either / "a" / "b") == ["x"]
    assert os.stat(either / "a" / "b" / "x").st_size == 24


@pytest.mark.parametrize(
    "name", ["a,b", "a b", "a\nb", "a:b", "[ab]", "ä€😀", "n" * 255, "...", b"\xff\xfe"], ids=repr
)
def test_any_name_shows(sa, either, name):
    sa.create(name, 3)
    assert [os.fsencode(n) for n in os.listdir(either)] == [os.fsencode(name)]
    assert os.stat(os.path.join(os.fsencode(either), os.fsencode(name))).st_size == 24


def test_name_that_is_too_long_says_so(either, errno_of):
    assert errno_of(os.stat, either / ("n" * 256)) == "ENAMETOOLONG"


def test_rewound_directory_is_read_anew(sa, either):
    sa.create("x", 3)
    folder = os.open(either, os.O_RDONLY)
    assert os.listdir(folder) == ["x"]
    sa.create("y", 3)
    assert sorted(os.listdir(folder)) == ["x", "y"]
    os.close(folder)


def test_each_array_is_listed_once_while_others_come_and_go(sa, store, either):
    fixed = {f"fixed-{i:04}" for i in range(3000)}  # more than one getdents fetches
    for name in fixed:
        sa.create(name, 1)
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            for name in ("fixed-0001", "other"):
                sa.create("new", 1)
                os.rename(store / "new", store / name)  # takes the newest place in the directory
            sa.delete("other")

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        for _ in range(20):
            names = os.listdir(either)
            assert len(names) == len(set(names))
            # What is replaced meanwhile may be missing: the store itself lists it so.
            assert fixed - {"fixed-0001"} <= set(names) <= fixed | {"other", "new"}
    finally:
        stop.set()
        disturber.join()


def test_ls_and_find_agree(sa, store, either):
    os.mkdir(store / "group")
    for name in ("x", "group/y"):
        sa.create(f"shm://{name}", 3)
    found = subprocess.run(
        ["find", str(either), "-type", "f", "-size", "24c", "-printf", "%P\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(found.stdout.split()) == ["group/y", "x"]


def test_statfs_is_the_store(store, either):
    seen, true = os.statvfs(either), os.statvfs(store)
    assert (seen.f_blocks, seen.f_bsize, seen.f_namemax) == (true.f_blocks, true.f_bsize, 255)


def test_symlink_in_place_of_a_group_is_not_followed(sa, store, area, either, errno_of):
    os.mkdir(store / "group")
    sa.create("shm://group/x", 3)
    held = os.open(either / "group", os.O_RDONLY | os.O_DIRECTORY)
    (area / "elsewhere").mkdir()
    os.rename(store / "group", store / "moved")
    os.symlink(area / "elsewhere", store / "group")
    sa.create(f"file://{area}/elsewhere/x", 3)
    assert errno_of(os.open, "x", os.O_RDONLY, dir_fd=held) in ("ENOENT", "ESTALE")
    soon(lambda: errno_of(os.stat, either / "group") == "ENOENT")
    os.close(held)


def test_a_sparse_array_stays_sparse_when_it_is_read(sa, store, either):
    sa.create("x", 1 << 20, reserve=False)
    blocks = os.stat(store / "x").st_blocks
    assert (either / "x").read_bytes() == bytes(8 << 20)
    assert os.stat(store / "x").st_blocks == blocks


@pytest.mark.passthrough
def test_a_file_that_its_owner_has_leased_hides_no_other(sa, store, direct):
    """The lease makes each who opens it wait: it is left out, and what is beside it is not."""
    for name in "xyz":
        sa.put(name, np.arange(3))
    fd = os.open(store / "y", os.O_RDWR)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # by which the kernel asks for it
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert sorted(os.listdir(direct)) == ["x", "z"]
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        assert sorted(os.listdir(direct)) == ["x", "y", "z"]
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, signal.SIG_DFL)


@pytest.mark.passthrough
def test_listed_while_somebody_asks_what_is_in_use(direct, python):
    """reap() has a lease on each array for a moment."""
    maker = python()
    maker.run("for i in range(50): sa.put(f'x{i}', [i])")
    maker.kill()
    reaper = python()
    reaper.start("[len(sa.reap(dead_creator=True, dry_run=True)) for _ in range(60)]")
    for _ in range(60):
        assert len(os.listdir(direct)) == 50
    assert reaper.result() == [50] * 60


def test_descriptor_of_a_group_that_was_made_again_finds_nothing(store, either, errno_of):
    """Looking again does not help who came through a descriptor: there is none, and no ESTALE."""
    os.mkdir(store / "group")
    group = os.open(either / "group", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.rmdir(store / "group")
        os.mkdir(store / "group")
        for i in range(300):  # for longer than the kernel keeps attributes
            assert errno_of(lambda: os.close(os.open("x", os.O_RDONLY, dir_fd=group))) == "ENOENT"
            assert errno_of(os.stat, "x", dir_fd=group) == "ENOENT"
            assert errno_of(os.unlink, "x", dir_fd=group) == "ENOENT"
            assert errno_of(os.rename, "x", "y", src_dir_fd=group, dst_dir_fd=group) == "ENOENT"
            if i % 10 == 0:
                os.stat(either / "group")  # which there is, by its name
    finally:
        os.close(group)


@pytest.mark.parametrize("end", ["removed", "replaced"])
def test_directory_that_is_gone_lives_on_for_who_is_in_it(either, errno_of, end):
    """As in the store: it has no link any more and lists nothing, and nothing is made in it."""
    os.mkdir(either / "group", 0o750)
    group = os.open(either / "group", os.O_RDONLY | os.O_DIRECTORY)
    try:
        was = os.fstat(group)
        if end == "removed":
            os.rmdir(either / "group")
        else:
            os.mkdir(either / "other")
            os.rename(either / "other", either / "group")
        now = os.fstat(group)
        assert (now.st_ino, now.st_mode, now.st_nlink) == (was.st_ino, was.st_mode, 0)
        assert os.listdir(group) == []
        listed = subprocess.run(["ls", "-A"], cwd=f"/proc/self/fd/{group}", pass_fds=[group])
        assert listed.returncode == 0
        for make in (os.mkdir, lambda name, dir_fd: os.open(name, os.O_CREAT, dir_fd=dir_fd)):
            assert errno_of(make, "x", dir_fd=group) == "ENOENT"
        if end == "replaced":
            assert os.stat(either / "group").st_nlink > 0
    finally:
        os.close(group)
