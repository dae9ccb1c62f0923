# SPDX-License-Identifier: BSD-3-Clause
"""Every operation on what is there: a table of calls, what comes of them, and what changes.

The tree is x and y (arrays of 8192 bytes, 1 and 2), empty (an array of none), group with z in it,
bare (an empty group), and foreign, which the mount does not show, beside them and in `full`.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import socket
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.build import native_environment
from support.wait import soon

pytestmark = pytest.mark.fuse

SIZE = 8192
KEEP, PUNCH, COLLAPSE, ZERO, INSERT, UNSHARE = 1, 2, 8, 16, 32, 64
LIBC = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534


def fallocate(fd, mode, offset, count):
    arguments = [
        ctypes.c_int(fd),
        ctypes.c_int(mode),
        ctypes.c_int64(offset),
        ctypes.c_int64(count),
    ]
    if LIBC.fallocate(*arguments):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def bind(path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.fixture
def tree(sa, store, either):
    for folder in ("group", "bare", "full"):
        os.mkdir(store / folder)
    for value, name in enumerate(("x", "y", "group/z"), 1):
        sa.put(f"shm://{name}", np.full(SIZE, value, "u1"))
    sa.put("empty", np.zeros(0))
    for folder in (store.path, store / "full"):
        (folder / "foreign").write_bytes(b"no array" * 1000)
    return either


@pytest.fixture
def fds(tree):
    """fds("x", os.O_RDWR): a descriptor, closed at the end."""
    opened = []

    def open_it(name, flags=os.O_RDONLY):
        opened.append(os.open(tree / name, flags))
        return opened[-1]

    yield open_it
    for fd in opened:
        os.close(fd)


def snapshot(store):
    """All that lies in the store, with data; times, which looking changes, apart."""
    found = {}
    for folder, _, names in os.walk(store):
        for path in [Path(folder), *(Path(folder) / name for name in names)]:
            seen = os.lstat(path)
            data = path.read_bytes() if stat.S_ISREG(seen.st_mode) else b""
            found[path] = (seen.st_ino, seen.st_mode, seen.st_uid, seen.st_gid, data)
    return found


# What is refused changes nothing

REFUSED = {
    "open absent": ("ENOENT", lambda m: os.open(m / "absent", os.O_RDWR)),
    "open foreign": ("ENOENT", lambda m: os.open(m / "foreign", os.O_RDWR)),
    "open group for writing": ("EISDIR", lambda m: os.open(m / "group", os.O_RDWR)),
    "open as a directory": ("ENOTDIR", lambda m: os.open(m / "x", os.O_DIRECTORY)),
    "open below an array": ("ENOTDIR", lambda m: os.open(m / "x/y", os.O_RDONLY)),
    "create below nothing": ("ENOENT", lambda m: os.open(m / "no/y", os.O_CREAT | os.O_RDWR)),
    "create exclusively": ("EEXIST", lambda m: os.open(m / "x", os.O_CREAT | os.O_EXCL)),
    "create on a group": ("EISDIR", lambda m: os.open(m / "group", os.O_CREAT | os.O_RDWR)),
    "create on foreign": ("EEXIST", lambda m: os.open(m / "foreign", os.O_CREAT | os.O_RDWR)),
    "O_TRUNC": ("EPERM", lambda m: os.open(m / "x", os.O_RDWR | os.O_TRUNC)),
    "O_TRUNC to read": ("EPERM", lambda m: os.open(m / "x", os.O_RDONLY | os.O_TRUNC)),
    "O_CREAT and O_TRUNC": ("EPERM", lambda m: os.open(m / "x", os.O_CREAT | os.O_TRUNC | 1)),
    "O_TMPFILE": ("ENOTSUP", lambda m: os.open(m / "group", os.O_TMPFILE | os.O_RDWR)),
    "truncate": ("EPERM", lambda m: os.truncate(m / "x", 0)),
    "truncate longer": ("EPERM", lambda m: os.truncate(m / "x", SIZE + 1)),
    "truncate empty": ("EPERM", lambda m: os.truncate(m / "empty", 1)),
    "truncate group": ("EISDIR", lambda m: os.truncate(m / "group", 0)),
    "unlink absent": ("ENOENT", lambda m: os.unlink(m / "absent")),
    "unlink group": ("EISDIR", lambda m: os.unlink(m / "group")),
    "rmdir array": ("ENOTDIR", lambda m: os.rmdir(m / "x")),
    "rmdir absent": ("ENOENT", lambda m: os.rmdir(m / "absent")),
    "rmdir full": ("ENOTEMPTY", lambda m: os.rmdir(m / "group")),
    "rmdir with foreign": ("ENOTEMPTY", lambda m: os.rmdir(m / "full")),
    "rmdir mount": ("EBUSY", lambda m: os.rmdir(m)),
    "mkdir on array": ("EEXIST", lambda m: os.mkdir(m / "x")),
    "mkdir on group": ("EEXIST", lambda m: os.mkdir(m / "group")),
    "mkdir on foreign": ("EEXIST", lambda m: os.mkdir(m / "foreign")),
    "mkdir below nothing": ("ENOENT", lambda m: os.mkdir(m / "no/new")),
    "rename absent": ("ENOENT", lambda m: os.rename(m / "absent", m / "new")),
    "rename foreign": ("ENOENT", lambda m: os.rename(m / "foreign", m / "new")),
    "rename to foreign": ("EEXIST", lambda m: os.rename(m / "x", m / "foreign")),
    "rename to group": ("EISDIR", lambda m: os.rename(m / "x", m / "bare")),
    "rename group to array": ("ENOTDIR", lambda m: os.rename(m / "bare", m / "x")),
    "rename group to full": ("ENOTEMPTY", lambda m: os.rename(m / "bare", m / "group")),
    "rename to foreign ones": ("ENOTEMPTY", lambda m: os.rename(m / "bare", m / "full")),
    "rename into itself": ("EINVAL", lambda m: os.rename(m / "group", m / "group/new")),
    "rename below array": ("ENOTDIR", lambda m: os.rename(m / "y", m / "x/new")),
    "rename below nothing": ("ENOENT", lambda m: os.rename(m / "y", m / "no/new")),
    "rename to hidden": ("EPERM", lambda m: os.rename(m / "x", m / "#x")),
    "rename out": ("EXDEV", lambda m: os.rename(m / "x", m.store / "new")),
    "rename in": ("EXDEV", lambda m: os.rename(m.store / "x", m / "new")),
    "symlink": ("EPERM", lambda m: os.symlink("x", m / "new")),
    "link": ("EPERM", lambda m: os.link(m / "x", m / "new")),
    "link from outside": ("EXDEV", lambda m: os.link(m.store / "x", m / "new")),
    "fifo": ("EPERM", lambda m: os.mkfifo(m / "new")),
    "character device": ("EPERM", lambda m: os.mknod(m / "new", stat.S_IFCHR, 0x103)),
    "block device": ("EPERM", lambda m: os.mknod(m / "new", stat.S_IFBLK, 0x700)),
    "socket node": ("EPERM", lambda m: os.mknod(m / "new", stat.S_IFSOCK)),
    "socket": ("EPERM", lambda m: bind(m / "new")),
    "node on array": ("EEXIST", lambda m: os.mknod(m / "x", stat.S_IFREG)),
    "readlink": ("EINVAL", lambda m: os.readlink(m / "x")),
    "chmod absent": ("ENOENT", lambda m: os.chmod(m / "absent", 0o777)),
    "chmod foreign": ("ENOENT", lambda m: os.chmod(m / "foreign", 0o777)),
    "chown foreign": ("ENOENT", lambda m: os.chown(m / "foreign", 1, 1)),
    "utime foreign": ("ENOENT", lambda m: os.utime(m / "foreign")),
    "access foreign": ("ENOENT", lambda m: os.stat(m / "foreign")),
    "long name": ("ENAMETOOLONG", lambda m: os.mkdir(m / ("n" * 256))),
    "scandir of array": ("ENOTDIR", lambda m: os.scandir(m / "x")),
}


@pytest.mark.parametrize(("code", "attempt"), REFUSED.values(), ids=REFUSED)
def test_refused(store, tree, errno_of, code, attempt):
    before = snapshot(store)
    assert errno_of(attempt, tree) in {code, code.replace("ENOTSUP", "EOPNOTSUPP")}
    assert snapshot(store) == before


# (flags to open x with, the error, the call)
REFUSED_TO_A_DESCRIPTOR = {
    "write past": (os.O_RDWR, "EFBIG", lambda f: os.pwrite(f, b"z", SIZE)),
    "write far past": (os.O_WRONLY, "EFBIG", lambda f: os.pwrite(f, b"z", 1 << 40)),
    "append": (os.O_WRONLY | os.O_APPEND, "EFBIG", lambda f: os.write(f, b"z")),
    "write to a reader": (os.O_RDONLY, "EBADF", lambda f: os.write(f, b"z")),
    "read from a writer": (os.O_WRONLY, "EBADF", lambda f: os.read(f, 1)),
    "ftruncate shorter": (os.O_RDWR, "EPERM", lambda f: os.ftruncate(f, 1)),
    "ftruncate longer": (os.O_RDWR, "EPERM", lambda f: os.ftruncate(f, SIZE + 1)),
    "ftruncate by a reader": (os.O_RDONLY, "EINVAL", lambda f: os.ftruncate(f, SIZE)),
    "allocate past": (os.O_RDWR, "EFBIG", lambda f: fallocate(f, 0, 0, SIZE + 1)),
    "allocate past, kept": (os.O_RDWR, "EFBIG", lambda f: fallocate(f, KEEP, SIZE, 1)),
    "allocate overflowing": (os.O_RDWR, "EFBIG", lambda f: fallocate(f, 0, 1, (1 << 63) - 2)),
    "punch past": (os.O_RDWR, "EFBIG", lambda f: fallocate(f, KEEP | PUNCH, SIZE - 1, 2)),
    "zero past": (os.O_RDWR, "EFBIG", lambda f: fallocate(f, KEEP | ZERO, SIZE - 1, 2)),
    "collapse": (os.O_RDWR, "ENOTSUP", lambda f: fallocate(f, COLLAPSE, 0, 4096)),
    "insert": (os.O_RDWR, "ENOTSUP", lambda f: fallocate(f, INSERT, 0, 4096)),
    "allocate by a reader": (os.O_RDONLY, "EBADF", lambda f: fallocate(f, 0, 0, 1)),
    "seek data at the end": (os.O_RDONLY, "ENXIO", lambda f: os.lseek(f, SIZE, os.SEEK_DATA)),
    "seek hole past it": (os.O_RDONLY, "ENXIO", lambda f: os.lseek(f, 1 << 40, os.SEEK_HOLE)),
    "seek before": (os.O_RDONLY, "EINVAL", lambda f: os.lseek(f, -1, os.SEEK_SET)),
    "copy past": (os.O_RDWR, "EFBIG", lambda f: os.copy_file_range(f, f, 1, 0, SIZE)),
    "copy over itself": (os.O_RDWR, "EINVAL", lambda f: os.copy_file_range(f, f, 100, 0, 50)),
    "map a writer": (os.O_WRONLY, "EACCES", lambda f: mmap.mmap(f, SIZE, prot=mmap.PROT_READ)),
    "map a reader to write": (os.O_RDONLY, "EACCES", lambda f: mmap.mmap(f, SIZE)),
    "list": (os.O_RDONLY, "ENOTDIR", lambda f: os.listdir(f)),
}


@pytest.mark.parametrize(
    ("flags", "code", "attempt"), REFUSED_TO_A_DESCRIPTOR.values(), ids=REFUSED_TO_A_DESCRIPTOR
)
def test_refused_to_a_descriptor(store, fds, errno_of, flags, code, attempt):
    fd = fds("x", flags)
    before = snapshot(store)
    assert errno_of(attempt, fd) in {code, code.replace("ENOTSUP", "EOPNOTSUPP")}
    assert snapshot(store) == before


# Data


def test_statfs_of_a_file_is_the_store_s(sa, store, tree, fds):
    before = os.fstatvfs(fds("x"))
    assert (before.f_blocks, before.f_bsize) == (os.statvfs(store).f_blocks, 4096)
    sa.create("large", 1 << 20, "u1")
    assert 256 <= before.f_bfree - os.statvfs(tree / "group").f_bfree < 300


def test_write_of_nothing_past_the_end_is_nothing(fds):
    assert os.pwrite(fds("x", os.O_RDWR), b"", SIZE + 5) == 0


def test_holes_and_data(sa, tree, fds):
    array = sa.create("sparse", 1 << 20, "u1", reserve=False)
    array[300_000:300_010] = 1
    fd = fds("sparse")
    data = os.lseek(fd, 0, os.SEEK_DATA)
    assert 290_000 < data <= 300_000
    assert 300_010 <= os.lseek(fd, data, os.SEEK_HOLE) < 310_000
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
    assert os.lseek(fd, 5, os.SEEK_END) == (1 << 20) + 5


def test_hole_is_punched_within_the_data(sa, store, fds):
    fd = fds("x", os.O_RDWR)
    blocks = os.stat(store / "x").st_blocks
    fallocate(fd, KEEP | PUNCH, 0, 4096)
    assert os.stat(store / "x").st_blocks == blocks - 8
    fallocate(fd, 0, 0, SIZE)
    assert os.stat(store / "x").st_blocks == blocks
    array = sa.attach("x")
    assert array.tolist() == [0] * 4096 + [1] * 4096
    fallocate(fd, KEEP | PUNCH, SIZE - 1, 1)
    assert array[-2:].tolist() == [1, 0]
    assert sa.attach("x").shape == (SIZE,)


def test_copies_within_the_mount(sa, fds):
    source, target = fds("x"), fds("y", os.O_RDWR)
    assert os.copy_file_range(source, target, 100, 0, SIZE - 50) == 50
    assert os.copy_file_range(source, target, 1 << 20, 0, 0) == SIZE
    assert os.copy_file_range(source, target, 9, SIZE, 0) == 0
    assert sa.attach("y").tolist() == [1] * SIZE


def test_copies_from_and_to_the_outside(sa, area, tree):
    (area / "new").write_bytes(bytes(SIZE))
    for script in ('cp --reflink=auto "$m/x" out', 'dd if=new of="$m/x" conv=notrunc status=none'):
        environment = {**native_environment(), "m": str(tree)}
        subprocess.run(["sh", "-c", script], cwd=area, env=environment, check=True)
    assert (area / "out").read_bytes() == b"\1" * SIZE
    assert sa.attach("x").tolist() == [0] * SIZE
    with open(area / "new", "rb") as source, open(tree / "y", "r+b") as target:
        assert os.sendfile(target.fileno(), source.fileno(), 0, SIZE) == SIZE
    assert sa.attach("y").tolist() == [0] * SIZE


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR], ids=["reader", "writer"])
def test_private_map_is_its_own(sa, fds, flags):
    with mmap.mmap(fds("x", flags), SIZE, flags=mmap.MAP_PRIVATE) as view:
        view[0] = 9
        assert view[:2] == b"\x09\1"
    assert sa.attach("x")[0] == 1


def test_shared_map_of_a_reader(fds):
    with mmap.mmap(fds("x"), SIZE, prot=mmap.PROT_READ) as view:
        assert view[:] == b"\1" * SIZE


@pytest.mark.passthrough
def test_shared_map_of_a_writer(sa, store, direct):
    array = sa.create("x", SIZE, "u1")
    with open(direct / "x", "r+b") as file, mmap.mmap(file.fileno(), SIZE) as view:
        view[:] = b"\5" * SIZE
        view.flush()
        assert array.tolist() == [5] * SIZE


@pytest.mark.parametrize("prot", [mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE])
def test_fallback_has_no_shared_map_of_a_writer(sa, store, mount, errno_of, prot):
    sa.create("x", SIZE, "u1")
    with open(mount(store, "io=fallback") / "x", "r+b") as file:
        assert errno_of(mmap.mmap, file.fileno(), SIZE, prot=prot) == "ENODEV"


def test_synced(tree, fds):
    for name, flags in (("x", os.O_RDONLY), ("x", os.O_RDWR), ("empty", os.O_RDWR), ("group", 0)):
        fd = fds(name, flags)
        os.fsync(fd)
        os.fdatasync(fd)
    os.sync()


# Names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x", "new"),
        ("x", "y"),
        ("x", "bare/x"),
        ("x", "group/z"),
        ("group/z", "x"),
        ("bare", "group/inner"),
        ("group", "bare"),
        ("group", "new"),
        ("x", "x"),
    ],
)
def test_renamed(store, tree, old, new):
    before = os.stat(store / old).st_ino
    os.rename(tree / old, tree / new)
    assert os.stat(store / new).st_ino == before
    assert os.stat(tree / new).st_ino == before
    assert old == new or not os.path.lexists(tree / old)


@pytest.mark.parametrize(
    ("old", "new"), [("x", "y"), ("x", "group/z"), ("x", "bare"), ("group", "x")]
)
def test_exchanged(store, tree, renameat2, old, new):
    before = [os.stat(store / name).st_ino for name in (old, new)]
    renameat2(tree / old, tree / new, "exchange")
    assert [os.stat(store / name).st_ino for name in (new, old)] == before
    assert [os.stat(tree / name).st_ino for name in (new, old)] == before


@pytest.mark.parametrize("new", ["y", "foreign", "bare", "group/z", "x"])
def test_noreplace_replaces_nothing(store, tree, renameat2, errno_of, new):
    before = snapshot(store)
    assert errno_of(renameat2, tree / "x", tree / new, "noreplace") == "EEXIST"
    assert snapshot(store) == before
    renameat2(tree / "x", tree / "group/new", "noreplace")
    assert os.listdir(tree / "group").count("new") == 1


def test_groups_come_and_go(store, tree):
    for _ in range(3):
        os.makedirs(tree / "a/b/c")
        os.removedirs(tree / "a/b/c")
    os.rmdir(tree / "bare")
    assert store.names() == ["empty", "foreign", "full", "group", "x", "y"]


# Attributes


def test_times_one_by_one(store, tree):
    """UTIME_OMIT and UTIME_NOW, which touch -a and -m use."""
    os.utime(tree / "x", ns=(5, 7))
    subprocess.run(["touch", "-a", tree / "x"], check=True)
    seen = os.stat(store / "x")
    assert (seen.st_atime > 10**9, seen.st_mtime_ns) == (True, 7)
    subprocess.run(["touch", "-m", "-d", "@9", tree / "x"], check=True)
    assert os.stat(store / "x").st_mtime_ns == 9 * 10**9
    assert os.stat(store / "x").st_atime_ns == seen.st_atime_ns


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
def test_attributes_by_a_descriptor(store, fds, flags):
    fd = fds("x", flags)
    os.fchown(fd, 12, 34)
    os.fchmod(fd, 0o7751)
    os.utime(fd, ns=(5, 7))
    for seen in (os.stat(store / "x"), os.fstat(fd)):
        assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (12, 34, 0o751)
        assert (seen.st_atime_ns, seen.st_mtime_ns) == (5, 7)


@pytest.mark.parametrize(("uid", "gid"), [(12, -1), (-1, 34), (12, 34), (-1, -1)])
def test_owner_and_group_one_by_one(store, tree, uid, gid):
    os.chmod(store / "group", 0o2755)
    for name in ("x", "group"):
        os.chown(tree / name, uid, gid)
        seen = os.stat(store / name)
        assert (seen.st_uid, seen.st_gid) == (max(uid, 0), max(gid, 0))
    assert os.stat(store / "x").st_mode & 0o7000 == 0


@pytest.mark.root
def test_access_is_what_the_bits_say(sa, store, mount, python):
    mounted = mount(store, "allow_other")
    sa.create("x", 3)
    other = python(uid=NOBODY)
    for mode, rights in ((0o604, "r"), (0o602, "w"), (0o600, ""), (0o607, "rwx")):
        os.chmod(store / "x", mode)
        soon(lambda mode=mode: os.stat(mounted / "x").st_mode & 0o777 == mode)
        for right, bit in (("r", os.R_OK), ("w", os.W_OK), ("x", os.X_OK)):
            asked = other.run("os.access(p, bit)", p=str(mounted / "x"), bit=bit)
            assert asked == (right in rights), (oct(mode), right)
        assert other.run("os.access(p, os.F_OK)", p=str(mounted / "x"))
    assert not other.run("os.access(p, os.F_OK)", p=str(mounted / "absent"))


# Locks are the kernel's


@pytest.mark.parametrize(
    "lock",
    [
        "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)",
    ],
    ids=["flock", "fcntl"],
)
def test_locks_bind_users_of_the_mount_alone(store, python, tree, fds, lock):
    code = compile(lock, "lock", "eval")
    eval(code, {"fcntl": fcntl, "fd": fds("x", os.O_RDWR)})
    other = python()
    other.run("import fcntl")
    for folder, is_free in ((tree, False), (store, True)):
        other.run("fd = os.open(path, os.O_RDWR)", path=str(folder / "x"))
        if is_free:
            other.run(lock)
        else:
            with pytest.raises(BlockingIOError):
                other.run(lock)


def test_who_waits_for_a_lock_can_be_killed(python, tree, fds):
    fcntl.flock(fds("x", os.O_RDWR), fcntl.LOCK_EX)
    other = python()
    other.run("import fcntl; fd = os.open(path, os.O_RDWR)", path=str(tree / "x"))
    other.start("fcntl.flock(fd, fcntl.LOCK_EX)")
    assert other.is_waiting(0.2)
    assert other.kill() == -9
