# SPDX-License-Identifier: BSD-3-Clause
"""C1, C2 and C12: which file a name means, and that no other file ever shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading

import numpy as np
import pytest


@pytest.mark.parametrize("name", ["x", "shm://x", "/x"])
def test_name_is_the_file_of_the_store(sa, store, name):
    sa.create(name, 3)
    assert store.names() == ["x"]


@pytest.mark.parametrize("name", ["x", "shm://x", "/x", b"x", b"shm://x"])
def test_every_spelling_means_the_same_array(sa, name):
    sa.create("shm://x", 3)[:] = 7
    assert sa.attach(name).tolist() == [7, 7, 7]
    sa.delete(name)
    assert sa.list() == ()


def test_array_is_seen_only_once_it_can_be_attached(sa, store):
    """As programs do: test for the file in one thread, attach at once."""
    path, seen, wrong = store / "x", 0, []
    stop = threading.Event()

    def make():
        while not stop.is_set():
            sa.create("x", (5, 5))
            sa.delete("x")

    maker = threading.Thread(target=make)
    maker.start()
    while seen < 2000 and not wrong:
        if os.path.exists(path):
            seen += 1
            try:
                wrong += [] if sa.attach("x").shape == (5, 5) else ["shape"]
            except FileNotFoundError:
                pass  # deleted again
            except OSError as error:
                wrong.append(repr(error))
    stop.set()
    maker.join()
    assert not wrong


def test_file_uri_is_exactly_that_file(sa, area):
    folder = area / "deep" / "er"
    folder.mkdir(parents=True)
    sa.create(f"file://{folder}/x", 3)
    assert os.listdir(folder) == ["x"]
    assert sa.list() == ()


def test_file_uri_may_be_relative(sa, area, monkeypatch):
    monkeypatch.chdir(area)
    sa.create("file://x", 3)[:] = 1
    assert sa.attach(f"file://{area}/x").tolist() == [1, 1, 1]


def test_create_shows_no_other_name_meanwhile(sa, area):
    folder = area / "watched"
    folder.mkdir()
    seen: set[str] = set()
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            seen.update(os.listdir(folder))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for i in range(300):
        sa.create(f"file://{folder}/array_{i}", 1000)
        sa.delete(f"file://{folder}/array_{i}")
    stop.set()
    watcher.join()
    assert all(name.startswith("array_") for name in seen)


@pytest.mark.parametrize("tool", ["cp", "mv", "tar"])
def test_file_goes_through(sa, area, tool):
    for name in ("from", "to"):
        (area / name).mkdir()
    sa.create(f"file://{area}/from/x", (2, 3), "f4")[:] = [[1, 2, 3], [4, 5, 6]]
    if tool == "tar":
        packed = subprocess.run(["tar", "cf", "-", "x"], cwd=area / "from", capture_output=True)
        subprocess.run(["tar", "xf", "-"], cwd=area / "to", input=packed.stdout, check=True)
    else:
        subprocess.run([tool, area / "from" / "x", area / "to" / "x"], check=True)
    moved = sa.attach(f"file://{area}/to/x")
    assert moved.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert moved.dtype == np.float32


def test_copy_by_hand_is_an_array_of_its_own(sa, store):
    sa.create("x", 3)[:] = 1
    shutil.copy(store / "x", store / "y")
    sa.attach("y")[:] = 2
    assert sa.attach("x").tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "name",
    [
        *("a b", "a:b", "a[0]", "-rf", "a.b", ".hidden", "_x", "...", "#1", "*", "'", '"', "\n"),
        *("größe", "日本語", "x" * 255, "é" * 127, "shm:x", "file:x", "\udcff\udc80"),
    ],
    ids=repr,
)
def test_name_may_be(sa, store, name):
    sa.create(name, 2)
    assert os.listdir(os.fsencode(store)) == [os.fsencode(name)]
    assert [item.name for item in sa.list()] == [os.fsencode(name)]
    sa.delete(sa.list()[0])
    assert store.names() == []


def test_name_of_a_group(sa, store):
    (store / "group").mkdir()
    sa.create("shm://group/x", 2)[:] = 5
    assert sa.attach("group/x").tolist() == [5, 5]
    assert sa.list() == ()
    assert [item.name for item in sa.list("group")] == [b"group/x"]
