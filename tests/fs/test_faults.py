# SPDX-License-Identifier: BSD-3-Clause
"""Each call that the daemon makes for an operation fails once; see ../lib/fault_calls.c.

The caller is told so, or the operation succeeds; it happened whole or not at all; the daemon lives
and keeps nothing; and the next try succeeds. The ordinary run takes every fifth call or tenth, and
one errno for each operation, another for the next; --slow takes all of both.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import mmap
import os
import re
import shutil
import threading
from pathlib import Path

import pytest
from support.build import BUILD, SANITIZED
from support.operations import CHANGING, DATA, IN_STEPS, IN_VAIN, LATE, READING, fill
from support.wait import wait_for

pytestmark = pytest.mark.fuse

FAULTY = BUILD / "tests" / "fs" / "sharrfs-faulty"
ERRNOS = ["ENOSPC", "ENOMEM", "EMFILE", "EIO", "EINTR"]
OPERATIONS = {**READING, **CHANGING}
STEP = 10 if SANITIZED else 5  # of the calls, in the ordinary run
FAULTS_MAX = 400  # more than any operation has calls


class Faults(ctypes.Structure):
    """struct faults of ../lib/faults.h."""

    _fields_ = [
        ("turn", ctypes.c_int),
        ("number", ctypes.c_int),
        ("reached", ctypes.c_int),
        ("last", ctypes.c_char * 20),
    ]


def shared_faults(area):
    """What the daemon is told by, and its environment."""
    path = area / "faults"
    path.write_bytes(bytes(mmap.PAGESIZE))
    with open(path, "r+b") as file:
        return Faults.from_buffer(mmap.mmap(file.fileno(), 0)), {"SHARR_FAULTS": str(path)}


class Faulty:
    """A mount whose daemon's calls can be let fail, and what an operation does to it."""

    def __init__(self, sa, store, mount, mode):
        self.sa = sa
        self.faults, environment = shared_faults(store.area)
        self.store = store
        self.mount = mount(store, f"io={mode}", program=FAULTY, environment=environment)
        (self.pid,) = self.mount.pids()
        self.folders = itertools.count()
        self.kept_at_first = wait_for(self.kept_at_rest, what="a daemon that waits for requests")

    def call(self, name, at):
        """Its errno, or 0; a caller that hangs fails the test."""
        outcome = []

        def caller():
            try:
                OPERATIONS[name](at)
                outcome.append(0)
            except OSError as error:
                outcome.append(error.errno)

        thread = threading.Thread(target=caller, daemon=True)
        thread.start()
        thread.join(20)
        assert outcome, f"the caller hangs after {self.fault()}"
        if outcome[0] and name in IN_STEPS:
            for made in ("new", "new.part"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(at / made)
        wait_for(
            lambda: not self.drafts(),
            what=f"released after {self.fault()}, {outcome}: {self.drafts()}",
        )
        return outcome[0]

    def fault(self):
        return f"{errno.errorcode.get(self.faults.number)} of {self.faults.last.decode()}"

    def links(self):
        """What its descriptors are of."""
        links = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(f"/proc/{self.pid}/fd/{fd}"))
        return links

    def drafts(self):
        return [link for link in self.links() if "/#" in link]

    def kept(self):
        """Descriptors, maps of the store, and what is taken there."""
        maps = Path(f"/proc/{self.pid}/maps").read_text().count(f" {self.store}/")
        status = os.statvfs(self.store)
        return len(self.links()), maps, status.f_bfree, status.f_ffree

    def kept_at_rest(self):
        """False: it is at work, as with its first look at the store."""
        stats = Path(f"/proc/{self.pid}/task").glob("*/stat")
        asleep = all(stat.read_text().rpartition(") ")[2].startswith("S") for stat in stats)
        return asleep and self.kept()

    def expect_kept_as_at_first(self):
        """Soon: what is released and forgotten goes a moment later."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.kept() == self.kept_at_first, 5)
        assert self.kept() == self.kept_at_first, self.links()

    @contextlib.contextmanager
    def folder(self):
        """One that neither the kernel nor the daemon has seen, filled; the same in the store."""
        name = f"round-{next(self.folders)}"
        os.mkdir(self.store / name)
        fill(self.sa, self.store / name)
        yield self.mount / name, self.store / name
        shutil.rmtree(self.store / name)

    def state(self, folder):
        """All that is there, leftovers of what failed included."""
        found = {}
        for path in [*folder.iterdir(), *(folder / "group").glob("*")]:
            name, status = str(path.relative_to(folder)), os.stat(path)
            plain = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime == 6)
            found[name] = plain
            if path.is_file():
                uri = f"file://{path}"
                array = self.sa.copy(uri)
                kind = (array.dtype.str, array.shape, array.tobytes())
                found[name] = (plain, kind, dict(self.sa.attrs(uri)))
        return found

    def without_fault(self, name):
        with self.folder() as (at, folder):
            before = self.state(folder)
            assert self.call(name, at) == 0
            return before, self.state(folder)

    def with_fault(self, name, nth, number, before, after):
        """Whether there was a call to fail."""
        with self.folder() as (at, folder):
            self.faults.number, self.faults.reached, self.faults.last = number, 0, b"none"
            self.faults.turn = nth
            code = self.call(name, at)
            self.faults.turn = 0
            reached, where = self.faults.reached, f"call {nth}, {self.fault()}"
            number = self.faults.number
            told = {0, errno.ENFILE if number == errno.EMFILE else number}
            if name == "create_by_mknod":  # what is not open yet goes with its last failed lookup
                told.add(errno.ENOENT)
            assert code in told, f"{where}: {errno.errorcode.get(code)}"
            found = self.state(folder)
            assert found in (before, after), where
            told = code or (name in LATE and found == before)  # by then there is nobody to tell
            assert told or found == after, f"{where}: lost"
            if found == before:
                assert self.call(name, at) == 0, f"after {where}"
                assert self.state(folder) == after, f"after {where}"
        assert self.mount.process.poll() is None, f"{where}: the daemon died"
        return reached


@pytest.fixture(params=[pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"])
def faulty(request, sa, store, mount):
    return Faulty(sa, store, mount, request.param)


def errnos_of(request, name):
    if request.config.getoption("--slow"):
        return ERRNOS
    return [ERRNOS[list(OPERATIONS).index(name) % len(ERRNOS)]]


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_call_of_the_daemon_fails_once(request, faulty, record_property, name):
    before, after = faulty.without_fault(name)
    assert (before != after) == (name in CHANGING and name not in IN_VAIN)
    step = 1 if request.config.getoption("--slow") else STEP
    count = 0
    for number in errnos_of(request, name):
        for nth in range(1 + list(OPERATIONS).index(name) % step, FAULTS_MAX, step):
            if not faulty.with_fault(name, nth, getattr(errno, number), before, after):
                break
            count += 1
    faulty.expect_kept_as_at_first()
    assert count
    record_property("faults", count)
    print(f"{name}: {count} faults")


def threads_of(mounted):
    (pid,) = mounted.pids()
    return len(os.listdir(f"/proc/{pid}/task"))


def try_mount(mount, store, environment):
    """The mount, or why there is none."""
    try:
        return mount(store, program=FAULTY, environment=environment), None
    except AssertionError as failure:
        return None, str(failure)


@pytest.mark.parametrize("number", ERRNOS)
def test_each_call_fails_once_while_the_daemon_starts(sa, store, mount, number):
    """It says in one line why it can't mount, or does without, as without inotify."""
    sa.put("x", DATA)
    faults, environment = shared_faults(store.area)
    started = []
    for nth in range(1, FAULTS_MAX):
        faults.number, faults.reached, faults.last = getattr(errno, number), 0, b"none"
        faults.turn = nth
        mounted, said = try_mount(mount, store, environment)
        if mounted:
            wait_for(lambda on=mounted: faults.reached or threads_of(on) > 3)
            faults.turn = 0
            assert (mounted / "x").read_bytes() == DATA.tobytes()
            assert os.listdir(mounted) == ["x"]
            mounted.unmount()
            assert mounted.wait_gone() == 0
            started.append(faults.last.decode())
        else:
            # What failed may be the first request, of whoever looks whether it is mounted.
            seen = "ended with None" in said or re.search(r": sharrfs: .+\n$", said)
            assert seen, (nth, faults.last, said)
            started.append(None)
        if not faults.reached:
            break
    assert {None, "inotify_init1"} < {*started}
    print(f"start: {len(started) - 1} faults")
