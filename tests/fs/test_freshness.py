# SPDX-License-Identifier: BSD-3-Clause
"""What others do in the store directly, as the mount shows it."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

pytestmark = pytest.mark.fuse


def test_new_array_is_there_at_once(sa, either, errno_of):
    assert errno_of(os.stat, either / "x") == "ENOENT"
    sa.create("x", 3)
    assert os.stat(either / "x").st_size == 24
    assert os.listdir(either) == ["x"]


def test_deleted_array_is_gone_at_once(sa, either, errno_of):
    sa.create("x", 3)
    os.stat(either / "x")
    sa.delete("x")
    assert errno_of(os.open, either / "x", os.O_RDONLY) == "ENOENT"
    assert os.listdir(either) == []


def test_array_made_again_is_the_new_one(sa, either):
    for count in range(1, 50):
        sa.create("x", count, "<i4" if count % 2 else "<f8")[:] = count
        itemsize = 4 if count % 2 else 8
        assert os.stat(either / "x").st_size == itemsize * count
        assert either.xattr("shape", "x") == str(count)
        assert either.xattr("itemsize", "x") == str(itemsize)
        assert len((either / "x").read_bytes()) == itemsize * count
        sa.delete("x")


def test_replaced_array_is_the_new_one_and_the_old_stays_open(sa, store, either):
    sa.create("x", 10)[:] = 1
    with open(either / "x", "rb", buffering=0) as old:
        sa.create("new", 20)[:] = 2
        os.rename(store / "new", store / "x")
        assert np.fromfile(either / "x").tolist() == [2] * 20
        assert np.frombuffer(old.read()).tolist() == [1] * 10


def test_no_reader_ever_sees_another_error_than_that_it_is_gone(sa, store, either):
    """ESTALE and EIO stay between the kernel and the daemon."""
    sa.create("x", 10)
    stop, wrong = threading.Event(), []

    def replace():
        while not stop.is_set():
            for name, count in (("y", 20), ("z", 10)):
                sa.create(name, count)
                os.rename(store / name, store / "x")

    def read():
        for _ in range(400):
            try:
                data = (either / "x").read_bytes()
                wrong.extend([] if len(data) in (80, 160) else [len(data)])
            except OSError as error:
                wrong.append(repr(error))

    replacer = threading.Thread(target=replace)
    replacer.start()
    read()
    stop.set()
    replacer.join()
    assert not wrong


def test_many_readers_of_names_that_are_replaced_all_the_time(sa, store, either):
    names = [f"x{i}" for i in range(6)]
    stop, wrong = threading.Event(), []

    def replace(number):
        while not stop.is_set():
            for name in names:
                sa.put(name, np.zeros(number), replace=True)

    def read(number):
        for i in range(300):
            path = either / names[(i + number) % len(names)]
            try:
                with open(path, "rb", buffering=0) as file:
                    wrong.extend([] if len(file.read()) in (80, 160) else [path])
            except OSError as error:
                wrong.append(repr(error))

    for number in (10, 20):
        for name in names:
            sa.put(name, np.zeros(number), replace=True)
    replacers = [threading.Thread(target=replace, args=[n]) for n in (10, 20)]
    readers = [threading.Thread(target=read, args=[n]) for n in range(6)]
    for thread in replacers + readers:
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    for thread in replacers:
        thread.join()
    assert not wrong


def test_group_that_was_renamed_directly_is_found_again(sa, store, either, errno_of):
    os.mkdir(store / "a")
    sa.create("shm://a/x", 3)
    os.stat(either / "a" / "x")
    os.rename(store / "a", store / "b")
    assert errno_of(os.stat, either / "a" / "x") == "ENOENT"
    assert os.stat(either / "b" / "x").st_size == 24


def test_file_that_becomes_an_array_appears(sa, store, either):
    """As SharedArray makes one: first the file, then its trailer through a map."""
    sa.create("y", 1000)
    whole = (store / "y").read_bytes()
    (store / "x").write_bytes(bytes(len(whole)))
    view = np.memmap(store / "x", np.uint8, "r+")
    view[:] = 0  # only the first store into a page changes the ctime
    assert os.listdir(either) == ["y"]
    view[:] = np.frombuffer(whole, np.uint8)
    assert sorted(os.listdir(either)) == ["x", "y"]


def test_store_that_is_emptied_under_the_mount(sa, store, either):
    os.mkdir(store / "a")
    sa.create("shm://a/x", 3)
    assert os.listdir(either / "a") == ["x"]
    sa.delete("shm://a/x")
    os.rmdir(store / "a")
    assert os.listdir(either) == []
