# SPDX-License-Identifier: BSD-3-Clause
"""Deleting: arrays only, and no one who has it attached is disturbed."""

from __future__ import annotations

import os
from errno import EACCES, EBADMSG

import pytest
from lib.clib import refused
from lib.conftest import NOBODY


def test_deleted(c, store):
    c.create("x")
    c.delete("x")
    assert store.names() == []
    with pytest.raises(FileNotFoundError):
        c.delete("x")


def test_attached_processes_are_not_disturbed(c, other):
    array = c.create("x")
    child = other()
    child.run("a = c.attach('x')")
    c.delete("x")
    child.run("a.data[:] = 8")
    assert array.data.tolist() == [8, 8, 8]


def test_name_is_free_at_once(c):
    old = c.create("x")
    old.data[:] = 1
    c.delete("x")
    new = c.create("x", dtype="<i2", shape=(2, 2))
    assert new.data.tolist() == [[0, 0], [0, 0]]
    assert old.data.tolist() == [1, 1, 1]


def test_space_comes_back_with_the_last_map(c, store):
    array = c.create("x", shape=(1 << 20,))
    c.delete("x")
    assert os.statvfs(store).f_bfree < os.statvfs(store).f_blocks - 2000
    array.detach()
    assert os.statvfs(store).f_bfree == os.statvfs(store).f_blocks


def test_symlink_to_an_array_stays_and_so_does_the_array(c, store):
    c.create("x")
    (store / "link").symlink_to("x")
    with refused(EBADMSG):
        c.delete("link")
    assert store.names() == ["link", "x"]


def test_unwritable_store(c, store, other):
    c.create("x", mode=0o666)
    os.chmod(store, 0o755)
    with refused(EACCES):
        other(uid=NOBODY).run("c.delete('x')")
    assert store.names() == ["x"]


def test_one_of_two_names_of_an_array(c, store):
    c.create("x").data[:] = 5
    os.link(store / "x", store / "y")
    c.delete("x")
    assert c.attach("y").data.tolist() == [5, 5, 5]


def test_only_one_of_many_deletes_succeeds(c, other):
    children = [other() for _ in range(3)]
    for round_number in range(20):
        c.create("x")
        for child in children:
            child.start("try: c.delete('x'); won = 1\nexcept FileNotFoundError: won = 0\nwon")
        assert sum(child.result() for child in children) == 1, round_number
