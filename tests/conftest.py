# SPDX-License-Identifier: BSD-3-Clause
"""The fixtures of all tests. What they hand out is described in support/.

`store`   a tmpfs of the test's own; store(size="1m") makes another
`mount`   mount(), mount(store, "io=auto"): sharrfs on it, checked when the test ends
`sa`      the SharedArray of this build, in this process, with SHARR_STORE set to `store`
`python`  python(), python(uid=65534), python(venv="np1"): another process with `sa` and `np`
`old`     the original SharedArray, against numpy 1 and numpy 2, with `store` as its /dev/shm
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys
from pathlib import Path

import hypothesis
import pytest
from support.area import Store, make_area, remove_abandoned_areas, remove_area
from support.build import BUILD, PEERS, PORTABLE, PYMOD, SANITIZED, SHARRFS, python_environment
from support.mount import Mount
from support.namespace import with_mounts
from support.remote import Remote
from support.require import lacking, need_fuse, need_root

# A test that hangs ends the run, with the stack of every thread, instead of stopping it for ever.
TEST_LIFE_S = 300
SLOW_TEST_LIFE_S = 3600

# The parts that the sanitizers can see into.
SANITIZED_FOLDERS = {"lib", "fs", "pymod", "fuzz"}

# Those of what has twins, and of what stands on it.
PORTABLE_FILES = {
    *("lib/test_create.py", "lib/test_faults.py", "lib/test_publish.py"),
    *("lib/test_ephemeral.py", "lib/test_list.py", "lib/test_threads.py"),
    *("pymod/test_event.py", "pymod/test_lock.py", "pymod/test_snapshot.py"),
    *("fs/test_create_through_mount.py", "fs/test_attach_through_mount.py", "fs/test_data.py"),
    *("fs/test_directory.py", "fs/test_ephemeral.py", "fs/test_freshness.py"),
    *("fs/test_growing.py", "fs/test_operations.py", "fs/test_portable.py", "fs/test_staging.py"),
    *("fs/test_staging_names.py", "fs/test_staging_owners.py", "fs/test_staging_attributes.py"),
    "fs/test_start.py",
}

hypothesis.settings.register_profile("sharr", database=None, deadline=None)
hypothesis.settings.load_profile("sharr")

sys.path.insert(0, str(PYMOD))

failed_key = pytest.StashKey[bool]()


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also the tests that take minutes")


def pytest_configure(config):
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        config.real_stderr = os.fdopen(os.dup(2), "w")
    remove_abandoned_areas()


def pytest_report_header():
    return f"build under test: {BUILD}"


def pytest_collection_modifyitems(config, items):
    def wanted(item) -> bool:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            return False
        path = item.path.relative_to(Path(__file__).parent)
        if PORTABLE:
            lacks = item.get_closest_marker("linux_only") or item.get_closest_marker("passthrough")
            return str(path) in PORTABLE_FILES and not lacks
        if not SANITIZED:
            return True
        return path.parts[0] in SANITIZED_FOLDERS and not item.get_closest_marker("release_only")

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    life = SLOW_TEST_LIFE_S if item.get_closest_marker("slow") else TEST_LIFE_S
    faulthandler.dump_traceback_later(life, exit=True, file=item.config.real_stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    item.stash[failed_key] = item.stash.get(failed_key, False) or report.failed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.get_closest_marker("root"):
        need_root()
    if item.get_closest_marker("fuse") or item.get_closest_marker("passthrough"):
        need_fuse()


@pytest.fixture
def area():
    """A folder that other users may enter."""
    folder = make_area()
    yield folder
    remove_area(folder)


@pytest.fixture
def store(area):
    return Store(area)


@pytest.fixture(scope="session")
def has_passthrough():
    """Asked of a mount, once."""
    need_fuse()
    folder = make_area()
    mount = None
    try:
        mount = Mount(Store(folder), folder)
        return mount.xattr("io") == "passthrough"
    finally:
        if mount:
            mount.remove()
        remove_area(folder)


@pytest.fixture
def remotes():
    """Processes of this test. They end before its mounts do, which they may keep busy."""
    processes: list[Remote] = []
    yield processes
    for process in processes:
        process.close()


@pytest.fixture
def mount(request, area, store, remotes):
    need_fuse()
    assert SHARRFS.exists(), f"{SHARRFS} is not built"
    wants_passthrough = request.node.get_closest_marker("passthrough")
    if wants_passthrough and not request.getfixturevalue("has_passthrough"):
        lacking("passthrough", "this kernel or user has no FUSE passthrough")
    mounts: list[Mount] = []

    def make(of: Store = store, *options: str, **how) -> Mount:
        mounts.append(Mount(of, area, options, **how))
        return mounts[-1]

    yield make
    for process in remotes:
        process.close()
    try:
        if not request.node.stash.get(failed_key, False):
            for one in mounts:
                one.finish()
    finally:
        for one in mounts:
            one.remove()
            if request.node.stash.get(failed_key, False) and one.text():
                print(f"--- log of {one}\n{one.text()}")


@pytest.fixture
def sa(store, monkeypatch):
    monkeypatch.setenv("SHARR_STORE", str(store))
    module = importlib.import_module("SharedArray")
    assert Path(module.__file__).is_relative_to(PYMOD), module.__file__
    return module


@pytest.fixture
def python(store, remotes):
    def start(uid: int | None = None, venv: str | None = None, **environment: str) -> Remote:
        executable = peer_python(venv) if venv else Path(sys.executable)
        variables = {"SHARR_STORE": str(store), **environment}
        remotes.append(Remote([executable], python_environment(**variables)))
        remotes[-1].run("import numpy as np, SharedArray as sa, os, sys")
        if uid is not None:
            # Only now: the interpreter may lie where that user cannot read.
            remotes[-1].run("os.setgroups([]); os.setgid(uid); os.setuid(uid)", uid=uid)
        return remotes[-1]

    return start


def peer_python(name: str) -> Path:
    executable = PEERS / name / "bin" / "python"
    assert executable.exists(), f"the peer {name} is not installed: ./dev setup"
    return executable


@pytest.fixture
def old_of(store, remotes):
    """old_of("np1"): for tests that need both of them."""
    need_root()

    def start(name: str) -> Remote:
        # The original knows no place but /dev/shm. The machine's own is never touched: in a mount
        # namespace of its own the process sees the store there.
        script = 'mount --bind "$0" /dev/shm && exec "$@"'
        command = with_mounts(script, store)
        clean = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "PYTHONPATH")}
        remotes.append(Remote([*command, peer_python(name)], clean))
        remotes[-1].run("import numpy as np, SharedArray as sa, os, sys")
        return remotes[-1]

    return start


@pytest.fixture(params=["np1", "np2"])
def old(request, old_of):
    return old_of(request.param)
