# SPDX-License-Identifier: BSD-3-Clause
"""Several processes at once do everything to the same few arrays, half through the mount and half
directly: what is refused is what must be, what is read is whole, and nobody hangs."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from support.build import python_environment

pytestmark = pytest.mark.fuse

SOAK = Path(__file__).parents[1] / "support" / "soak.py"


@pytest.fixture
def soak(store, either):
    """soak(processes, seconds): what each operation's successes add up to."""
    started = []

    def run(processes: int, seconds: int) -> collections.Counter[str]:
        environment = python_environment(SHARR_STORE=str(store))
        for number in range(processes):
            side = "store" if number % 2 else "mount"
            command = [sys.executable, SOAK, store, either, side, str(number), str(seconds)]
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
    assert set(os.listdir(mounted)) - arrays <= {"group-0", "group-1"}
    for name in arrays:
        assert (mounted / name).read_bytes() == sa.copy(name).tobytes()
        shape = mounted.xattr("shape", name)
        assert shape == ",".join(map(str, sa.info(name).shape))


@pytest.mark.parametrize(
    ("processes", "seconds"), [(4, 5), pytest.param(8, 120, marks=pytest.mark.slow)]
)
def test_everything_at_once(sa, store, either, soak, processes, seconds):
    done = soak(processes, seconds)
    assert [name for name, count in done.items() if not count] == []
    assert_the_mount_is_the_store(sa, store, either)


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
