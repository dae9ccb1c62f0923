# SPDX-License-Identifier: BSD-3-Clause
"""Very many arrays, and a daemon with few descriptors."""

from __future__ import annotations

import collections
import os
import subprocess
import threading

import numpy as np
import pytest
from support.wait import wait_for

pytestmark = [pytest.mark.fuse, pytest.mark.release_only]

DESCRIPTORS = 64


@pytest.fixture(params=[10_000, pytest.param(100_000, marks=pytest.mark.slow)], ids="{:,}".format)
def names(request, sa, store):
    """So many arrays, each of 8 bytes, and their names."""
    made = [f"array-{i:06}" for i in range(request.param)]
    sa.put(made[0], np.zeros(1))
    whole = (store / made[0]).read_bytes()
    for name in made[1:]:
        (store / name).write_bytes(whole)
    return made


@pytest.fixture
def store(store):
    return store(size="2g", options="nr_inodes=0")


def resident_kib(mounted):
    (pid,) = mounted.pids()
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def printed(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_every_program_lists_all(names, either):
    before = resident_kib(either)
    assert sorted(printed("ls", "-f", str(either))) == [".", "..", *names]
    assert sorted(printed("ls", "-U", str(either))) == names
    lines = printed("ls", "-l", str(either))[1:]
    assert [line.split()[-1] for line in lines] == names
    assert {line.split()[4] for line in lines} == {"8"}
    found = printed("find", str(either), "-type", "f", "-size", "8c", "-printf", "%P\n")
    assert sorted(found) == names
    with os.scandir(either) as entries:
        assert sorted(entry.name for entry in entries if entry.stat().st_size == 8) == names
    each = (resident_kib(either) - before) * 1024 / len(names)
    print(f"\n{len(names)} arrays: {each:.0f} bytes of the daemon's memory per array")
    assert each < 1000


def test_each_is_listed_once_while_others_come_and_go(sa, store, names, either):
    stop, wrong = threading.Event(), []

    def disturb(folder, prefix):
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{prefix}-{number % 50}"
            with open(folder / f"{name}.new", "wb") as file:
                file.write(b"12345678")
            if folder == store:
                os.unlink(folder / f"{name}.new")
                sa.put(f"{name}.new", np.zeros(1))
            os.rename(folder / f"{name}.new", folder / name)
            os.rename(folder / name, folder / f"{prefix}-moved")
            os.unlink(folder / f"{prefix}-moved")

    def replace():
        number = 0
        while not stop.is_set():
            number += 1
            sa.put(names[number % 50], np.zeros(1), replace=True)

    def run(*job):
        try:
            job[0](*job[1:])
        except OSError as error:
            wrong.append(error)

    jobs = [(disturb, store, "store"), (disturb, either.path, "mount"), (replace,)]
    threads = [threading.Thread(target=run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for _ in range(3):
        counts = collections.Counter(os.listdir(either))
        assert counts.most_common(1)[0][1] == 1
        # What is replaced just then may be missing: the store itself lists it so.
        assert set(names[50:]) <= set(counts)
        others = set(counts) - set(names)
        assert all(name.startswith(("store-", "mount-")) for name in others)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "mode", [pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"]
)
def test_500_arrays_open_many_times_with_few_descriptors(sa, store, mount, errno_of, mode):
    names = [f"x{i}" for i in range(500)]
    for name in names:
        sa.put(name, np.zeros(1))
    mounted = mount(store, f"io={mode}", descriptors=DESCRIPTORS)
    (pid,) = mounted.pids()
    os.stat(mounted)
    before = len(os.listdir(f"/proc/{pid}/fd"))
    opened, refused = {}, []
    for _ in range(10):
        for name in names:
            held = opened.setdefault(name, [])
            code = errno_of(
                lambda n=name, into=held: into.append(os.open(mounted / n, os.O_RDONLY))
            )
            assert code in (None, "ENFILE")
            if code:
                refused.append(name)
                assert not held, "it is open already, and costs nothing"
    have = [name for name in names if opened[name]]
    assert DESCRIPTORS // 2 < len(have) < DESCRIPTORS
    assert len(refused) >= 10 * (len(names) - DESCRIPTORS)
    for name in have:
        for fd in opened[name]:
            assert os.pread(fd, 8, 0) == bytes(8)
            os.close(fd)
    wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, what="the descriptors' close")
    for name in names:
        assert (mounted / name).read_bytes() == bytes(8)
