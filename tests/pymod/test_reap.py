# SPDX-License-Identifier: BSD-3-Clause
"""reap(): what dead processes left is removed, and nothing that anybody may still need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.build import python_environment
from support.remote import Remote
from support.wait import wait_for

EXTENSION_BYTES = 804  # from its start to the end of the file
START_TIME, BOOT_ID, PIDNS = 40, 64, 48  # where in it

pytestmark = pytest.mark.root


@pytest.fixture
def left(store):
    """left("x"), left("x", "ephemeral=True"): made by a process that is gone."""

    def make(name, *options):
        call = ", ".join([f"'{name}'", "8", *options])
        code = f"import os, SharedArray as sa\na = sa.create({call})\nos._exit(0)"
        environment = python_environment(SHARR_STORE=str(store))
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)

    return make


@pytest.fixture
def outcome(sa):
    """The outcome of a real reap() for x, the one array there is; nothing for what it ignores."""

    def call(**how):
        told = sa.reap(**{"dead_creator": True, **how})
        assert [item.name for item in told] in ([b"x"], [])
        return told[0].outcome if told else None

    return call


def edit(store, offset, change):
    """In the extension of x."""
    size = (store / "x").stat().st_size
    with open(store / "x", "r+b") as file:
        file.seek(size - EXTENSION_BYTES + offset)
        byte = file.read(1)[0]
        file.seek(size - EXTENSION_BYTES + offset)
        file.write(bytes([byte ^ change]))


def test_ephemeral_one_that_nobody_holds(sa, store, left):
    left("x", "ephemeral=True")
    assert sa.reap(dry_run=True) == [(b"x", "removable", "ephemeral, and nobody holds it")]
    assert store.names() == ["x"]
    assert sa.reap() == [(b"x", "removed", "ephemeral, and nobody holds it")]
    assert store.names() == []
    assert sa.reap() == []


def test_ephemeral_one_that_is_held(sa, store, python):
    process = python()
    process.run("a = sa.create('x', 3, ephemeral=True)")
    assert sa.reap(dead_creator=True) == [(b"x", "used", "ephemeral, and a process holds it")]
    assert process.run("a.sum()") == 0
    assert store.names() == ["x"]


def test_ordinary_ones_are_left_alone_unless_asked_for(sa, store, left):
    left("x")
    assert sa.reap() == []
    assert store.names() == ["x"]


def test_creator_is_gone_and_nobody_maps_it(sa, store, left):
    left("x")
    (told,) = sa.reap(dead_creator=True, dry_run=True)
    assert (told.name, told.outcome) == (b"x", "removable")
    assert "nobody maps it" in told.why
    assert store.names() == ["x"]
    assert sa.reap(dead_creator=True)[0].outcome == "removed"
    assert store.names() == []


def test_creator_lives(store, python, outcome):
    python().run("sa.create('x', 3); None")
    assert outcome() == "alive"
    assert store.names() == ["x"]


def test_creators_number_is_another_process_by_now(store, python, outcome):
    process = python()
    process.run("sa.create('x', 3); None")
    edit(store, START_TIME, 1)
    assert outcome() == "removed"
    assert process.run("1") == 1


@pytest.mark.parametrize(
    ("offset", "why"), [(BOOT_ID, "before the last boot"), (PIDNS, "in another pid namespace")]
)
def test_creator_that_cannot_be_asked_after(sa, store, left, offset, why):
    left("x")
    edit(store, offset, 1)
    (told,) = sa.reap(dead_creator=True)
    assert told.outcome == "undecided"
    assert why in told.why
    assert store.names() == ["x"]


@pytest.mark.parametrize("options", ["", ", ro=True"], ids=["read-write", "read-only"])
def test_mapped(sa, store, python, left, outcome, options):
    left("x")
    process = python()
    process.run(f"a = sa.attach('x'{options})")
    assert outcome() == "used"
    assert store.names() == ["x"]
    process.run("del a")
    assert outcome() == "removed"


@pytest.mark.passthrough
@pytest.mark.parametrize("options", ["", ", ro=True"], ids=["read-write", "read-only"])
def test_mapped_through_a_mount(store, mount, python, left, outcome, options):
    left("x")
    mounted = mount(store, "io=passthrough")
    process = python()
    process.run(f"a = sa.attach(name{options})", name=f"file://{mounted / 'x'}")
    assert outcome() == "used"
    process.run("del a")
    # The kernel tells the daemon of a close after it has told the program.
    wait_for(lambda: outcome() == "removed", what="the mount lets go of it")


def test_mapped_through_a_mount_without_passthrough(store, mount, python, left, outcome):
    left("x")
    mounted = mount(store, "io=fallback")
    process = python()
    process.run("a = sa.attach(name, ro=True)", name=f"file://{mounted / 'x'}")
    assert outcome() == "used"
    assert store.names() == ["x"]


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_open_in_a_program(store, left, outcome, mode):
    """Not mapped yet: it may be about to."""
    left("x")
    with open(store / "x", mode):
        assert outcome() == "used"
    assert store.names() == ["x"]


def test_of_the_original(store, old_of, outcome):
    old_of("np2").run("_ = sa.create('x', 3)")
    assert outcome() == "undecided"
    assert store.names() == ["x"]


def test_foreign_files_are_not_touched(sa, store):
    (store / "x").write_text("not an array")
    (store / "y").mkdir()
    (store / "z").symlink_to("x")
    os.mkfifo(store / "fifo")
    assert sa.reap(dead_creator=True) == []
    assert store.names() == ["fifo", "x", "y", "z"]


MAKE = "pid = os.fork()\nif pid == 0:\n    sa.create('x', 3); os._exit(0)\n_ = os.waitpid(pid, 0)"
REAP = "[(t.outcome, t.why) for t in sa.reap(dead_creator=True)]"


def test_of_another_user_is_undecided(store, python, left):
    """The kernel lends a file to its owner only, and root's processes are not readable."""
    left("x")
    ((outcome, why),) = python(uid=65534).run(REAP)
    assert outcome == "undecided"
    assert "could be looked at" in why
    assert store.names() == ["x"]


