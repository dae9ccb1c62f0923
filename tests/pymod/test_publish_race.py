# SPDX-License-Identifier: BSD-3-Clause
"""What becomes visible is whole, and what does not come to its end leaves nothing.

Programs test for the file's name and attach at once (COMPAT.md, C1): so do the readers here, in
every round, with this module and with the original.
"""

from __future__ import annotations

import os
import random
import signal

import numpy as np
import pytest
from support.unchanged import Unchanged
from support.wait import wait_for

# Each round has a name of its own, which goes when all readers have reported that they saw it.
READER = """
progress = np.memmap(report, "i8", "r+")
for number in range(first, first + rounds):
    path = os.path.join(folder, f"x{number}")
    while not os.path.exists(path):
        os.sched_yield()
    a = sa.attach(f"x{number}")
    assert a.shape == (lengths[number % len(lengths)],), (number, a.shape)
    assert a[0] == number and (a == number).all(), (number, a)
    progress[reader] = number
"""
LENGTHS = [*[1, 2000, 12345, 64] * 4, 200_000]


def publish(sa, number):
    """put and building in turn, each in both ways that put has."""
    length = LENGTHS[number % len(LENGTHS)]
    way = number % 3
    if way == 0:
        sa.put(f"x{number}", np.full(length, number))
    elif way == 1:
        sa.put(f"x{number}", np.full(2 * length, number)[::2])
    else:
        with sa.building(f"x{number}", length, int) as a:
            a[: length // 2] = number
            a[length // 2 :] = number


def wait_for_all(progress, number, readers):
    looks = 0
    while progress.min() < number:
        os.sched_yield()
        looks += 1
        if looks % 1000 == 0:
            for reader in readers:
                if not reader.is_waiting(0):
                    reader.result()  # raises what it met


def race(sa, area, readers, first, rounds):
    report = area / f"report-{first}"
    report.write_bytes(bytes(8 * len(readers)))
    progress = np.memmap(report, "i8", "r+")
    for number, (reader, folder) in enumerate(readers):
        names = {"folder": folder, "report": str(report), "reader": number, "lengths": LENGTHS}
        reader.start(READER, first=first, rounds=rounds, **names)
    processes = [reader for reader, _ in readers]
    for number in range(first, first + rounds):
        publish(sa, number)
        wait_for_all(progress, number, processes)
        sa.delete(f"x{number}")
    for reader in processes:
        reader.result()


def run_race(sa, store, area, python, old_of, rounds):
    ours = [(python(), str(store)), (python(), str(store))]
    old = [(old_of("np2"), "/dev/shm"), (old_of("np1"), "/dev/shm")]
    few = rounds // 10
    race(sa, area, ours, 1, rounds - few)
    race(sa, area, ours[:1] + old, 1 + rounds - few, few)
    assert store.names() == []


@pytest.mark.root
def test_readers_that_poll_for_the_name_see_whole_arrays(sa, store, area, python, old_of):
    run_race(sa, store, area, python, old_of, 3000)


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.release_only
def test_readers_that_poll_for_the_name_see_whole_arrays_100_000_times(
    sa, store, area, python, old_of
):
    run_race(sa, store, area, python, old_of, 100_000)


RAISED = ["1 / 0", "raise KeyboardInterrupt", "raise SystemExit", "raise GeneratorExit", "a[9**9]"]
INTERRUPT = "signal.raise_signal(signal.SIGINT)"


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("statement", [*RAISED, INTERRUPT])
def test_building_that_raises_leaves_nothing(sa, store, python, statement, replace):
    if replace:
        sa.put("x", np.ones(3))
    other = python()
    other.run(
        "import signal\n"
        "def work():\n"
        "    with sa.building('x', 1 << 20, replace=replace) as a:\n"
        "        a[:] = 1\n"
        f"        {statement}\n"
        "def attempt():\n"
        "    try: work()\n"
        "    except BaseException as error: return type(error).__name__\n",
        replace=replace,
    )
    with Unchanged(store, other.pid):
        raised = other.run("attempt()")
    assert raised in ("ZeroDivisionError", "IndexError", "KeyboardInterrupt") or raised in statement
    if replace:
        assert sa.attach("x").tolist() == [1, 1, 1]


def test_building_whose_name_is_taken_leaves_nothing(sa, store, python):
    other = python()
    other.run(
        "def attempt():\n"
        "    try:\n"
        "        with sa.building('x', 1 << 20) as a: sa.put('x', [1])\n"
        "    except FileExistsError: sa.delete('x')\n"
    )
    with Unchanged(store, other.pid):
        other.run("attempt()")


@pytest.mark.parametrize("replace", [False, True])
def test_killed_in_building_leaves_nothing(sa, store, python, replace):
    if replace:
        sa.put("x", np.ones(3))
    with Unchanged(store):
        other = python()
        other.run("b = sa.building('x', 1 << 20, replace=r); a = b.__enter__()", r=replace)
        other.run("a[:] = 1")
        other.kill()
    assert [name for name, *_ in sa.list()] == ([b"x"] if replace else [])


FOREVER = """
number = 0
while True:
    number += 1
    if number % 2:
        sa.put("x", np.full(50_000, number), replace=True)
    else:
        with sa.building("x", 50_000, int, replace=True) as a:
            a[:] = number
"""


def test_killed_at_any_moment_leaves_the_old_array_or_the_new_one(sa, store, python):
    """In put, in the block, in publishing. What a kill in the middle of replacing leaves has a
    hidden name, and goes with the next list()."""
    moments = random.Random(1)
    sa.put("x", np.zeros(50_000, int))
    for _ in range(8):
        other = python()
        other.start(FOREVER)
        start = sa.copy("x")[0]
        wait_for(lambda before=start: sa.copy("x")[0] != before, what="its first array")
        other.is_waiting(moments.random() / 100)
        other.kill(signal.SIGKILL)
        a = sa.copy("x")
        assert a.shape == (50_000,)
        assert (a == a[0]).all()
        sa.put("x", a - 1000, replace=True)  # that the next one's first is another
    assert [item.name for item in sa.list()] == [b"x"]
    assert store.names() == ["x"]
    sa.delete("x")
    assert store.is_empty()


def test_interrupted_put_is_whole_or_not_there(sa, store, python):
    """SIGINT at any moment: the call comes to its end, and KeyboardInterrupt after it."""
    other = python()
    moments = random.Random(1)
    for _ in range(10):
        other.start("while True: sa.put('x', np.ones(100_000), replace=True)")
        wait_for(lambda: (store / "x").exists(), what="its first array")
        other.is_waiting(moments.random() / 100)
        other.process.send_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            other.result()
        assert sa.attach("x").sum() == 100_000
        assert store.names() == ["x"]
        sa.delete("x")
    assert store.is_empty()
