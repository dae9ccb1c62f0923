# SPDX-License-Identifier: BSD-3-Clause
"""Many arrays, few descriptors."""

from __future__ import annotations

import fcntl
import os
import resource
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from support.wait import wait_for

pytestmark = pytest.mark.fuse


def limit_descriptors(mounted, count):
    (pid,) = mounted.pids()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, count))
    return pid


def test_64_descriptors_serve_500_arrays_one_after_the_other(sa, either):
    for i in range(500):
        sa.create(f"x{i}", 1)
    limit_descriptors(either, 64)
    for _ in range(3):
        for i in range(500):
            with open(either / f"x{i}", "rb") as file:
                assert len(file.read()) == 8


def test_out_of_descriptors_is_an_error_and_passes(sa, either, errno_of):
    for i in range(80):
        sa.create(f"x{i}", 1)
    limit_descriptors(either, 64)
    opened, failed = [], None
    for i in range(80):
        failed = errno_of(lambda n=i: opened.append(os.open(either / f"x{n}", os.O_RDONLY)))
        if failed:
            break
    assert failed == "ENFILE"
    assert len(opened) > 40
    assert os.pread(opened[-1], 8, 0) == bytes(8)
    for fd in opened:
        os.close(fd)
    wait_for(lambda: errno_of(os.open, either / "x79", os.O_RDONLY) is None)


def test_out_of_descriptors_no_listing_is_short(sa, either, errno_of):
    names = {f"x{i}" for i in range(80)}
    for name in names:
        sa.create(name, 1)
    limit_descriptors(either, 64)
    held = []
    while errno_of(lambda: held.append(os.open(either / f"x{len(held)}", os.O_RDONLY))) is None:
        pass
    while held:
        listed = []
        code = errno_of(lambda into=listed: into.extend(os.listdir(either)))
        assert (code, set(listed)) in ((None, names), ("ENFILE", set()))
        os.close(held.pop())
    assert code is None


@pytest.mark.release_only
def test_memory_per_array_is_small(sa, either):
    def resident():
        with open(f"/proc/{pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    (pid,) = either.pids()
    for i in range(3000):
        sa.create(f"a{i:05}", 1)
    assert len(list(os.scandir(either))) == 3000
    before = resident()
    for i in range(10_000):
        sa.create(f"b{i:05}", 1)
    assert sum(entry.stat().st_size for entry in os.scandir(either)) == 13_000 * 8
    assert (resident() - before) * 1024 < 10_000 * 600


def test_new_files_without_end_are_refused_and_no_harm_to_what_is_open(sa, store, either, errno_of):
    sa.put("x", np.arange(3))
    reader = os.open(either / "x", os.O_RDONLY)
    (pid,) = either.pids()
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, most))
    made, code = [], None
    while code is None and len(made) < 100:
        name = f"new{len(made)}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        code = errno_of(lambda n=name, f=flags: made.append(os.open(either / n, f)))
    assert code == "ENFILE"
    assert np.frombuffer(os.pread(reader, 24, 0), int).tolist() == [0, 1, 2]
    assert store.names() == ["x"]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (256, most))  # publishing takes some for a moment
    for fd in made:
        os.write(fd, b"abc")
        os.close(fd)
    os.close(reader)
    wait_for(lambda: len(store.names()) == len(made) + 1)
    assert {sa.attach(f"new{i}").tobytes() for i in range(len(made))} == {b"abc"}


LOCK_OFFSET = (1 << 62) + 1  # of what changes an array's metadata, lib/rewrite.c


def hold_metadata(path):
    """A descriptor that keeps others from changing the array's metadata."""
    fd = os.open(path, os.O_RDWR)
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, LOCK_OFFSET, 1, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
    return fd


def test_who_keeps_metadata_locked_does_not_hold_up_others(sa, store, either, errno_of):
    names = [f"x{i}" for i in range(20)]  # more than the daemon has threads
    held, told = [], []
    for name in names:
        sa.create(name, 1)
        held.append(hold_metadata(store / name))
    sa.create("other", 3)

    def change(name):
        told.append(errno_of(os.setxattr, either / name, "user.note", b"?"))

    changing = [threading.Thread(target=change, args=(name,)) for name in names]
    for thread in changing:
        thread.start()
    hasty = len(names) - 4
    wait_for(lambda: len(told) >= hasty)
    assert os.stat(either / "other").st_size == 24
    assert "other" in os.listdir(either)
    assert (either / "other").read_bytes() == bytes(24)
    assert len(told) == hasty  # the others are waiting all the while
    for thread in changing:
        thread.join(20)
    assert told == ["EBUSY"] * len(names)
    for fd in held:
        os.close(fd)
    assert errno_of(os.setxattr, either / "x0", "user.note", b"!") is None


