# SPDX-License-Identifier: BSD-3-Clause
"""create(ephemeral=True): arrays that go with the last process that has them attached."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from support.build import python_environment
from support.wait import wait_for


@pytest.fixture
def peer(python):
    """peer(): another process that has `a` attached."""

    def start():
        process = python()
        process.run("a = sa.attach('x')")
        return process

    return start


def test_goes_with_its_last_view(sa, store):
    a = sa.create("x", (3, 4), ephemeral=True)
    b = a[1:].T
    del a
    assert store.names() == ["x"]
    del b
    assert store.names() == []


def test_goes_with_the_last_process(sa, store, peer):
    a = sa.create("x", 3, ephemeral=True)
    process = peer()
    del a
    assert store.names() == ["x"]
    process.close()
    assert store.names() == []


def test_is_told(sa, store):
    a = sa.create("x", 3, ephemeral=True)
    sa.create("y", 3)
    assert sa.info("x").ephemeral is True
    assert sa.info("y").ephemeral is False
    del a


@pytest.mark.parametrize("call", ["attach", "info", "copy", "delete"])
def test_killed_holder_leaves_no_array(sa, store, python, call):
    process = python()
    process.run("a = sa.create('x', 3, ephemeral=True)")
    process.kill()
    with pytest.raises(FileNotFoundError):
        getattr(sa, call)("x")
    assert store.names() == []


def build(sa):
    with sa.building("x", 5):
        pass


MAKERS = {
    "create": lambda sa: sa.create("x", 5),
    "put": lambda sa: sa.put("x", np.zeros(5)),
    "large": lambda sa: sa.put("x", np.zeros((1 << 18, 5))),
    "building": build,
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_name_that_a_dead_process_left_is_free(sa, store, python, make):
    process = python()
    process.run("a = sa.create('x', 3, ephemeral=True)")
    process.kill()
    make(sa)
    assert sa.info("x").shape[-1] == 5
    assert sa.info("x").ephemeral is False


def test_forked_child_holds_it(sa, store):
    a = sa.create("x", 3, ephemeral=True)
    go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go[1])
        os.read(go[0], 1)
        os._exit(0 if a[0] == 7 else 1)
    a[0] = 7
    del a
    assert store.names() == ["x"]
    assert sa.attach("x")[0] == 7
    os.close(go[1])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with pytest.raises(FileNotFoundError):
        sa.attach("x")
    os.close(go[0])


def test_child_that_drops_it_leaves_it_to_the_parent(sa, store):
    arrays = [sa.create("x", 3, ephemeral=True)]
    pid = os.fork()
    if pid == 0:
        arrays.clear()
        os._exit(0)
    os.waitpid(pid, 0)
    assert store.names() == ["x"]
    arrays.clear()
    assert store.names() == []


def test_another_program_does_not_hold_it(sa, store, python):
    """exec ends the maps and closes the descriptors: what is left nobody holds."""
    process = python()
    process.run("a = sa.create('x', 3, ephemeral=True)")
    process.start("os.execl('/bin/sleep', 'sleep', '60')")
    # The kernel lets go of what exec closes a moment later.
    wait_for(lambda: [told.outcome for told in sa.reap()] == ["removed"])
    assert store.names() == []
    process.kill()


def test_lock_event_and_snapshot_of_one(sa, store, peer):
    a = sa.create("x", 8, ephemeral=True)
    process = peer()
    with sa.lock(a), sa.writing(a):
        with pytest.raises(TimeoutError):
            process.run("sa.lock(a, 0).acquire()")
        a[:] = 2
    process.start("sa.wait(a, 0)")
    sa.notify(a)
    assert process.result() == 1
    assert process.run("sa.snapshot(a).tolist()") == [2] * 8
    process.kill()
    del a
    assert store.names() == []


def test_takes_the_place_of_another(sa, store):
    old = sa.create("x", 3)
    new = sa.create("x", 4, ephemeral=True, replace=True)
    assert sa.attach("x").shape == (4,)
    del new
    assert store.names() == []
    assert old.shape == (3,)


def test_building_one(sa, store):
    with sa.building("x", 3, ephemeral=True) as a:
        a[:] = 1
    assert sa.attach("x").tolist() == [1, 1, 1]
    del a
    assert store.names() == []


def test_copy_of_one_is_an_ordinary_array(sa, store):
    a = sa.create("x", 3, ephemeral=True)
    a[:] = 4
    (store / "y").write_bytes((store / "x").read_bytes())
    del a
    assert sa.attach("y").tolist() == [4, 4, 4]
    assert sa.info("y").ephemeral is False
    assert store.names() == ["y"]


def test_no_descriptor_is_left(sa, store):
    before = len(os.listdir("/proc/self/fd"))
    arrays = [sa.create(f"x{i}", 1, ephemeral=True) for i in range(20)]
    assert len(os.listdir("/proc/self/fd")) == before + 20
    arrays.clear()
    assert len(os.listdir("/proc/self/fd")) == before


RACE = """
made = met = missed = 0
for i in range(rounds):
    try:
        a = sa.create("x", 3, ephemeral=True)
        made += 1
    except FileExistsError:
        try:
            a = sa.attach("x")
            met += 1
        except FileNotFoundError:
            missed += 1
            continue
    assert os.path.exists(path)  # what is held has its name
    a[0] += 1
    del a
made, met, missed
"""


def race(store, python, rounds):
    """Attach against the last detach: what one has is never deleted, and at the end all is."""
    processes = [python() for _ in range(4)]
    descriptors = [process.run("len(os.listdir('/proc/self/fd'))") for process in processes]
    for process in processes:
        process.start(RACE, rounds=rounds // 4, path=str(store / "x"))
    counts = np.array([process.result(1000) for process in processes])
    assert counts.sum() == rounds
    assert (counts.sum(axis=0)[:2] > 0).all()
    assert store.names() == []
    after = [process.run("len(os.listdir('/proc/self/fd'))") for process in processes]
    assert after == descriptors


def test_attach_against_the_last_detach(store, python):
    race(store, python, 2_000)


@pytest.mark.slow
def test_attach_against_the_last_detach_100_000_times(store, python):
    race(store, python, 100_000)


def test_exist_ok_is_one_more_holder(sa, store):
    a = sa.create("x", 3, ephemeral=True)
    b = sa.create("x", 3, ephemeral=True, exist_ok=True)
    del a
    assert store.names() == ["x"]
    del b
    assert store.names() == []


def test_interpreter_that_ends_lets_go(store):
    code = "import SharedArray as sa; a = sa.create('x', 3, ephemeral=True)"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=python_environment(SHARR_STORE=str(store))
    )
    assert store.names() == []
