# SPDX-License-Identifier: BSD-3-Clause
"""Bad input that somebody plants in the store, or does to it, while it is mounted."""

from __future__ import annotations

import errno
import mmap
import os
import re
import socket
import stat
import threading
import time

import numpy as np
import pytest
from support.area import detach_mount
from support.tracing import traced
from support.wait import wait_for

pytestmark = pytest.mark.fuse

SECONDS = 2.0
WAYS = {
    "stat": os.stat,
    "open": lambda path: os.open(path, os.O_RDONLY),
    "write": lambda path: os.open(path, os.O_RDWR),
    "list": os.listdir,
    "chmod": lambda path: os.chmod(path, 0o777),
    "utime": os.utime,
    "truncate": lambda path: os.truncate(path, 0),
    "getxattr": lambda path: os.getxattr(path, "user.sharr.npy"),
    "setxattr": lambda path: os.setxattr(path, "user.sharr.dtype", b"|u1"),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "rename": lambda path: os.rename(path, path.parent / "elsewhere"),
}


@pytest.fixture
def outside(sa, area):
    """An array and a directory that no way leads to from the store."""
    (area / "outside").mkdir()
    sa.put(f"file://{area}/outside/x", np.arange(5))
    return area / "outside"


def plant(kind, path, outside):
    if kind == "symlink to an array":
        path.symlink_to("x")
    elif kind == "symlink to an array outside":
        path.symlink_to(outside / "x")
    elif kind == "symlink to a directory":
        path.symlink_to("group")
    elif kind == "symlink to a directory outside":
        path.symlink_to(outside)
    elif kind == "symlink to itself":
        path.symlink_to(path.name)
    elif kind == "symlink to nothing":
        path.symlink_to("nothing")
    elif kind == "symlink to the mount's own parent":
        path.symlink_to("..")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif kind == "block device":
        os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(7, 200))
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))


