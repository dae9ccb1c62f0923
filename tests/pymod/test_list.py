# SPDX-License-Identifier: BSD-3-Clause
"""list(): what it found is kept for the next one, and is never that of a file that has changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from operator import is_

import numpy as np
import pytest
from support.wait import wait_for

NAMES = ["a", "b", "c"]


def told(item):
    """As ArrayDesc and ArrayInfo tell it alike."""
    return (getattr(item, "descr", item.dtype), item[2], item.order, item.nbytes)


def listed(sa, group=None):
    return {item.name.decode(): told(item) for item in sa.list(group)}


def looked_at(sa, store, group=""):
    """The same by info(), which keeps nothing."""
    found = {}
    for name in os.listdir(store / group):
        with contextlib.suppress(OSError):
            found[os.path.join(group, name)] = told(sa.info(os.path.join(group, name)))
    return found


def settle(sa, group=None):
    """Until it is kept, which is believed of files that have not changed for two seconds."""
    wait_for(lambda: all(map(is_, sa.list(group), sa.list(group))))


@pytest.fixture
def kept(sa):
    for i, name in enumerate(NAMES):
        sa.put(name, np.arange(i + 1.0))
    sa.list()
    settle(sa)
    return sa


# What is done in a group of the arrays a, b and c; place is its path in the store.
CHANGES = {
    "replaced": lambda sa, place: sa.put(f"{place.name}/b", ["x", "y"], replace=True),
    "made again": lambda sa, place: (
        sa.delete(f"{place.name}/b"),
        sa.put(f"{place.name}/b", np.zeros((2, 2), "f4")),
    ),
    "renamed": lambda sa, place: os.rename(place / "b", place / "d"),
    "exchanged": lambda sa, place: (
        os.rename(place / "b", place / "t"),
        os.rename(place / "a", place / "b"),
        os.rename(place / "t", place / "a"),
    ),
    "moved over": lambda sa, place: os.rename(place / "c", place / "b"),
    "copied over": lambda sa, place: shutil.copyfile(place / "c", place / "b"),
    "linked": lambda sa, place: os.link(place / "b", place / "d"),
    "cut off": lambda sa, place: os.truncate(place / "b", 3),
    "overwritten": lambda sa, place: (place / "b").write_bytes(b"text"),
    "deleted": lambda sa, place: os.unlink(place / "b"),
    "a group": lambda sa, place: (os.unlink(place / "b"), os.mkdir(place / "b")),
}


def test_what_has_changed_is_looked_at_again(sa, store):
    for group in CHANGES:
        (store / group).mkdir()
        for i, name in enumerate(NAMES):
            sa.put(f"{group}/{name}", np.arange(i + 1.0))
    for group in CHANGES:
        settle(sa, group)
    for group, change in CHANGES.items():
        before = listed(sa, group)
        change(sa, store / group)
        now = looked_at(sa, store, group)
        assert listed(sa, group) == now != before, group
    for group in CHANGES:
        settle(sa, group)
        assert listed(sa, group) == looked_at(sa, store, group)


def test_what_is_reinterpreted_is_looked_at_again(kept, store, mount):
    os.setxattr(mount() / "b", "user.sharr.dtype", b"<i4")
    assert listed(kept) == looked_at(kept, store)
    assert listed(kept)["b"][0] == np.int32


def test_what_old_sharedarray_makes_and_deletes(kept, store, old):
    old.run("sa.delete('b'); sa.create('b', (2, 3), np.int16); sa.create('d', 5)")
    assert listed(kept) == looked_at(kept, store)
    assert listed(kept)["b"][:2] == (np.int16, (2, 3))


def test_kept_items_are_of_the_group_that_is_asked_for(sa, store):
    for i, group in enumerate(["", "g/", "g/h/"]):
        (store / group).mkdir(exist_ok=True)
        sa.put(f"{group}x", np.zeros(i))
    settle(sa)
    settle(sa, "g")
    for group, name, length in [(None, b"x", 0), ("g", b"g/x", 1), ("g/h", b"g/h/x", 2)] * 2:
        ((found, _, dims),) = sa.list(group)
        assert (found, dims) == (name, (length,))
    os.rename(store / "g/h/x", store / "y")
    assert sa.list("/g/h") == ()
    assert [item.name for item in sa.list("/g")] == [b"g/x"]


def test_who_was_root_is_not_told_of_what_he_may_not_read(sa, python):
    sa.put("all", [1], mode=0o644)
    sa.put("mine", [1], mode=0o600)
    process = python()
    process.run("import operator")
    process.run("alike = lambda: all(map(operator.is_, sa.list(), sa.list()))")
    wait_for(lambda: process.run("alike()"))
    assert len(process.run("[i.name for i in sa.list()]")) == 2
    process.run("os.setgroups([]); os.setresgid(65534, 65534, 0); os.setresuid(65534, 65534, 0)")
    assert process.run("[i.name for i in sa.list()]") == [b"all"]
    process.run("os.setresuid(0, 0, 0)")
    assert len(process.run("[i.name for i in sa.list()]")) == 2


def test_ephemeral_arrays_are_never_kept(kept, python):
    process = python()
    process.run("e = sa.create('e', 3, ephemeral=True)")
    wait_for(lambda: time.time() - kept.info("e").created > 2.1)
    assert len(kept.list()) == len(kept.list()) == 4
    process.kill()
    assert [i.name for i in kept.list() if i.name == b"e"] == []


def test_threads_that_list_while_arrays_come_and_go(kept):
    wrong = []

    def work():
        for _ in range(300):
            items = {item.name.decode(): item for item in kept.list()}
            wrong.extend(n for i, n in enumerate(NAMES) if items[n].dims != (i + 1,))
            wrong.extend(n for n, item in items.items() if n[:1] == "t" and item.dims != (len(n),))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for name in ("t", "tt", "ttt"):
            kept.put(name, np.zeros(len(name)), replace=True)
        kept.delete("tt")
    for thread in threads:
        thread.join()
    assert wrong == []


def test_child_of_a_fork_lists(kept):
    """Also of one in the midst of another thread's listing."""
    stop = threading.Event()

    def work():
        while not stop.is_set():
            kept.list()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(50):
            child = os.fork()
            if child == 0:
                os._exit(len(kept.list()) == len(NAMES))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    finally:
        stop.set()
        thread.join()


def test_what_is_gone_is_not_kept_for_ever(sa, python):
    """Memory follows what there is, not what there was."""
    process = python()
    process.run("import operator")
    process.run("[sa.put(f'x{i}', [i]) for i in range(3000)]")
    process.run("alike = lambda: all(map(operator.is_, sa.list(), sa.list()))")
    wait_for(lambda: process.run("alike()"))
    kept = process.run("sys.getallocatedblocks()")
    process.run("[sa.delete(f'x{i}') for i in range(2999)]")
    process.run("sa.list()")
    assert process.run("sys.getallocatedblocks()") < kept - 3000
