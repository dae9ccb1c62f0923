# SPDX-License-Identifier: BSD-3-Clause
"""What the manual page promises of the two io modes; test_data.py has the data themselves."""

from __future__ import annotations

import errno
import mmap
import os
import re
import signal
import subprocess

import numpy as np
import pytest
from support.build import SHARRFS
from support.mount import run_sharrfs
from support.remote import ProcessDied
from support.wait import wait_for

pytestmark = pytest.mark.fuse

SHARED_READ = {"flags": mmap.MAP_SHARED, "prot": mmap.PROT_READ}
SHARED_BOTH = {"flags": mmap.MAP_SHARED, "prot": mmap.PROT_READ | mmap.PROT_WRITE}
PRIVATE = {"flags": mmap.MAP_PRIVATE, "prot": mmap.PROT_READ | mmap.PROT_WRITE}


@pytest.fixture
def fallback(mount, store):
    return mount(store, "io=fallback")


@pytest.fixture
def opened():
    fds = []

    def open_it(path, flags=os.O_RDONLY):
        fds.append(os.open(path, flags))
        return fds[-1]

    yield open_it
    for fd in fds:
        os.close(fd)


# Both modes


def test_read_of_a_writer_is_exact(sa, either, opened):
    array = sa.create("x", 5000, np.uint8)
    fd = opened(either / "x", os.O_RDWR)
    for value in range(20):
        array[:] = value
        assert os.pread(fd, 5000, 0) == array.tobytes()


@pytest.mark.passthrough
def test_read_of_a_reader_is_exact_in_passthrough(sa, direct, opened):
    array = sa.create("x", 5000, np.uint8)
    fd = opened(direct / "x")
    for value in range(20):
        array[:] = value
        assert os.pread(fd, 5000, 0) == array.tobytes()


def test_write_is_seen_by_all_at_once(sa, either, opened):
    array = sa.create("x", 10_000, np.uint8)
    reader = opened(either / "x")
    view = mmap.mmap(reader, 0, **SHARED_READ)
    writer = opened(either / "x", os.O_RDWR)
    for value in range(1, 20):
        assert (view[5000], os.pread(reader, 1, 5000)) == (value - 1, bytes([value - 1]))
        os.pwrite(writer, bytes([value]) * 10_000, 0)
        assert (array[5000], view[5000], os.pread(reader, 1, 5000)) == (
            value,
            value,
            bytes([value]),
        )


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR], ids=["reader", "writer"])
def test_private_map_is_a_copy(sa, either, opened, flags):
    array = sa.create("x", 10_000, np.uint8)
    array[:] = 1
    view = mmap.mmap(opened(either / "x", flags), 0, **PRIVATE)
    assert view[:] == array.tobytes()
    view[5000] = 7
    assert (view[5000], array[5000]) == (7, 1)
    assert (either / "x").read_bytes() == array.tobytes()


def test_deleted_array_lives_for_who_has_mapped_it(sa, either):
    array = sa.create("x", 10_000, np.uint8)
    array[:] = 5
    with open(either / "x", "rb") as file:
        view = mmap.mmap(file.fileno(), 0, **SHARED_READ)
    os.unlink(either / "x")
    assert view[:] == array.tobytes()


def test_dead_daemon_harms_no_array(sa, store, mount, either, opened, errno_of):
    array = sa.create("x", 10_000, np.uint8)
    fd = opened(either / "x", os.O_RDWR)
    os.pwrite(fd, b"written", 0)
    either.kill()
    assert errno_of(os.pread, fd, 1, 0) == errno_of(os.listdir, either) == "ENOTCONN"
    assert array[:7].tobytes() == b"written"
    either.detach()
    again = mount(store, at=either.path)
    assert (again / "x").read_bytes() == array.tobytes()


def test_open_files_end_with_a_daemon_that_is_told_to_go(sa, either, opened, errno_of):
    array = sa.create("x", 10_000, np.uint8)
    fd = opened(either / "x", os.O_RDWR)
    either.expect_dead()
    either.process.terminate()
    assert either.process.wait(20) == 0
    assert not either.is_mounted()
    assert errno_of(os.pread, fd, 1, 0) == errno_of(os.pwrite, fd, b"z", 0) == "ENOTCONN"
    assert array.sum() == 0


def test_mode_is_told_by_the_root_alone(either, errno_of):
    assert either.xattr("io") in ("passthrough", "fallback")
    os.mkdir(either / "group")
    assert errno_of(os.getxattr, either / "group", "user.sharr.io") == "ENODATA"
    assert errno_of(os.setxattr, either, "user.sharr.io", b"fallback") == "EPERM"


# Passthrough


@pytest.mark.passthrough
def test_auto_is_passthrough_where_it_can_be_had(store, mount):
    assert mount(store).xattr("io") == mount(store, "io=passthrough").xattr("io") == "passthrough"