def test_files_that_are_made_and_never_opened_do_not_use_up_descriptors(sa, either, errno_of):
    """By mknod: each is a descriptor of the daemon's, and of nobody else."""
    sa.put("x", np.arange(3))
    limit_descriptors(either, 100)
    codes = [errno_of(os.mknod, either / f"new{i}") for i in range(200)]
    assert {*codes} == {None, "ENFILE"}
    assert 16 <= codes.count(None) <= 32
    assert np.fromfile(either / "x", int).tolist() == [0, 1, 2]
    os.unlink(either / "new0")
    assert wait_for(lambda: errno_of(os.mknod, either / "again") is None or None) is True
    with open(either / "again", "wb") as file:
        file.write(b"abc")
    assert sa.attach("again").tobytes() == b"abc"


def test_file_that_a_dead_process_made_by_mknod_is_in_nobodys_way(sa, either, errno_of):
    """As of a tar that was killed before it opened it."""
    script = "import os, sys; os.mknod(sys.argv[1])"
    subprocess.run([sys.executable, "-S", "-E", "-c", script, either / "x"], check=True)
    assert errno_of(os.mknod, either / "x") is None
    with open(either / "x", "wb") as file:
        file.write(b"abc")
    assert sa.attach("x").tobytes() == b"abc"


def test_daemon_that_may_not_write_large_files_lives_and_says_so(sa, either, errno_of):
    """Of a draft, a fallocate and an npy file; the kernel would end it by a signal."""
    (pid,) = either.pids()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    with open(either / "x", "xb", buffering=0) as file:
        assert file.write(bytes(1 << 19)) == 1 << 19
        assert errno_of(os.pwrite, file.fileno(), b"abc", 1 << 21) == "EFBIG"
        assert errno_of(os.ftruncate, file.fileno(), 1 << 21) == "EFBIG"
        assert errno_of(os.posix_fallocate, file.fileno(), 0, 1 << 21) == "EFBIG"
        assert errno_of(file.close) == "EFBIG"
    assert os.listdir(either) == []
    assert errno_of(np.save, either / ".npy" / "y.npy", np.zeros(1 << 20)) == "EFBIG"
    sa.put(f"file://{either}/z", np.arange(3))
    assert sa.attach("z").tolist() == [0, 1, 2]
    assert os.listdir(either) == ["z"]


def test_store_that_becomes_read_only(sa, store, either, errno_of):
    sa.put("x", np.arange(3))
    os.mkdir(store / "group")
    draft = open(either / "new", "xb", buffering=0)  # noqa: SIM115
    draft.write(b"abc")
    draft.close()
    read_only = ["mount", "-o", "remount,ro", store]  # refused as long as one is open for writing
    wait_for(lambda: subprocess.run(read_only, capture_output=True, check=False).returncode == 0)
    try:
        for call in (
            lambda: os.open(either / "x", os.O_RDWR),
            lambda: os.open(either / "y", os.O_WRONLY | os.O_CREAT),
            lambda: os.mkdir(either / "made"),
            lambda: os.rmdir(either / "group"),
            lambda: os.unlink(either / "x"),
            lambda: os.rename(either / "x", either / "y"),
            lambda: os.chmod(either / "x", 0o600),
            lambda: os.utime(either / "x", (1, 1)),
            lambda: os.mknod(either / "y"),
            lambda: os.setxattr(either / "x", "user.sharr.dtype", b"<f8"),
        ):
            assert errno_of(call) == "EROFS"
        assert np.fromfile(either / "x", int).tolist() == [0, 1, 2]
        assert np.load(either / ".npy" / "x.npy").tolist() == [0, 1, 2]
        assert sorted(os.listdir(either)) == ["group", "new", "x"]
        assert os.statvfs(either).f_bavail == os.statvfs(store).f_bavail
    finally:
        subprocess.run(["mount", "-o", "remount,rw", store], check=True)
    os.rename(either / "x", either / "y")
    assert sorted(store.names()) == ["group", "new", "y"]


