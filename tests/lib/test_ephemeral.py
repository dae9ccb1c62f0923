# SPDX-License-Identifier: BSD-3-Clause
"""Ephemeral arrays: there as long as somebody holds them, and not a moment shorter."""

from __future__ import annotations

import os
import shutil

import pytest
from lib.clib import EPHEMERAL, REPLACE
from lib.conftest import NOBODY
from support.tracing import traced
from support.wait import wait_for


def test_goes_with_the_last_who_detaches(c, store):
    first = c.create("x", EPHEMERAL)
    second = c.attach("x")
    first.detach()
    assert store.names() == ["x"]
    second.detach()
    assert store.names() == []


def test_every_holder_counts(c, store, other):
    first = c.create("x", EPHEMERAL)
    child = other()
    child.run("a = c.attach('x', READONLY)")
    first.detach()
    assert store.names() == ["x"]
    child.run("a.detach()")
    assert store.names() == []


def test_holder_that_is_killed(c, store, other):
    child = other()
    child.run("a = c.create('x', EPHEMERAL)")
    assert c.stat("x").flags == EPHEMERAL
    child.kill()
    with pytest.raises(FileNotFoundError):
        c.attach("x")
    assert store.names() == []


@pytest.mark.parametrize("look", ["stat", "attach", "list"])
def test_whoever_meets_a_leftover_removes_it(c, store, other, look):
    child = other()
    child.run("a = c.create('x', EPHEMERAL)")
    child.kill()
    if look == "list":
        assert c.list() == []
    else:
        with pytest.raises(FileNotFoundError):
            getattr(c, look)("x")
    assert store.names() == []


@pytest.mark.fuse
@pytest.mark.linux_only
def test_daemon_opens_no_name_for_data(store, other, mount, area):
    """Somebody may have put anything there between two looks."""
    mounted = mount()
    child = other()
    child.run("a = c.create('x', EPHEMERAL)")
    with traced(mounted, area / "trace", "trace=openat,unlinkat"):
        child.kill()
        wait_for(lambda: store.names() == [])
    calls = (area / "trace").read_text().splitlines()
    named = [call for call in calls if "openat(" in call and '"x"' in call]
    assert any("unlinkat" in call for call in calls)
    assert named
    assert all("O_PATH" in call for call in named), named


def test_another_user_who_may_only_read_removes_nothing_that_is_held(c, store, other):
    c.create("x", EPHEMERAL, mode=0o644)
    nobody = other(uid=NOBODY)
    assert nobody.run("c.names()") == ["x"]
    assert nobody.run("c.attach('x', READONLY).info.flags") == EPHEMERAL
    assert store.names() == ["x"]


def test_looking_does_not_hold_it(c, store):
    array = c.create("x", EPHEMERAL)
    before = len(os.listdir("/proc/self/fd"))
    c.stat("x")
    c.list()
    c.copy("x", 24)
    assert len(os.listdir("/proc/self/fd")) == before
    array.detach()
    assert store.names() == []


def test_forked_child_does_not_take_its_parents(c, store):
    array = c.create("x", EPHEMERAL)
    pid = os.fork()
    if pid == 0:
        array.detach()
        os._exit(0)
    os.waitpid(pid, 0)
    assert store.names() == ["x"]
    assert c.attach("x").info.flags == EPHEMERAL


def test_copy_of_one_is_a_file_like_any_other(c, area, store):
    """A backup of an ephemeral array must not go when somebody looks at it."""
    c.create("x", EPHEMERAL).data[:] = 5
    for backup in (area / "backup", store / "backup"):
        shutil.copyfile(store / "x", backup)
        assert c.stat(f"file://{backup}").flags == 0
        array = c.attach(f"file://{backup}")
        assert array.data.tolist() == [5, 5, 5]
        array.detach()
        assert backup.exists()
    assert c.names() == ["backup", "x"]


def test_changed_attributes_leave_it_ephemeral(c, store):
    array = c.create("x", EPHEMERAL)
    c.set_attrs("x", {"a": b"1"})
    assert c.stat("x").flags == EPHEMERAL
    array.detach()
    assert store.names() == []


def test_deleted_or_replaced_meanwhile(c, store):
    for call in (c.delete, lambda name: c.create(name, REPLACE)):
        array = c.create("x", EPHEMERAL)
        call("x")
        names = store.names()
        array.detach()
        assert store.names() == names


def test_prepared_and_never_published(c, store):
    c.prepare("x", EPHEMERAL).detach()
    assert store.names() == []


def test_attachers_and_detachers_all_at_once(c, store, other):
    children = [other() for _ in range(4)]
    for child in children:
        child.start(
            "for i in range(300):\n"
            "    try: a = c.create('x', EPHEMERAL)\n"
            "    except FileExistsError:\n"
            "        try: a = c.attach('x', READONLY)\n"
            "        except FileNotFoundError: continue\n"
            "    assert os.path.exists(os.environ['SHARR_STORE'] + '/x')\n"
            "    a.detach()\n"
        )
    for child in children:
        child.result()
    wait_for(lambda: store.names() == [], what="the end of the last")
