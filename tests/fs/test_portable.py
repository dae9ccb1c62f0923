# SPDX-License-Identifier: BSD-3-Clause
"""What the two builds differ in: -Dportable=true has nothing that only Linux has twins for.

Each test runs against both, so that what it looks for is known to be found where it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from support.build import PORTABLE, SHARRFS, native_environment, python_environment
from support.mount import run_sharrfs

OF_LINUX = {"inotify_init1", "inotify_add_watch", "ioctl"}


def undefined(binary) -> set[str]:
    command = ["nm", "-D", "--undefined-only", binary]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}


def traced(area, *command, environment) -> str:
    trace = area / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", trace, "-e", "trace=futex,open,openat", *command],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return trace.read_text()


def test_daemon_calls_neither_inotify_nor_the_device():
    assert undefined(SHARRFS) & OF_LINUX == (set() if PORTABLE else OF_LINUX)


@pytest.mark.release_only
def test_nothing_sleeps_on_a_futex_and_no_file_is_nameless(store, area):
    code = (
        "import numpy, SharedArray as sa\n"
        "sa.put('x', numpy.ones(3)); sa.put('x', numpy.zeros(3), replace=True)\n"
        "a = sa.create('y', 3); sa.notify(a)\n"
        "try: sa.wait(a, sa.event(a), timeout=0.01)\n"
        "except TimeoutError: pass\n"
    )
    environment = python_environment(SHARR_STORE=str(store))
    trace = traced(area, sys.executable, "-c", code, environment=environment)
    assert sorted(store.names()) == ["x", "y"]
    assert bool(re.search(r"\bFUTEX_WA(IT|KE),", trace)) == (not PORTABLE)
    assert ("O_TMPFILE" in trace) == (not PORTABLE)


@pytest.mark.fuse
def test_draft_of_the_mount_has_a_hidden_name_or_none(store, mount):
    mounted = mount(store, "io=fallback")
    with open(mounted / "x", "wb", buffering=0) as file:
        file.write(b"abc")
        names = os.listdir(store)
    assert [name[:7] for name in names] == ([".sharr~"] if PORTABLE else [])
    assert os.listdir(store) == ["x"]


@pytest.mark.fuse
def test_passthrough_is_there_or_refused_in_words(store, area, mount, has_passthrough):
    assert mount(store).xattr("io") == ("passthrough" if has_passthrough else "fallback")
    if PORTABLE:
        assert not has_passthrough
        done = run_sharrfs(store, area, "-f", "-o", "io=passthrough", env=native_environment())
        assert done.returncode == 32
        assert done.stderr == (
            "sharrfs: io=passthrough cannot be had: "
            "this sharrfs is built without it (-Dportable=true)\n"
        )