KINDS = [
    *("symlink to an array", "symlink to an array outside", "symlink to a directory"),
    *("symlink to a directory outside", "symlink to itself", "symlink to nothing"),
    *("symlink to the mount's own parent", "fifo", "device", "block device", "socket"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_reaches_what_is_neither_array_nor_group(
    sa, store, either, outside, errno_of, kind
):
    sa.put("x", np.arange(3))
    os.mkdir(store / "group")
    plant(kind, store / "planted", outside)
    before = os.lstat(store / "planted")
    got = {way: errno_of(call, either / "planted") for way, call in WAYS.items()}
    assert got == dict.fromkeys(WAYS, "ENOENT")
    for taken in (lambda p: os.rename(either / "x", p), os.mkdir, lambda p: open(p, "xb").close()):
        assert errno_of(taken, either / "planted") == "EEXIST"
    assert sorted(os.listdir(either)) == ["group", "x"]
    after = os.lstat(store / "planted")
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert sa.copy(f"file://{outside}/x").tolist() == list(range(5))


def test_planted_below_a_group_that_is_walked(sa, store, either, outside, errno_of):
    (store / "link").symlink_to(outside)
    assert errno_of(os.stat, either / "link" / "x") == "ENOENT"
    os.mkdir(store / "group")
    (store / "group" / "up").symlink_to("../..")
    assert errno_of(os.stat, either / "group" / "up" / "x") == "ENOENT"


def test_dots_lead_nowhere_else(sa, store, either, errno_of):
    sa.put("x", np.arange(3))
    os.mkdir(store / "group")
    assert os.stat(either / "group" / ".." / "x").st_size == 24
    above = os.path.join(either, "group", "..", "..")
    assert os.stat(above).st_ino == os.stat(os.path.dirname(either)).st_ino
    assert errno_of(os.rename, either / "x", os.path.join(either, "..")) is not None
    assert errno_of(os.mkdir, os.path.join(either, "group", "..")) == "EEXIST"
    assert store.names() == ["group", "x"]


def test_hard_links_are_arrays_of_their_own_name(sa, store, either):
    a = sa.create("x", 3)
    os.link(store / "x", store / "y")
    assert [os.stat(either / n).st_nlink for n in "xy"] == [2, 2]
    with open(either / "y", "r+b", buffering=0) as file, open(either / "x", "rb") as other:
        file.write(np.float64(7).tobytes())
        assert np.frombuffer(other.read(8)).tolist() == [7]
    os.setxattr(either / "x", "user.sharr.dtype", b"<i8")
    assert either.xattr("dtype", "y") == "<i8"
    os.unlink(either / "x")
    assert (a[0], os.listdir(either), os.stat(either / "y").st_nlink) == (7, ["y"], 1)


def test_hard_link_to_a_foreign_file_outside_stays_hidden(store, area, either, errno_of):
    (store / "group").mkdir()
    (store / "group" / "secret").write_bytes(b"s" * 100)
    os.link(store / "group" / "secret", store / "planted")
    assert errno_of(os.open, either / "planted", os.O_RDONLY) == "ENOENT"


@pytest.fixture
def meanwhile():
    """meanwhile(call): again and again in a thread, until the test ends."""
    stop, threads = threading.Event(), []

    def start(call):
        def loop():
            while not stop.is_set():
                call()

        threads.append(threading.Thread(target=loop))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def again_and_again(call, seconds=SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        call()


def test_group_that_is_swapped_for_a_symlink_meanwhile(
    sa, store, either, outside, renameat2, meanwhile
):
    """What is outside is never read, written, listed or removed, whatever the moment."""
    os.mkdir(store / "group")
    sa.put("shm://group/x", np.arange(3))
    (store / "link").symlink_to(outside)
    meanwhile(lambda: renameat2(store / "link", store / "group", "exchange"))
    wrong = []

    def try_all():
        group = either / "group"
        for call in (
            lambda: wrong.extend(np.fromfile(group / "x", int)[3:]),
            lambda: wrong.extend({*os.listdir(group)} - {"x", "made", "moved", "inner"}),
            lambda: (group / "made").open("xb").close(),
            lambda: os.rename(group / "made", group / "moved"),
            lambda: os.mkdir(group / "inner"),
            lambda: os.rmdir(group / "inner"),
            lambda: os.unlink(group / "moved"),
            lambda: os.chmod(group / "x", 0o640),
        ):
            try:
                call()
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.EEXIST, errno.ESTALE):
                    wrong.append(error)

    again_and_again(try_all)
    assert not wrong
    assert os.listdir(outside) == ["x"]
    assert stat.S_IMODE(os.stat(outside / "x").st_mode) != 0o640


def test_foreign_file_that_becomes_an_array_and_back(sa, store, either, meanwhile, errno_of):
    sa.put("array", np.arange(1000))
    (store / "foreign").write_bytes(b"no array" * 1000)
    whole = (store / "array").read_bytes()

    def flip():
        for text in (whole, b"no array" * 1000):
            (store / "new").write_bytes(text)
            os.rename(store / "new", store / "x")
        with open(store / "x", "r+b") as file:  # in place, half by half
            file.write(whole[:4000])
            file.write(whole[4000:])

    meanwhile(flip)

    def look():
        try:
            size = os.stat(either / "x").st_size
            with open(either / "x", "rb", buffering=0) as file:
                data = file.read()
        except FileNotFoundError:
            return
        assert (size, len(data)) == (8000, 8000)

    again_and_again(look)


@pytest.mark.parametrize("sparse", [False, True])
def test_array_that_is_truncated_while_it_is_read(sa, store, either, meanwhile, errno_of, sparse):
    """The daemon reads from a map; what is not there any more is missing, and nobody dies."""
    count = 1 << 20
    a = sa.create("x", count, "u1", reserve=not sparse)
    a[:] = 7
    del a
    whole = (store / "x").read_bytes()
    size = len(whole)

    def cut():
        os.truncate(store / "x", 5000)
        os.truncate(store / "x", size)
        with open(store / "x", "r+b", buffering=0) as file:
            file.write(whole)

    data = []
    with open(either / "x", "rb", buffering=0) as file:
        meanwhile(cut)

        def read():
            code = errno_of(lambda: data.append(os.pread(file.fileno(), count, 0)))
            assert code in (None, "EIO")  # EIO: a page went while the kernel copied it
            assert set(b"".join(data)) <= {0, 7}
            data.clear()

        again_and_again(read)
    (pid,) = either.pids()
    assert pid == either.process.pid


def test_file_that_was_truncated_is_not_made_longer(sa, store, either, errno_of):
    sa.put("x", np.full(1 << 16, 7, "u1"))
    with open(either / "x", "r+b", buffering=0) as file:
        os.truncate(store / "x", 5000)
        assert errno_of(os.posix_fallocate, file.fileno(), 0, 1 << 16) == "EFBIG"
        assert errno_of(os.pwrite, file.fileno(), b"abc", 6000) == "EFBIG"
        assert errno_of(os.posix_fallocate, file.fileno(), 0, 5000) is None
    assert os.stat(store / "x").st_size == 5000


def test_map_of_an_array_that_is_truncated(sa, store, either):
    """Its own process gets SIGBUS there, as in the store; the daemon goes on."""
    sa.put("x", np.full(1 << 16, 7, "u1"))
    with open(either / "x", "rb") as file:
        view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        assert view[:10] == b"\7" * 10
        os.truncate(store / "x", 0)
    assert os.listdir(either) == []
    view.close()


def test_store_directory_that_is_removed(area, mount, errno_of):
    folder = area / "plain"
    folder.mkdir()
    mounted = mount(folder)
    folder.rmdir()
    assert os.listdir(mounted) == []
    assert errno_of(os.stat, mounted / "x") == "ENOENT"
    assert errno_of(os.mkdir, mounted / "group") == "ENOENT"
    code = errno_of(os.open, mounted / "x", os.O_CREAT | os.O_WRONLY)
    assert code in ("ENOENT", "EPERM")  # ext4 calls a nameless file in no directory that


def test_store_directory_that_is_renamed_stays_the_store(sa, area, mount):
    folder = area / "plain"
    folder.mkdir()
    mounted = mount(folder)
    folder.rename(area / "other")
    folder.mkdir()
    sa.put(f"file://{area}/other/x", np.arange(3))
    assert np.fromfile(mounted / "x", int).tolist() == [0, 1, 2]


def test_store_that_is_unmounted_lives_as_long_as_its_mount(sa, store, either):
    sa.put("x", np.arange(3))
    detach_mount(store)
    assert os.listdir(either) == ["x"]
    with open(either / "y", "xb") as file:
        file.write(b"abc")
    assert wait_for(lambda: sorted(os.listdir(either))) == ["x", "y"]
    assert np.fromfile(either / "x", int).tolist() == [0, 1, 2]


@pytest.mark.release_only
@pytest.mark.parametrize(("options", "straight"), [("nodev", True), ("dev", False)])
def test_straight_only_where_no_device_can_be(sa, store, mount, area, options, straight):
    """A name may become a device's at any moment, which opening it would wake."""
    other = store(options=options)
    mounted = mount(other)
    for name in "xyz":
        sa.put(f"file://{other}/{name}", np.arange(3))
    trace = area / "trace"
    with traced(mounted, trace, "trace=openat"):
        assert sorted(os.listdir(mounted)) == ["x", "y", "z"]
    opened = [line for line in trace.read_text().splitlines() if re.search(r', "[xyz]", ', line)]
    assert len(opened) == 3
    assert ["O_PATH" in line for line in opened] == [not straight] * 3
