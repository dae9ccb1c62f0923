# SPDX-License-Identifier: BSD-3-Clause
"""Every operation of the mount, in a folder of it that was filled for that: for tests that do
something to the daemon meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import subprocess
import sys

import numpy as np

DATA = np.random.default_rng(1).random((30, 4))


def fill(sa, folder):
    """What the operations find, put there directly."""
    sa.put(f"file://{folder}/x", DATA)
    sa.put(f"file://{folder}/y", DATA[:3].astype("<f4"))
    for group in ("group", "empty"):
        os.mkdir(os.path.join(folder, group))
    sa.put(f"file://{folder}/group/z", np.arange(5))
    sa.attrs(f"file://{folder}/y")["note"] = "a note"


def create(path, *steps):
    """A new file that steps(fd, path) are done to; what close() says counts."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
    try:
        for step in steps:
            step(fd, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.close(fd)
        raise
    os.close(fd)


def write_all(fd, path):
    os.write(fd, DATA.tobytes())


def write_by_child(at):
    """The descriptor that is closed last is a child's."""
    script = """
import os, sys
sys.excepthook = lambda kind, error, trace: os._exit(error.errno)
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
begin, go = os.pipe()
if os.fork():
    os.close(fd)
    os.write(go, b"x")
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.close(go)
if not os.read(begin, 1):
    os._exit(0)
os.write(fd, b"abc")
"""
    command = [sys.executable, "-S", "-E", "-c", script, at / "new"]
    code = subprocess.run(command, stderr=subprocess.DEVNULL, timeout=20, check=False).returncode
    if code:
        raise OSError(code, "as the child said")


def renameat2(at, old, new, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(at / old), -100, os.fsencode(at / new), flags):
        raise OSError(ctypes.get_errno(), new)


def look(at, *names):
    for name in names:
        os.stat(at / name)


def walk(at):
    with os.scandir(at) as entries:
        return [entry.stat() for entry in entries]


def read_through_map(at):
    """By a system call, which says EFAULT where a load would be SIGBUS."""
    with open(at / "x", "rb") as file, open(os.memfd_create("copy"), "wb") as copy:
        size = os.fstat(file.fileno()).st_size  # mmap.mmap() itself drops the error of fstat()
        view = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
        os.write(copy.fileno(), view)


READING = {
    "lookup": lambda at: look(at, "x", "group/z"),
    "access": lambda at: os.access(at / "x", os.R_OK) or look(at, "x"),
    "statfs": lambda at: os.statvfs(at),
    "readdir": lambda at: os.listdir(at) + os.listdir(at / "group"),
    "readdirplus": walk,
    "open": lambda at: os.close(os.open(at / "x", os.O_RDWR)),
    "read": lambda at: (at / "x").read_bytes(),  # numpy.fromfile drops the errors of read()
    "seek": lambda at: on("x", os.O_RDONLY, seek)(at),
    "map": read_through_map,
    "npy_view": lambda at: (at / ".npy" / "x.npy").read_bytes(),
    "getxattr": lambda at: os.getxattr(at / "x", "user.sharr.npy"),
    "listxattr": lambda at: os.listxattr(at / "x"),
    "attached": lambda at: os.getxattr(at / "x", "user.sharr.attached"),
}


def on(name, flags, call):
    """call(fd) on a file of that name."""

    def operation(at):
        fd = os.open(at / name, flags)
        try:
            call(fd)
        finally:
            os.close(fd)

    return operation


def punch(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(960)):
        raise OSError(ctypes.get_errno(), "fallocate")


def seek(fd):
    return [os.lseek(fd, 0, how) for how in (os.SEEK_DATA, os.SEEK_HOLE)]


def copy_range(at):
    with open(at / "x", "rb") as old, open(at / "y", "r+b") as new:
        os.copy_file_range(old.fileno(), new.fileno(), 48)


def create_in_pieces(at):
    fd = os.open(at / "new", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
    try:
        os.write(fd, bytes(100))
        again = os.dup(fd)
        os.close(again)  # not its last
        os.ftruncate(fd, 300)
        os.pwrite(fd, b"abc", 297)
    finally:
        os.close(fd)


def save_npy(at):
    np.save(at / ".npy" / "new.npy", DATA)


def make_by_mknod(at):
    os.mknod(at / "new", 0o640)
    os.setxattr(at / "new", "user.units", b"EUR")
    on("new", os.O_WRONLY, lambda fd: os.write(fd, b"abc"))(at)


CHANGING = {
    "write": on("x", os.O_RDWR, lambda fd: os.pwrite(fd, bytes(960), 0)),
    "fsync": on("x", os.O_RDWR, os.fsync),
    "fallocate": on("x", os.O_RDWR, lambda fd: os.posix_fallocate(fd, 0, 960)),
    "punch_hole": on("x", os.O_RDWR, punch),
    "truncate_to_its_size": lambda at: os.truncate(at / "x", 960),
    "copy_file_range": copy_range,
    "create": lambda at: create(at / "new", write_all),
    "create_in_group": lambda at: create(at / "group" / "new", write_all),
    "create_with_attributes": lambda at: create(
        at / "new",
        lambda fd, path: os.setxattr(fd, "user.sharr.dtype", b"<f8"),
        write_all,
        lambda fd, path: os.setxattr(fd, "user.units", b"EUR"),
        lambda fd, path: os.utime(fd, (5, 6)),
        lambda fd, path: os.fchmod(fd, 0o600),
    ),
    "create_in_pieces": create_in_pieces,
    "create_and_rename": lambda at: create(
        at / "new.part", write_all, lambda fd, path: os.rename(path, at / "new")
    ),
    "create_and_replace": lambda at: create(
        at / "new", write_all, lambda fd, path: os.rename(path, at / "x")
    ),
    "create_and_unlink": lambda at: create(at / "new", write_all, lambda fd, path: os.unlink(path)),
    "create_of_a_size": lambda at: create(
        at / "new", lambda fd, path: os.posix_fallocate(fd, 0, 4096)
    ),
    "create_empty": lambda at: create(at / "new"),
    "create_by_mknod": make_by_mknod,
    "create_by_a_child": write_by_child,
    "save_npy": save_npy,
    "unlink": lambda at: os.unlink(at / "x"),
    "unlink_in_group": lambda at: os.unlink(at / "group" / "z"),
    "rename": lambda at: os.rename(at / "x", at / "new"),
    "rename_onto_another": lambda at: os.rename(at / "x", at / "y"),
    "rename_noreplace": lambda at: renameat2(at, "x", "new", 1),
    "exchange": lambda at: renameat2(at, "x", "y", 2),
    "rename_into_group": lambda at: os.rename(at / "x", at / "group" / "x"),
    "rename_of_group": lambda at: os.rename(at / "group", at / "renamed"),
    "mkdir": lambda at: os.mkdir(at / "made", 0o750),
    "rmdir": lambda at: os.rmdir(at / "empty"),
    "reinterpret": lambda at: os.setxattr(at / "x", "user.sharr.shape", b"4,30"),
    "reinterpret_all": lambda at: os.setxattr(
        at / "x",
        "user.sharr.npy",
        b"{'descr': '<u2', 'fortran_order': True, 'shape': (48, 10)}",
    ),
    "set_attribute": lambda at: os.setxattr(at / "x", "user.axes", b"time, place"),
    "remove_attribute": lambda at: os.removexattr(at / "y", "user.note"),
    "chmod": lambda at: os.chmod(at / "x", 0o600),
    "chown": lambda at: os.chown(at / "x", 12, 34),
    "utime": lambda at: os.utime(at / "x", (5, 6)),
}


# What is published when the last descriptor is gone, which close() does not wait for.
LATE = {"create_empty", "create_by_a_child"}
# In several calls: one that fails may leave what those before it have made.
IN_STEPS = {
    *("create_with_attributes", "create_in_pieces", "create_and_rename", "create_and_replace"),
    *("create_and_unlink", "create_of_a_size", "create_by_mknod", "create_by_a_child"),
}
IN_VAIN = {"fsync", "fallocate", "truncate_to_its_size", "create_and_unlink"}
