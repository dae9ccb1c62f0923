# SPDX-License-Identifier: BSD-3-Clause
"""Who maps an array: directly, through a mount, more than once, as another user."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
from lib.clib import refused
from support.namespace import with_mounts
from support.remote import Remote

NOBODY = 65534


def test_nobody(c):
    c.create("x").detach()
    assert c.attached("x")[:2] == ([], 0)


def test_this_process_once_however_often_it_maps_it(c):
    c.create("x")
    c.attach("x")
    assert c.attached("x")[:2] == ([os.getpid()], 1)


def test_all_processes_until_they_detach(c, other):
    c.create("x").detach()
    c.create("y")
    others = [other() for _ in range(2)]
    for one in others:
        one.run("a = c.attach('x', READONLY)")
    assert sorted(c.attached("x")[0]) == sorted(one.pid for one in others)
    others[0].run("a.detach()")
    assert c.attached("x")[0] == [others[1].pid]


@pytest.mark.parametrize("room", [0, 1])
def test_room_for_fewer_than_there_are(c, other, room):
    c.create("x")
    one = other()
    one.run("a = c.attach('x')")
    pids, count, _ = c.attached("x", room)
    assert (len(pids), count) == (room, 2)
    assert set(pids) <= {os.getpid(), one.pid}


def test_file_of_any_file_system(c, area):
    c.create(f"file://{area}/x")
    assert c.attached(f"file://{area}/x")[0] == [os.getpid()]


def test_file_of_the_same_inode_number_in_another_store(c, store):
    c.create("x").detach()
    second = store()
    c.create(f"file://{second}/x")
    assert os.stat(second / "x").st_ino == os.stat(store / "x").st_ino
    assert c.attached("x")[0] == []


@pytest.mark.passthrough
@pytest.mark.parametrize("name", ["store", "a store\\with\tblanks"])
def test_through_every_mount_and_by_every_name(c, other, area, mount, name):
    """/proc writes the source of a mount with escapes."""
    folder = area / name
    folder.mkdir()
    one, two = mount(folder), mount(folder)
    c.create(f"file://{folder}/x").detach()
    by_mount = other()
    by_mount.run("a = c.attach(name)", name=f"file://{one}/x")
    for place in (folder, one, two):
        assert c.attached(f"file://{place}/x")[0] == [by_mount.pid]


def test_processes_of_others_are_counted_as_unread(c, other):
    c.create("x", mode=0o666)
    nobody = other(uid=NOBODY)
    pids, count, unread = nobody.run("a = c.attach('x'); c.attached('x')")
    assert pids == [nobody.pid]
    assert unread > 0
    assert set(c.attached("x")[0]) == {os.getpid(), nobody.pid}


def test_where_proc_hides_the_others_there_is_one_that_is_unread(c, store, remotes):
    c.create("x", mode=0o666)
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    environment = {**os.environ, "SHARR_STORE": str(store)}
    remotes.append(Remote(with_mounts(script, "sh", sys.executable), environment))
    remotes[-1].run(
        "import os, sys; sys.path.insert(0, tests)", tests=str(Path(__file__).parents[1])
    )
    remotes[-1].run("from lib.clib import *; c = Library()")
    remotes[-1].run("os.setgroups([]); os.setgid(65534); os.setuid(65534)")
    assert remotes[-1].run("os.path.exists('/proc/1')") is False
    assert remotes[-1].run("c.attached('x')") == ([], 0, 1)


def test_what_is_no_array(c, store):
    (store / "foreign").write_bytes(b"x")
    with refused(errno.EBADMSG):
        c.attached("foreign")
    with refused(errno.ENOENT):
        c.attached("nothing")