@pytest.mark.passthrough
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR], ids=["reader", "writer"])
def test_map_sees_each_store_at_once(sa, direct, opened, flags):
    array = sa.create("x", 10_000, np.uint8)
    view = mmap.mmap(opened(direct / "x", flags), 0, **SHARED_READ)
    for value in range(20):
        array[:] = value
        assert view[:] == array.tobytes()
    assert direct.counters()["reads"] == 0


@pytest.mark.passthrough
def test_map_is_of_huge_pages_where_the_store_has_them(sa, store, mount, monkeypatch, opened):
    huge = store(options="huge=always")
    monkeypatch.setenv("SHARR_STORE", str(huge))
    sa.create("x", 8 << 20, np.uint8)[:] = 1
    view = mmap.mmap(opened(mount(huge, "io=passthrough") / "x", os.O_RDWR), 0, **SHARED_BOTH)
    assert sum(view[:: 1 << 12]) == 2048
    with open("/proc/self/smaps") as lines:
        smaps = lines.read()
    (own,) = [part for part in re.split(r"\n(?=[0-9a-f]+-)", smaps) if "/mount-" in part]
    assert int(re.search(r"ShmemPmdMapped: +(\d+)|$", own)[1]) >= 4096


# Fallback


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR], ids=["reader", "writer"])
def test_readers_are_as_new_as_the_newest_open(sa, fallback, opened, flags):
    array = sa.create("x", 10_000, np.uint8)
    reader = opened(fallback / "x")
    view = mmap.mmap(reader, 0, **SHARED_READ)
    for value in range(5):
        array[:] = value
        opened(fallback / "x", flags)
        assert view[:] == os.pread(reader, 10_000, 0) == array.tobytes()


@pytest.mark.parametrize("kind", [SHARED_READ, SHARED_BOTH], ids=["read", "both"])
def test_shared_map_of_a_writer_is_refused(sa, fallback, opened, kind):
    sa.create("x", 10_000, np.uint8)
    with pytest.raises(OSError, match="No such device") as caught:
        mmap.mmap(opened(fallback / "x", os.O_RDWR), 0, **kind)
    assert caught.value.errno == errno.ENODEV


def test_map_of_a_dead_daemons_mount_keeps_what_it_has(sa, python, fallback):
    sa.create("x", 64 << 20, np.uint8)[:] = 7
    other = python()
    other.run("a = np.memmap(path, np.uint8, 'r'); first = a[0]", path=str(fallback / "x"))
    fallback.kill()
    assert other.run("a[0]") == 7
    with pytest.raises(ProcessDied) as died:
        other.run("a[-1]")
    assert died.value.returncode == -signal.SIGBUS


def test_stacked_store_has_no_passthrough(sa, store, area, mount, monkeypatch):
    for name in ("lower", "upper", "work"):
        os.mkdir(store / name)
    stacked = area / "stacked"
    stacked.mkdir()
    options = f"lowerdir={store}/lower,upperdir={store}/upper,workdir={store}/work"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "none", stacked], check=True)
    (area / "m").mkdir()
    done = run_sharrfs(stacked, area / "m", "-o", "io=passthrough")
    assert (done.returncode, done.stdout) == (32, "")
    assert "stacked file system (overlayfs): choose another" in done.stderr
    mounted = mount(stacked)
    assert mounted.xattr("io") == "fallback"
    monkeypatch.setenv("SHARR_STORE", str(stacked))
    array = sa.create("x", 10_000)
    array[:] = 3
    assert (mounted / "x").read_bytes() == array.tobytes()
    (mounted / "y").write_bytes(b"new")
    assert sa.attach("y").tobytes() == b"new"


# A kernel that does not know the request.
OLD_KERNEL = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=ioctl:error=ENOTTY"]


@pytest.mark.release_only
def test_old_kernel_refuses_passthrough(store, area):
    done = subprocess.run(
        [*OLD_KERNEL, SHARRFS, store, area, "-f", "-o", "io=passthrough"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (32, "")
    assert done.stderr == ("sharrfs: io=passthrough cannot be had: the kernel has it from 6.9 on\n")


@pytest.mark.release_only
def test_old_kernel_falls_back(sa, store, area):
    sa.create("x", 3)[:] = 7
    point = area / "m"
    point.mkdir()
    daemon = subprocess.Popen([*OLD_KERNEL, SHARRFS, store, point, "-f"])
    wait_for(lambda: os.path.ismount(point), 20, "the mount")
    assert os.getxattr(point, "user.sharr.io") == b"fallback"
    assert sa.attach(f"file://{point}/x", ro=True).tolist() == [7, 7, 7]
    subprocess.run(["umount", point], check=True)
    assert daemon.wait(20) == 0
