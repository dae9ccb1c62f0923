# SPDX-License-Identifier: BSD-3-Clause
"""One of several processes that do everything to the same few arrays, and check what they see.

Started as a script: soak.py STORE MOUNT SIDE NUMBER SECONDS, where SIDE is "mount" or "store".
Prints a JSON object: how often each operation succeeded, and what went wrong. ESTALE may get
through to a program (sharrfs(8)), but once in OPERATIONS_PER_STALE operations at most.

Every element of an array is size << 40 | identity << 8 | version: so whoever reads one knows
whether all of it belongs together, however often it was replaced, renamed or written in place.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import mmap
import os
import random
import sys
import time
import traceback

import numpy as np
import SharedArray as sa

COUNTS = [1, 12, 500, 4096, 40_000]
SHARED = [f"shared-{i}" for i in range(6)]
GROUPS = ["group-0", "group-1"]
DTYPES = [b"<u8", b"<i8", b"<f8", b"<u4", b"<u2", b"|u1"]
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
FAILURES_MAX = 10

OPERATIONS_PER_STALE = 10_000

GONE = frozenset([errno.ENOENT])
TAKEN = frozenset([errno.EEXIST])


class Wrong(Exception):
    pass


def check(data, where: str) -> None:
    """All of one array, of the size that it says."""
    if len(data) % 8:
        raise Wrong(f"{where}: {len(data)} bytes, {bytes(data[:16]).hex()}")
    elements = np.frombuffer(data, np.uint64)
    kinds = np.unique(elements >> np.uint64(8))
    if len(kinds) != 1 or int(kinds[0]) >> 32 != len(elements):
        raise Wrong(f"{where}: {len(elements)} elements of {[hex(k) for k in kinds[:4]]}")


def renameat2(old: str, new: str, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), new)


class Worker:
    """What both sides can do; `folder` is the store or the mount."""

    def __init__(self, store: str, mount: str, folder: str, number: int) -> None:
        self.store, self.mount, self.folder = store, mount, folder
        self.number = number
        self.random = random.Random(number)
        self.own = f"own-{number}"
        self.groups = [*GROUPS, f"group-{number + 10}"]  # in the last no other puts anything
        self.maps = os.getxattr(mount, "user.sharr.io") == b"passthrough"

    def new(self) -> np.ndarray:
        count = self.random.choice(COUNTS)
        identity = count << 40 | self.random.getrandbits(32) << 8
        return np.full(count, identity, np.uint64)

    def some(self) -> str:
        return self.random.choice(SHARED)

    def place(self, folder: str | None = None) -> str:
        """Of a shared array, now and then in a group."""
        group = self.random.choice(["", "", "", *GROUPS])
        return os.path.join(folder or self.folder, group, self.some())

    def operations(self):
        """Of each the errnos that others may rightly cause."""
        return {
            self.rename: GONE,
            self.rename_noreplace: GONE | TAKEN,
            self.exchange: GONE,
            self.unlink: GONE,
            self.chmod: GONE,
            self.utime: GONE,
            self.list: frozenset(),
            self.make_group: TAKEN,
            self.remove_group: GONE | {errno.ENOTEMPTY},
            self.read_through_mount: GONE,
            self.stat_through_mount: GONE,
        }

    def rename(self) -> None:
        os.rename(self.place(), self.place())

    def rename_noreplace(self) -> None:
        renameat2(self.place(), self.place(), RENAME_NOREPLACE)

    def exchange(self) -> None:
        renameat2(self.place(), self.place(), RENAME_EXCHANGE)

    def unlink(self) -> None:
        os.unlink(self.place())

    def chmod(self) -> None:
        os.chmod(self.place(), self.random.choice([0o600, 0o640, 0o666]))

    def utime(self) -> None:
        os.utime(self.place(), ns=(self.random.getrandbits(60), self.random.getrandbits(60)))

    def list(self) -> None:
        names = os.listdir(self.mount)  # the store shows what is about to be replaced, too
        if len(names) != len(set(names)):
            raise Wrong(f"listed twice: {sorted(names)}")
        bad = [n for n in names if n.rstrip("0123456789") not in ("shared-", "group-", "own-")]
        if bad:
            raise Wrong(f"listed: {bad}")

    def make_group(self) -> None:
        os.mkdir(os.path.join(self.folder, self.random.choice(self.groups)))

    def remove_group(self) -> None:
        os.rmdir(os.path.join(self.folder, self.random.choice(self.groups)))

    def read_through_mount(self) -> None:
        fd = os.open(self.place(self.mount), os.O_RDONLY)
        try:
            data = b""
            while part := os.read(fd, 1 << 17):
                data += part
            check(data, "read")
            if os.fstat(fd).st_size != len(data):
                raise Wrong(f"{len(data)} bytes read of {os.fstat(fd).st_size}")
        finally:
            os.close(fd)

    def stat_through_mount(self) -> None:
        size = os.stat(self.place(self.mount)).st_size
        if size // 8 not in COUNTS:
            raise Wrong(f"size {size}")

    def expect_own(self, data: bytes | None) -> None:
        """What only this process changes shows on both sides at the next open (by stat later)."""
        path = os.path.join(self.mount, self.own)
        if data is None:
            with contextlib.suppress(FileNotFoundError):
                os.close(os.open(path, os.O_RDONLY))
                raise Wrong("deleted, but there")
            return
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size != len(data) or file.read() != data:
                raise Wrong(f"not what was just stored: {size} bytes of {len(data)}")
        if sa.copy(self.own).tobytes() != data:
            raise Wrong("not in the store what was just stored")


class StoreWorker(Worker):
    def operations(self):
        return {
            **super().operations(),
            self.put: TAKEN | GONE,
            self.replace: GONE,
            self.build: TAKEN | GONE,
            self.attach: GONE,
            self.write: GONE,
            self.copy: GONE,
            self.delete: GONE,
            self.list_arrays: frozenset(),
            self.replace_own: frozenset(),
            self.recreate_own: frozenset(),
        }

    def name(self) -> str:
        return os.path.relpath(self.place(), self.store)

    def put(self) -> None:
        sa.put(self.name(), self.new())

    def replace(self) -> None:
        sa.put(self.name(), self.new(), replace=True)

    def build(self) -> None:
        new = self.new()
        with sa.building(self.name(), new.shape, new.dtype) as array:
            array[:] = new

    def attach(self) -> None:
        array = sa.attach(self.name(), ro=True)
        check(array.tobytes(), f"attached, {array.dtype} of {array.shape}")

    def write(self) -> None:
        raw = sa.attach(self.name()).view(np.uint8)
        array = np.frombuffer(raw.data, np.uint64)
        array[:] = array[0] & ~np.uint64(255) | np.uint64(self.random.randrange(256))

    def copy(self) -> None:
        check(sa.copy(self.name()).tobytes(), "copied")

    def delete(self) -> None:
        sa.delete(self.name())

    def list_arrays(self) -> None:
        names = [item.name for item in sa.list()]
        if len(names) != len(set(names)):
            raise Wrong(f"listed twice: {sorted(names)}")

    def replace_own(self) -> None:
        new = self.new()
        sa.put(self.own, new, replace=True)
        self.expect_own(new.tobytes())

    def recreate_own(self) -> None:
        sa.delete(self.own, missing_ok=True)
        self.expect_own(None)
        new = self.new()
        sa.put(self.own, new)
        self.expect_own(new.tobytes())


class MountWorker(Worker):
    def operations(self):
        mapping = {self.map_writing: GONE, self.attach: GONE} if self.maps else {}
        return {
            **super().operations(),
            **mapping,
            self.stage: TAKEN | GONE,
            self.put: TAKEN | GONE,
            self.map_reading: GONE,
            self.write: GONE,
            self.attach_reading: GONE,
            self.reinterpret: GONE,
            self.reinterpret_open: GONE,
            self.annotate: GONE,
            self.annotate_not: GONE | {errno.ENODATA},
            self.attributes: GONE,
            self.walk: GONE,
            self.load_npy: GONE,
            self.delete: GONE,
            self.replace_own: frozenset(),
            self.recreate_own: frozenset(),
        }

    def stage(self) -> None:
        data = memoryview(self.new().tobytes())
        fd = os.open(self.place(), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        try:
            os.setxattr(fd, "user.sharr.dtype", b"<u8")
            half = len(data) // 2
            os.write(fd, data[:half])
            os.write(fd, data[half:])
        finally:
            os.close(fd)

    def put(self) -> None:
        sa.put(f"file://{self.place()}", self.new())

    def delete(self) -> None:
        sa.delete(f"file://{self.place()}")

    def attach(self) -> None:
        check(sa.attach(f"file://{self.place()}").tobytes(), "attached through the mount")

    def attach_reading(self) -> None:
        check(sa.attach(f"file://{self.place()}", ro=True).tobytes(), "attached for reading")

    def map_reading(self) -> None:
        with open(self.place(), "rb", buffering=0) as file:
            view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        with view:
            check(view[:], "mapped")

    def map_writing(self) -> None:
        with open(self.place(), "r+b", buffering=0) as file:
            view = mmap.mmap(file.fileno(), 0)
        array = np.frombuffer(view, np.uint64)
        array[:] = array[0] & ~np.uint64(255) | np.uint64(self.random.randrange(256))

    def write(self) -> None:
        with open(self.place(), "r+b", buffering=0) as file:
            (first,) = np.frombuffer(os.pread(file.fileno(), 8, 0), np.uint64)
            size = os.fstat(file.fileno()).st_size
            now = first & ~np.uint64(255) | np.uint64(self.random.randrange(256))
            at = self.random.randrange(size // 8) * 8
            done = os.pwrite(file.fileno(), np.full((size - at) // 8, now).tobytes(), at)
            if done != size - at:
                raise Wrong(f"wrote {done} of {size - at}")

    def reinterpret(self) -> None:
        os.setxattr(self.place(), "user.sharr.dtype", self.random.choice(DTYPES))

    def reinterpret_open(self) -> None:
        with open(self.place(), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            itemsize = self.random.choice([1, 2, 4, 8])
            described = {
                "descr": f"<u{itemsize}",
                "fortran_order": self.random.choice([False, True]),
                "shape": (size // itemsize, 1),
            }
            os.setxattr(file.fileno(), "user.sharr.npy", repr(described).encode())

    def annotate(self) -> None:
        value = bytes([self.random.randrange(256)]) * self.random.randrange(100)
        os.setxattr(self.place(), f"user.note{self.random.randrange(3)}", value)

    def annotate_not(self) -> None:
        path = self.place()
        os.setxattr(path, "user.note0", b"")
        os.removexattr(path, "user.note0")

    def attributes(self) -> None:
        path = self.place()
        with open(path, "rb", buffering=0) as file:
            shape = os.getxattr(file.fileno(), "user.sharr.shape").decode().split(",")
            if not all(n.isdigit() for n in shape):
                raise Wrong(f"shape {shape}")
            os.listxattr(file.fileno())
        try:
            value = os.getxattr(path, f"user.note{self.random.randrange(3)}")
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
            value = b""
        if len(set(value)) > 1:
            raise Wrong(f"attribute {value!r}")

    def walk(self) -> None:
        with os.scandir(os.path.join(self.mount, self.random.choice(["", *GROUPS]))) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                if entry.is_file() and status.st_size // 8 not in COUNTS:
                    raise Wrong(f"{entry.name} has size {status.st_size}")

    def load_npy(self) -> None:
        path = self.place()
        view = os.path.join(os.path.dirname(path), ".npy", os.path.basename(path) + ".npy")
        check(np.load(view).tobytes(), "npy view")

    def replace_own(self) -> None:
        new = self.new()
        made = os.path.join(self.mount, f"own-{self.number}000")
        with open(made, "wb") as file:
            file.write(new.tobytes())
        os.rename(made, os.path.join(self.mount, self.own))
        self.expect_own(new.tobytes())

    def recreate_own(self) -> None:
        path = os.path.join(self.mount, self.own)
        if os.path.lexists(path):
            os.unlink(path)
        self.expect_own(None)
        new = self.new()
        with open(path, "xb") as file:
            file.write(new.tobytes())
        self.expect_own(new.tobytes())


def main(store: str, mount: str, side: str, number: str, seconds: str) -> None:
    if side == "store":
        worker = StoreWorker(store, mount, store, int(number))
    else:
        worker = MountWorker(store, mount, mount, int(number))
    operations = worker.operations()
    done = {operation.__name__: 0 for operation in operations}
    failures, stale = [], []
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end and len(failures) < FAILURES_MAX:
        operation = worker.random.choice(list(operations))
        try:
            operation()
            done[operation.__name__] += 1
        except OSError as error:
            if error.errno not in operations[operation]:
                into = stale if error.errno == errno.ESTALE else failures
                into.append(f"{operation.__name__}: {traceback.format_exc()}")
        except Exception:
            failures.append(f"{operation.__name__}: {traceback.format_exc()}")
    if len(stale) > 1 + sum(done.values()) // OPERATIONS_PER_STALE:
        failures += stale[:FAILURES_MAX]
    json.dump({"done": done, "failures": failures}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
