# SPDX-License-Identifier: BSD-3-Clause
"""The data of an array through the mount: whose pages they are, and where they end."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from support.build import native_environment
from support.wait import wait_for

pytestmark = pytest.mark.fuse


@pytest.fixture
def opened(either):
    """opened("x", os.O_RDWR): a descriptor of that file of the mount, closed at the end."""
    fds = []

    def open_it(name, flags=os.O_RDONLY):
        fds.append(os.open(either / name, flags))
        return fds[-1]

    yield open_it
    for fd in fds:
        os.close(fd)


@pytest.mark.passthrough
def test_map_is_the_memory_of_the_array_and_the_daemon_sees_none_of_it(sa, direct):
    array = sa.create("x", 100_000, np.uint8)
    with open(direct / "x", "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[0], array[1] = 7, 8
        assert (array[0], view[1]) == (7, 8)
        array[:] = np.arange(100_000) % 251
        assert view[:] == array.tobytes()
    assert direct.counters() == {"reads": 0, "writes": 0, "opens": 1}


@pytest.mark.passthrough
def test_map_of_a_reader_sees_later_stores(sa, direct):
    array = sa.create("x", 10)
    view = np.memmap(direct / "x", np.float64, "r")
    array[3] = 7
    assert view[3] == 7
    assert direct.counters()["reads"] == 0


@pytest.mark.passthrough
def test_two_processes_share_through_the_mount(sa, python, direct):
    array = sa.create("x", 4)
    other = python()
    other.run("a = np.memmap(path, np.float64, 'r+'); a[1] = 5; a[2] = 6", path=str(direct / "x"))
    assert array.tolist() == [0, 5, 6, 0]
    array[0] = 4
    assert other.run("a[0]") == 4


def test_read_only_descriptor_maps_nothing_writable(sa, opened):
    sa.create("x", 10)
    with pytest.raises(PermissionError):
        mmap.mmap(opened("x"), 80, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def test_read_ends_with_the_data(sa, opened):
    sa.create("x", 1003, np.uint8)[:] = 1
    fd = opened("x")
    assert os.pread(fd, 1 << 20, 0) == b"\1" * 1003
    assert os.pread(fd, 1 << 20, 1000) == b"\1" * 3
    assert os.pread(fd, 1 << 20, 1003) == os.pread(fd, 9, 1 << 40) == b""


def test_write_is_seen_and_stays_within_the_data(sa, store, opened, errno_of):
    array = sa.create("x", 10, np.uint8)
    tail = (store / "x").read_bytes()[10:]
    fd = opened("x", os.O_RDWR)
    assert os.pwrite(fd, b"ab", 4) == 2
    assert os.pwrite(fd, b"straddling", 8) == 2
    assert errno_of(os.pwrite, fd, b"z", 10) == "EFBIG"
    assert errno_of(os.pwrite, fd, b"z", 1 << 40) == "EFBIG"
    assert array.tobytes() == b"\0\0\0\0ab\0\0st"
    assert (store / "x").read_bytes()[10:] == tail


def test_appending_is_past_the_end(sa, opened, errno_of):
    sa.create("x", 10, np.uint8)
    assert errno_of(os.write, opened("x", os.O_WRONLY | os.O_APPEND), b"z") == "EFBIG"


def test_whole_file_is_copied_out_and_in(sa, either, area):
    array = sa.create("x", (300, 1000))
    array[:] = np.random.default_rng(1).random((300, 1000))
    subprocess.run(["cp", either / "x", area / "out"], check=True)
    assert (area / "out").read_bytes() == array.tobytes()
    (area / "out").write_bytes(array.tobytes()[::-1])
    command = ["dd", f"if={area}/out", f"of={either}/x", "bs=70001", "conv=notrunc", "status=none"]
    subprocess.run(command, check=True, env=native_environment())
    assert (area / "out").read_bytes() == array.tobytes()


def test_sendfile_sends_what_is_there_at_open(sa, either, area):
    array = sa.create("x", 100_000)
    for value in (1, 2):
        array[:] = value
        shutil.copyfile(either / "x", area / "out")
        assert (area / "out").read_bytes() == array.tobytes()


def test_size_is_fixed(sa, either, opened, errno_of):
    array = sa.create("x", 10, np.uint8)
    array[:] = 7
    fd = opened("x", os.O_RDWR)
    assert errno_of(os.ftruncate, fd, 10) is None
    assert errno_of(os.truncate, either / "x", 10) is None
    for size in (0, 9, 11):
        assert errno_of(os.ftruncate, fd, size) == "EPERM"
    assert errno_of(os.open, either / "x", os.O_RDWR | os.O_TRUNC) == "EPERM"
    assert array.tolist() == [7] * 10


def test_empty_array_may_be_truncated_and_holds_nothing(sa, either, opened, errno_of):
    sa.create("x", 0)
    assert errno_of(os.open, either / "x", os.O_RDWR | os.O_TRUNC) is None
    assert os.pread(opened("x"), 100, 0) == b""
    assert errno_of(os.pwrite, opened("x", os.O_RDWR), b"z", 0) == "EFBIG"


def test_seeking_for_data_and_holes_stays_within_the_data(sa, opened, errno_of):
    array = sa.create("x", 1 << 16, np.uint8)
    array[:] = 1
    fd = opened("x")
    assert os.lseek(fd, 0, os.SEEK_DATA) == 0
    assert os.lseek(fd, 5, os.SEEK_HOLE) == os.lseek(fd, 0, os.SEEK_END) == 1 << 16
    assert errno_of(os.lseek, fd, 1 << 16, os.SEEK_DATA) == "ENXIO"
    assert errno_of(os.lseek, fd, 1 << 16, os.SEEK_HOLE) == "ENXIO"


def test_fallocate_reserves_within_the_data_only(sa, store, opened, errno_of):
    sa.create("x", 1 << 20, np.uint8, reserve=False)
    fd = opened("x", os.O_RDWR)
    assert errno_of(os.posix_fallocate, fd, 0, 1 << 20) is None
    assert os.stat(store / "x").st_blocks * 512 >= 1 << 20
    assert errno_of(os.posix_fallocate, fd, 1, 1 << 20) == "EFBIG"


def test_fsync_works(sa, opened):
    sa.create("x", 10)
    fd = opened("x", os.O_RDWR)
    os.fsync(fd)
    os.fdatasync(fd)


def test_copy_file_range_stays_within_both(sa, opened, errno_of):
    source, target = sa.create("x", 100, np.uint8), sa.create("y", 50, np.uint8)
    source[:] = 9
    a, b = opened("x"), opened("y", os.O_RDWR)
    assert os.copy_file_range(a, b, 100, 0, 20) == 30
    assert target.tolist() == [0] * 20 + [9] * 30
    assert os.copy_file_range(a, b, 100, 100, 0) == 0
    assert errno_of(os.copy_file_range, a, b, 10, 0, 50) == "EFBIG"


def test_deleted_array_lives_while_it_is_open(sa, either, opened):
    sa.create("x", 10, np.uint8)[:] = 5
    fd = opened("x", os.O_RDWR)
    os.unlink(either / "x")
    assert (os.fstat(fd).st_nlink, os.fstat(fd).st_size) == (0, 10)
    assert os.pwrite(fd, b"z", 9) == 1
    assert os.pread(fd, 99, 0) == b"\5" * 9 + b"z"
    os.fchmod(fd, 0o600)


def test_many_opens_cost_the_daemon_one_descriptor(sa, either, opened):
    sa.create("x", 10)
    (pid,) = either.pids()
    opened("x", os.O_RDWR)
    before = len(os.listdir(f"/proc/{pid}/fd"))
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY) * 30:
        opened("x", flags)
    assert len(os.listdir(f"/proc/{pid}/fd")) == before


@pytest.mark.passthrough
def test_opens_of_every_kind_go_together(sa, direct):
    """The kernel answers EIO if one inode is opened in two ways."""
    array = sa.create("x", 1000)
    failed = []

    def work(flags):
        for _ in range(300):
            try:
                fd = os.open(direct / "x", flags)
                os.close(fd)
            except OSError as error:
                failed.append(error)

    threads = [threading.Thread(target=work, args=(f,)) for f in (os.O_RDONLY, os.O_RDWR) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert array.sum() == 0


def test_foreign_truncation_under_a_reader_harms_only_the_reader(sa, store, either, opened):
    sa.create("x", 1 << 22, np.uint8)
    fd = opened("x", os.O_RDWR)  # which no cache answers, in fallback either
    stop = threading.Event()

    def disturb():
        size = os.stat(store / "x").st_size
        with open(store / "x", "r+b") as file:
            while not stop.is_set():
                file.truncate(100)
                os.posix_fallocate(file.fileno(), 0, size)  # no holes: it is sent from its map

    def read_fails():
        try:
            return len(os.pread(fd, 1 << 20, 1 << 20)) > 1 << 20
        except OSError as error:
            return error.errno == errno.EIO

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        wait_for(read_fails, 60, "a truncation in the midst of a reply")
    finally:
        stop.set()
        disturber.join()
    assert either.is_mounted()


def test_fallback_refuses_a_shared_map_to_a_writer(sa, store, mount):
    sa.create("x", 10)
    path = mount(store, "io=fallback") / "x"
    with open(path, "r+b") as file, pytest.raises(OSError, match="No such device"):
        mmap.mmap(file.fileno(), 80)


def test_fallback_reader_starts_with_what_is_there(sa, store, mount):
    array = sa.create("x", 1000)
    path = mount(store, "io=fallback") / "x"
    for value in (1, 2, 3):
        array[:] = value
        assert np.memmap(path, np.float64, "r").tolist() == [value] * 1000


def test_release_gives_the_descriptor_back(sa, either):
    sa.create("x", 10)
    (pid,) = either.pids()
    os.stat(either / "x")
    before = len(os.listdir(f"/proc/{pid}/fd"))
    with open(either / "x", "rb"):
        assert len(os.listdir(f"/proc/{pid}/fd")) == before + 1
    wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) == before)


@pytest.mark.parametrize("how", ["whole", "sparse"])
def test_an_array_whose_attributes_change_all_day_is_read_as_before(sa, store, either, how):
    """From the daemon's map if it has all its pages, whatever lies behind the data."""
    sa.create("x", 1 << 17, reserve=how == "whole")[:1000] = 1
    for i in range(100):
        os.setxattr(either / "x", "user.note", b"%d" % i * 1000)
    st = os.stat(store / "x")
    assert st.st_blocks * 512 < st.st_size
    (pid,) = either.pids()
    with open(either / "x", "rb", buffering=0) as file:
        assert np.frombuffer(file.read(1 << 20), float).sum() == 1000
        mapped = str(store / "x") in Path(f"/proc/{pid}/maps").read_text()
    assert mapped == (how == "whole")
    assert os.stat(store / "x").st_blocks == st.st_blocks