def test_users_reap_what_is_theirs(store, python):
    nobody = python(uid=65534)
    nobody.run(MAKE)
    holder = python()
    holder.run("a = sa.attach('x', ro=True)")
    assert nobody.run(REAP)[0][0] == "used"
    holder.run("del a")
    assert nobody.run(REAP)[0][0] == "removed"
    assert store.names() == []


def test_where_the_kernel_lends_nothing_maps_are_looked_through(store, python, remotes):
    """As root is without CAP_LEASE, with another user's file."""
    python(uid=65534).run(MAKE)
    command = ["setpriv", "--bounding-set", "-lease", sys.executable]
    remotes.append(Remote(command, python_environment(SHARR_STORE=str(store))))
    remotes[-1].run("import SharedArray as sa")
    holder = python()
    holder.run("a = sa.attach('x', ro=True)")
    assert remotes[-2].run(REAP)[0][0] == "used"
    holder.run("del a")
    assert remotes[-2].run(REAP)[0][0] in ("removed", "undecided")  # if one is not readable


def test_group(sa, store, left):
    (store / "g").mkdir()
    left("g/x", "ephemeral=True")
    left("y", "ephemeral=True")
    assert [(t.name, t.outcome) for t in sa.reap(group="g")] == [(b"g/x", "removed")]
    assert os.listdir(store / "g") == []
    assert "y" in store.names()
    with pytest.raises(FileNotFoundError) as caught:
        sa.reap(group="none")
    assert caught.value.filename == "none"


@pytest.fixture
def inside(store, remotes):
    """A process in a pid namespace of its own, with its own /proc."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable]
    remotes.append(Remote(command, python_environment(SHARR_STORE=str(store))))
    remotes[-1].run("import os, subprocess, sys, numpy as np, SharedArray as sa")
    remotes[-1].run(
        "def make(name):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        sa.create(name, 3); os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
    )
    return remotes[-1]


def test_in_another_pid_namespace(sa, store, inside, left):
    left("outside")
    inside.run("make('inside')")
    assert [(t.name, t.outcome) for t in sa.reap(dead_creator=True, dry_run=True)] in (
        [(b"outside", "removable"), (b"inside", "undecided")],
        [(b"inside", "undecided"), (b"outside", "removable")],
    )
    told = inside.run("{t.name: t.outcome for t in sa.reap(dead_creator=True)}")
    assert told == {b"outside": "undecided", b"inside": "removed"}
    assert store.names() == ["outside"]


def test_mapped_outside_of_the_pid_namespace(sa, store, inside):
    """/proc does not show it there, but the kernel knows."""
    inside.run("make('x')")
    a = sa.attach("x")
    assert inside.run("sa.reap(dead_creator=True)[0].outcome") == "used"
    del a
    assert inside.run("sa.reap(dead_creator=True)[0].outcome") == "removed"


def test_attaching_is_not_disturbed(sa, store, python, left):
    """For a moment the kernel keeps others from opening what is looked at: they wait."""
    left("x")
    process = python()
    process.start("for _ in range(3000): sa.attach('x')")
    while process.is_waiting(0):
        sa.reap(dead_creator=True, dry_run=True)
    process.result()
    assert store.names() == ["x"]


def test_store_that_is_a_mount(store, mount, python, left):
    left("x")
    process = python(SHARR_STORE=str(mount(store).path))
    with pytest.raises(OSError, match="reap where the store itself is seen"):
        process.run("sa.reap()")
    assert store.names() == ["x"]


def test_keywords_only(sa):
    with pytest.raises(TypeError):
        sa.reap(True)