def test_store_out_of_inodes(sa, store, mount, errno_of):
    """As by a quota: an error, nothing half-made, and all goes on when there are some again."""
    small = store(options="nr_inodes=12")
    mounted = mount(small)
    made = []
    while len(made) < 12:
        name = f"x{len(made)}"
        code = errno_of(lambda n=name: (mounted / n).write_bytes(b"abc"))
        if code:
            break
        made.append(name)
    assert code == "ENOSPC"
    assert errno_of(os.mkdir, mounted / "group") == "ENOSPC"
    assert sorted(os.listdir(mounted)) == small.names() == sorted(made)
    os.unlink(mounted / made[0])
    wait_for(lambda: errno_of(os.mkdir, mounted / "group") is None)
    assert (mounted / made[1]).read_bytes() == b"abc"


def test_full_store(sa, store, mount, errno_of):
    """A new file that finds no room is not made, and what was there is as before."""
    small = store(size="1m")
    mounted = mount(small)
    (mounted / "x").write_bytes(b"abc")
    fd = os.open(mounted / "new", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    codes = [errno_of(os.write, fd, bytes(1 << 17)) for _ in range(10)]
    assert codes[0] is None
    assert codes[-1] == "ENOSPC"
    assert errno_of(os.close, fd) == "ENOSPC"
    assert os.listdir(mounted) == small.names() == ["x"]
    assert (mounted / "x").read_bytes() == b"abc"
    wait_for(lambda: errno_of(lambda: (mounted / "y").write_bytes(bytes(1 << 19))) is None)
    assert sorted(small.names()) == ["x", "y"]


def test_what_is_looked_up_while_it_is_replaced_does_not_fill_the_store(sa, store, mount):
    """What the daemon holds for a client's retry is deleted, and its pages are taken still."""
    small = store(size="64m")
    mounted = mount(small)
    data = np.zeros(16 << 20, np.uint8)
    stop, looks = threading.Event(), []

    def look():
        while not stop.is_set():
            looks.append(os.stat(mounted / "x").st_size)

    sa.put(f"file://{small}/x", data)
    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(30):
            seen = len(looks)
            sa.put(f"file://{small}/x", data, replace=True)
            wait_for(lambda seen=seen: len(looks) > seen)
    finally:
        stop.set()
        looker.join()
    assert {*looks} == {data.nbytes}


def test_directories_that_are_open_have_a_bound_of_memory(sa, store, mount, errno_of):
    """Each keeps its names, and a program may have many of them open."""
    mounted = mount(store, "io=fallback")
    os.mkdir(store / "group")
    sa.put("group/x", np.arange(3))
    for i in range(4000):
        os.link(store / "group" / "x", store / "group" / f"{i:0255}")
    held, code = [], None
    while code is None and len(held) < 800:
        held.append(os.scandir(mounted / "group"))
        code = errno_of(lambda: next(held[-1]))
    assert code == "ENOMEM"
    assert 100 < len(held) <= (512 << 20) / (4000 * 256)
    assert os.listdir(mounted) == ["group"]
    assert errno_of(os.listdir, mounted / "group") == "ENOMEM"
    assert [len(list(one)) for one in held[:2]] == [4000, 4000]
    for one in held:
        one.close()
    wait_for(lambda: errno_of(os.listdir, mounted / "group") is None)
    assert len(os.listdir(mounted / "group")) == 4001


def names_in_one_place(count):
    """Names that a hash without a seed, as it once was, puts into 64 places of 65,536."""
    numbers = np.arange(count << 10, dtype=np.uint64)
    with np.errstate(over="ignore"):
        value = np.full(len(numbers), 0xCBF29CE484222325, np.uint64)
        for shift in range(0, 32, 4):
            letter = np.uint64(97) + (numbers >> np.uint64(shift) & np.uint64(15))
            value = (value ^ letter) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(29)
    for number in numbers[value % np.uint64(1 << 16) < 64]:
        yield "".join(chr(97 + (int(number) >> shift & 15)) for shift in range(0, 32, 4))


@pytest.mark.slow
@pytest.mark.release_only
def test_names_that_were_chosen_to_meet_in_one_place_are_read_as_fast(sa, store, mount):
    mounted = mount(store, "io=fallback")
    sa.put("x", np.arange(3))

    def seconds(group, names):
        (store / group).mkdir()
        for name in names:
            os.link(store / "x", store / group / name)
        began = time.monotonic()
        with os.scandir(mounted / group) as entries:
            next(entries)
        return time.monotonic() - began

    chosen = list(names_in_one_place(20_000))
    assert len(chosen) > 15_000
    others = [f"{i:08}" for i in range(len(chosen))]
    fair = seconds("a", others) + seconds("b", others)
    assert seconds("chosen", chosen) < 5 * fair
