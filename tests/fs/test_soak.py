# SPDX-License-Identifier: BSD-3-Clause
"""Several processes at once do everything to the same few arrays, half through the mount and half
directly: what is refused is what must be, what is read is whole, and nobody hangs."""

from __future__ import annotations

import collections
import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import pytest
from support.build import python_environment
from support.mount import Mount
from support.tsan import fixed_addresses, tsan_program

pytestmark = pytest.mark.fuse

SOAK = Path(__file__).parents[1] / "support" / "soak.py"
SUPPRESSIONS = Path(__file__).parent / "tsan.supp"


@pytest.fixture
def soak(store):
    """soak(mount, processes, seconds): what each operation's successes add up to."""
    started = []

    def run(mounted: Mount, processes: int, seconds: int) -> collections.Counter[str]:
        environment = python_environment(SHARR_STORE=str(store))
        for number in range(processes):
            side = "store" if number % 2 else "mount"
            command = [sys.executable, SOAK, store, mounted, side, str(number), str(seconds)]
            started.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            )
        done = collections.Counter()
        for process in started:
            printed, _ = process.communicate(timeout=seconds + 60)
            assert process.returncode == 0
            report = json.loads(printed)
            assert not report["failures"], "\n".join(report["failures"])
            done.update(report["done"])
        return done

    yield run
    for process in started:
        process.kill()
        process.wait(10)
        process.stdout.close()


def assert_the_mount_is_the_store(sa, store, mounted):
    arrays = {item.name.decode() for item in sa.list()}
    groups = {"group-0", "group-1", *(f"group-{number + 10}" for number in range(8))}
    assert set(os.listdir(mounted)) - arrays <= groups
    for name in arrays:
        assert (mounted / name).read_bytes() == sa.copy(name).tobytes()
        shape = mounted.xattr("shape", name)
        assert shape == ",".join(map(str, sa.info(name).shape))


@pytest.mark.parametrize(
    ("processes", "seconds"), [(4, 5), pytest.param(8, 120, marks=pytest.mark.slow)]
)
def test_everything_at_once(sa, store, either, soak, processes, seconds):
    done = soak(either, processes, seconds)
    assert [name for name, count in done.items() if not count] == []
    assert_the_mount_is_the_store(sa, store, either)


class Lives:
    """Threads of this process, each with an array of its own: what is in the making in one of them
    all of them may see."""

    def __init__(self, sa, mounted: Mount, count: int) -> None:
        self.sa, self.mounted = sa, mounted
        self.end, self.failures, self.stale = threading.Event(), [], []
        self.threads = [threading.Thread(target=self.live, args=(n,)) for n in range(count)]

    def __enter__(self) -> Lives:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.end.set()
        for thread in self.threads:
            thread.join()

    def live(self, number: int) -> None:
        path, other = self.mounted / f"own-9{number}", self.mounted / f"own-9{number}9"
        while not self.end.is_set():
            try:
                self.once(path, other)
            except OSError as error:
                into = self.stale if error.errno == errno.ESTALE else self.failures
                into.append(traceback.format_exc())
                path.unlink(missing_ok=True)
                other.unlink(missing_ok=True)
            except AssertionError:
                self.failures.append(traceback.format_exc())

    def once(self, path: Path, other: Path) -> None:
        data = np.arange(12)
        path.write_bytes(data.tobytes())
        os.setxattr(path, "user.sharr.dtype", b"<i8")
        os.setxattr(path, "user.note", b"12")
        os.rename(path, other)
        assert os.getxattr(other, "user.note") == b"12"
        assert self.sa.attach(f"file://{other}", ro=True).tolist() == data.tolist()
        assert other.name in os.listdir(self.mounted)
        assert other.read_bytes() == data.tobytes()
        os.unlink(other)


@pytest.mark.release_only
@pytest.mark.parametrize(
    "io", [pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"]
)
@pytest.mark.parametrize("seconds", [6, pytest.param(120, marks=pytest.mark.slow)])
def test_thread_sanitizer_is_content_with_the_daemon(sa, store, mount, soak, io, seconds):
    """It ends with 0 and says nothing if no race was seen: Mount.finish()."""
    program = tsan_program("fs/sharrfs")
    options = {"TSAN_OPTIONS": f"suppressions={SUPPRESSIONS}"}
    with fixed_addresses():
        mounted = mount(store, f"io={io}", program=program, environment=options)
    with Lives(sa, mounted, 4) as lives:
        done = soak(mounted, 4, seconds)
    assert not lives.failures, "\n".join(lives.failures)
    assert len(lives.stale) <= 1, "\n".join(lives.stale)  # as for those of the soak
    assert [name for name, count in done.items() if not count] == []
    print(f"{sum(done.values())} operations")
    assert_the_mount_is_the_store(sa, store, mounted)


def test_put_into_a_group_that_comes_and_goes(sa, either):
    group, data = either / "group", np.arange(3)
    stop, wrong = threading.Event(), []

    def come_and_go():
        while not stop.is_set():
            for step in (os.mkdir, lambda path: os.unlink(path / "x"), os.rmdir):
                with contextlib.suppress(OSError):
                    step(group)

    other = threading.Thread(target=come_and_go)
    other.start()
    for _ in range(500):
        try:
            sa.put(f"file://{group}/x", data)
        except OSError as error:
            if not isinstance(error, (FileNotFoundError, FileExistsError)):
                wrong.append(error)
    stop.set()
    other.join()
    assert not wrong
