# SPDX-License-Identifier: BSD-3-Clause
"""The daemon is killed in the midst of each operation, before each system call that it makes there.

The caller must be told, what was there must stay whole, the operation have happened or not, and a
new mount carry on. The ordinary run takes a few of the calls of each operation, --slow up to 60.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import pytest
from support.area import Store
from support.mount import Mount
from support.wait import wait_for

pytestmark = [pytest.mark.fuse, pytest.mark.release_only]

KILLER = Path(__file__).parents[1] / "support" / "killer.py"
POINTS, SLOW_POINTS = 2, 60
DEAD = (errno.ENOTCONN, errno.ECONNABORTED, errno.EFAULT)
DATA = np.random.default_rng(1).random((30, 4))


def fill(sa):
    sa.put("x", DATA)
    sa.put("y", DATA[:3].astype("<f4"))
    for group in ("group", "empty"):
        os.mkdir(f"{os.environ['SHARR_STORE']}/{group}")
    sa.put("shm://group/z", np.arange(5))


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


def await_new(at):
    """What is published when the last descriptor is gone, which close() does not wait for."""
    wait_for(lambda: "new" in os.listdir(at))


def create_empty(at):
    create(at / "new")
    await_new(at)


def write_by_child(at):
    """The descriptor that is closed last is a child's."""
    script = """
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
begin, go = os.pipe()
if os.fork():
    os.close(fd)
    os.write(go, b"x")
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.read(begin, 1)
os.write(fd, b"abc")
"""
    command = [sys.executable, "-S", "-E", "-c", script, at / "new"]
    if subprocess.run(command, stderr=subprocess.DEVNULL, timeout=20).returncode:
        raise OSError(errno.ENOTCONN, "as the child said")
    await_new(at)


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
        view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        os.write(copy.fileno(), view)


