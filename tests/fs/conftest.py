# SPDX-License-Identifier: BSD-3-Clause
"""Mounts in both io modes, and what the tests of the mount share.

`either`  the store, mounted: each test that asks for it runs in passthrough and in fallback
`direct`  the store, mounted in passthrough
`errno_of`  errno_of(os.stat, path): the name of the error that it raised, or None
`limit`   limit("max_user_watches", 0): one of inotify's, until the test is over
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest
from support.require import need_root

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


@pytest.fixture(params=[pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"])
def either(request, mount, store):
    return mount(store, f"io={request.param}")


@pytest.fixture
def direct(request, mount, store):
    assert request.node.get_closest_marker("passthrough"), "mark the test with passthrough"
    return mount(store, "io=passthrough")


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
