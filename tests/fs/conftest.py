# SPDX-License-Identifier: BSD-3-Clause
"""Mounts in both io modes, and what the tests of the mount share.

`either`  the store, mounted: each test that asks for it runs in passthrough and in fallback
`direct`  the store, mounted in passthrough
`created`  created("x"): the descriptor of a new file there
`idle`  waits until the daemon has closed what was open
`errno_of`  errno_of(os.stat, path): the name of the error that it raised, or None
`limit`   limit("max_user_watches", 0): one of inotify's, until the test is over
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from pathlib import Path

import pytest
from support.require import need_root
from support.wait import wait_for

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
SLOW_LIFE_S = 1200  # of a daemon, for what takes minutes where nothing else runs


@pytest.fixture(params=[pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"])
def either(request, mount, store):
    longer = {"life_s": SLOW_LIFE_S} if request.config.getoption("--slow") else {}
    return mount(store, f"io={request.param}", **longer)


@pytest.fixture
def direct(request, mount, store):
    assert request.node.get_closest_marker("passthrough"), "mark the test with passthrough"
    return mount(store, "io=passthrough")


@pytest.fixture
def created(either):
    """created("x"): the descriptor of a new file there, closed at the end if it is not, or by
    created.close()."""
    fds = []

    def make(name, flags=os.O_RDWR | os.O_EXCL, mode=0o666):
        fds.append(os.open(either / name, flags | os.O_CREAT, mode))
        return fds[-1]

    def close():
        while fds:
            with contextlib.suppress(OSError):
                os.close(fds.pop())

    make.close = close
    yield make
    close()


@pytest.fixture
def idle(either):
    """Waits until the daemon has closed what was open: what it does at the last close is done."""
    (pid,) = either.pids()
    os.stat(either)
    before = len(os.listdir(f"/proc/{pid}/fd"))

    def wait():
        wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, what="the last close")

    return wait


@pytest.fixture
def errno_of():
    def of(call, *arguments, **keywords):
        try:
            result = call(*arguments, **keywords)
        except OSError as error:
            return errno.errorcode[error.errno]
        if call is os.open:
            os.close(result)
        return None

    return of


@pytest.fixture
def renameat2():
    """renameat2(old, new, "noreplace"), which Python has not."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = {"noreplace": RENAME_NOREPLACE, "exchange": RENAME_EXCHANGE}

    def call(old, new, how):
        paths = [os.fsencode(old), os.fsencode(new)]
        if libc.renameat2(-100, paths[0], -100, paths[1], flags[how]):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return call


@pytest.fixture
def limit(request):
    """The machine's own."""
    need_root()

    def lower(name, value):
        path = Path("/proc/sys/fs/inotify", name)
        before = path.read_text()
        request.addfinalizer(lambda: path.write_text(before))
        path.write_text(str(value))

    return lower
