# SPDX-License-Identifier: BSD-3-Clause
"""sharr reap: what dead processes left, and never more than was asked for."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def left(sa, python):
    """An array whose creator is gone and that nobody maps, and one of this process."""
    other = python()
    other.run("sa.create('left', 3)")
    other.close()
    return sa.create("mine", 3)


def test_ephemeral_array_of_a_killed_process(sa, sharr, store, python):
    other = python()
    other.run("e = sa.create('e', 3, ephemeral=True)")
    other.kill(signal.SIGKILL)
    done = sharr("reap")
    assert (done.code, done.err, store.names()) == (0, "", [])
    assert done.out.startswith("removed e: ")


def test_others_stay_unless_asked_for(left, sharr, store):
    done = sharr("reap")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert store.names() == ["left", "mine"]


def test_dry_run_removes_nothing(left, sharr, store):
    done = sharr("reap", "--dead-creator", "--dry-run", "--verbose")
    assert done.code == 0
    told = {line.split(":")[0] for line in done.out.splitlines()}
    assert "removable left" in told
    assert told & {"used mine", "alive mine"}
    assert store.names() == ["left", "mine"]


def test_nobody_can_be_asked(left, sharr, store):
    done = sharr("reap", "--dead-creator")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert store.names() == ["left", "mine"]


def test_group_that_is_not_there(sharr, store):
    done = sharr("reap", "nothing")
    assert (done.code, done.out) == (1, "")
    assert "No such file or directory" in done.err


@pytest.mark.parametrize(("answer", "names"), [("n", ["left", "mine"]), ("y", ["mine"])])
def test_terminal_is_asked(left, terminal, store, answer, names):
    screen = terminal("reap", "--dead-creator")
    screen.expect("removable left: ")
    screen.expect(r"Remove 1 array\? ")
    screen.type(f"{answer}\n")
    assert screen.end() == int(answer == "n")
    assert store.names() == names
