# SPDX-License-Identifier: BSD-3-Clause
"""The daemon is killed in the midst of each operation, before each system call that it makes there.

The caller must be told, what was there must stay whole, the operation have happened or not, and a
new mount carry on. The ordinary run takes a few of the calls of each operation, --slow up to 60.
"""

from __future__ import annotations

import contextlib
import errno
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
from support.operations import CHANGING, DATA, IN_VAIN, LATE, READING, fill
from support.wait import wait_for

pytestmark = [pytest.mark.fuse, pytest.mark.release_only]

KILLER = Path(__file__).parents[1] / "support" / "killer.py"
POINTS, SLOW_POINTS = 2, 60
DEAD = (errno.ENOTCONN, errno.ECONNABORTED, errno.EFAULT)


def await_new(at):
    wait_for(lambda: "new" in os.listdir(at))


OPERATIONS = {
    **READING,
    **CHANGING,
    "reading": lambda at: [operation(at) for operation in READING.values()],
}
for late in LATE:
    OPERATIONS[late] = lambda at, late=OPERATIONS[late]: (late(at), await_new(at))
UNTOUCHED = {}  # per mode, the state without any operation


class Victim:
    """A store with a mount that is to be killed at the Nth system call; 0: at none."""

    def __init__(self, sa, area, monkeypatch, mode, fatal):
        self.sa, self.area, self.mode = sa, area, mode
        self.store = Store(area)
        monkeypatch.setenv("SHARR_STORE", str(self.store))
        fill(sa, self.store)
        self.mount = self.new_mount()
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