READING = {
    "lookup": lambda at: look(at, "x", "group/z"),
    "access": lambda at: os.access(at / "x", os.R_OK) or look(at, "x"),
    "statfs": lambda at: os.statvfs(at),
    "readdir": lambda at: os.listdir(at) + os.listdir(at / "group"),
    "readdirplus": walk,
    "open": lambda at: os.close(os.open(at / "x", os.O_RDWR)),
    "read": lambda at: (at / "x").read_bytes(),  # numpy.fromfile drops the errors of read()
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


def copy_range(at):
    with open(at / "x", "rb") as old, open(at / "y", "r+b") as new:
        os.copy_file_range(old.fileno(), new.fileno(), 48)


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
    "create_empty": create_empty,
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


IN_VAIN = {"fsync", "fallocate", "truncate_to_its_size", "create_and_unlink"}
OPERATIONS = {
    **READING,
    **CHANGING,
    "reading": lambda at: [operation(at) for operation in READING.values()],
}
UNTOUCHED = {}  # per mode, the state without any operation


class Victim:
    """A store with a mount that is to be killed at the Nth system call; 0: at none."""

    def __init__(self, sa, area, monkeypatch, mode, fatal):
        self.sa, self.area, self.mode = sa, area, mode
        self.store = Store(area)
        monkeypatch.setenv("SHARR_STORE", str(self.store))
        fill(sa)
        self.mount = self.new_mount()
        os.setxattr(self.mount / "y", "user.note", b"a note")
        self.killer = subprocess.Popen(
            [sys.executable, "-S", "-E", KILLER, str(self.mount.process.pid), str(fatal)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.killer.stdout.readline() == "ready\n"

    def new_mount(self):
        return Mount(self.store, self.area, (f"io={self.mode}",))

    def call(self, operation):
        """Its result, or its error; a caller that hangs fails the test."""
        outcome = []

        def caller():
            try:
                outcome.append((operation(self.mount.path), None))
            except OSError as error:
                outcome.append((None, error))

        thread = threading.Thread(target=caller, daemon=True)
        thread.start()
        thread.join(20)
        assert outcome, "the caller hangs"
        return outcome[0]

    def release(self):
        """How many system calls there were; the daemon, if it lives, is not watched any more."""
        self.killer.send_signal(signal.SIGTERM)
        with self.killer.stdout:
            count = int(self.killer.stdout.read())
        self.killer.wait(10)
        return count

    def remount(self):
        self.mount.kill()
        self.mount.detach()
        self.mount.remove()
        self.mount = self.new_mount()

    def remove(self):
        self.killer.kill()
        self.killer.wait(10)
        self.killer.stdout.close()
        self.mount.remove()
        subprocess.run(["umount", "-l", self.store], check=True)

    def state(self):
        """All that is there: in the store, and as the mount shows it."""
        found = {}
        for folder, groups, names in os.walk(self.mount.path):
            for name in names:
                path = Path(folder, name)
                inner = path.relative_to(self.mount.path)
                array, status = self.sa.copy(f"shm://{inner}"), os.stat(self.store / inner)
                shown = (os.getxattr(path, "user.sharr.npy"), path.read_bytes() == array.tobytes())
                user = {n: os.getxattr(path, n) for n in os.listxattr(path) if "sharr" not in n}
                kind = (array.dtype.str, array.shape, array.tobytes())
                plain = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime == 6)
                found[str(inner)] = (kind, plain, shown, user)
            for name in groups:
                inner = Path(folder, name).relative_to(self.mount.path)
                found[str(inner)] = os.stat(self.store / inner).st_mode
            inner = Path(folder).relative_to(self.mount.path)
            self.sa.list(None if inner == Path() else str(inner))  # clears what a crash has left
            assert sorted(os.listdir(self.store / inner)) == sorted(groups + names)
        return found


@pytest.fixture(params=[pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"])
def victim(request, sa, area, monkeypatch):
    """victim(N): made, and removed when the with block ends."""
    if request.param == "passthrough":
        request.getfixturevalue("has_passthrough")

    @contextlib.contextmanager
    def make(fatal):
        one = Victim(sa, area, monkeypatch, request.param, fatal)
        try:
            yield one
        finally:
            one.remove()

    return make


def without_a_crash(victim, operation):
    """How many system calls it takes, and the state after it."""
    with victim(0) as one:
        _, error = one.call(operation)
        assert error is None
        count = one.release()
        return count, one.state()


def untouched(victim, mode):
    if mode not in UNTOUCHED:
        with victim(0) as one:
            one.release()
            UNTOUCHED[mode] = one.state()
    return UNTOUCHED[mode]


def points(request, count):
    """Which calls are taken: all of them, as far as time allows, or a few, spread over all."""
    if request.config.getoption("--slow"):
        return range(1, count + 1, 1 + (count - 1) // SLOW_POINTS)
    few = POINTS * 5 if "reading" in request.node.name else POINTS
    return sorted({1 + count * (2 * i + 1) // (2 * few) for i in range(few)})


@pytest.mark.parametrize(
    "name", [*CHANGING, "reading", *(pytest.param(n, marks=pytest.mark.slow) for n in READING)]
)
def test_killed_within(request, victim, name):
    operation = OPERATIONS[name]
    before = untouched(victim, request.node.callspec.params["victim"])
    count, after = without_a_crash(victim, operation)
    assert (before != after) == (name in CHANGING and name not in IN_VAIN)
    for fatal in points(request, count):
        with victim(fatal) as one:
            _, error = one.call(operation)
            assert error is None or error.errno in DEAD, traceback.format_tb(error.__traceback__)
            one.release()
            one.remount()
            found = one.state()
            assert found in (before, after)
            if error is None:
                assert found == after
            if found == before:
                assert one.call(operation)[1] is None
                assert one.state() == after


@pytest.mark.passthrough
def test_maps_outlive_the_daemon(sa, store, direct):
    sa.put("x", DATA)
    view = np.memmap(direct / "x", np.float64, "r+", shape=DATA.shape)
    direct.kill()
    view[:] = 7
    assert (sa.attach("x") == 7).all()
    assert (view == 7).all()


def test_file_in_the_making_dies_with_the_daemon(sa, store, mount):
    """What a killed daemon left in the making is in nobody's way."""
    sa.put("x", DATA)
    first = mount()
    with open(first / "new", "xb") as file:
        file.write(b"abc")
        file.flush()
        first.kill()
        first.detach()
        second = mount()
        assert os.listdir(second) == store.names() == ["x"]
        with open(second / "new", "xb") as again:
            again.write(b"def")
        with contextlib.suppress(OSError):
            file.close()
    assert sa.attach("new").tobytes() == b"def"
