# SPDX-License-Identifier: BSD-3-Clause
"""Starting, stopping, and what a start that fails says."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.mount import SHARRFS, run_sharrfs
from support.namespace import with_mounts
from support.wait import wait_for

pytestmark = pytest.mark.fuse


WRONG_CALL, MOUNT_FAILED = 1, 32  # the exit codes of mount(8)


def one_line(done, code=MOUNT_FAILED) -> str:
    """The complaint of a start that failed: exactly one line, and nothing on standard output."""
    assert done.returncode == code
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("sharrfs: ")
    return line


def test_version_and_help():
    assert run_sharrfs("--version").stdout.startswith("sharrfs ")
    shown = run_sharrfs("--help")
    assert shown.returncode == 0
    assert "MOUNTPOINT" in shown.stdout
    assert shown.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "where to mount"),
        (["{store}", "{area}", "third"], "too many arguments, from 'third' on"),
        (["{store}", ""], "the mount point has no name"),
        (["", "{area}"], "the store has no name"),
        (["{store}", "{area}", "-o"], "-o needs an option behind it"),
        (["{store}", "{area}", "--bogus"], "unknown option '--bogus'"),
        (["{store}", "{store}/below"], "lies within the store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_call_is_told_in_one_line(store, area, arguments, words):
    os.mkdir(store / "below")
    places = {"store": store, "area": area}
    done = run_sharrfs(*[argument.format(**places) for argument in arguments])
    assert words in one_line(done, WRONG_CALL)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("bogus", "unknown option 'bogus'"),
        ("ro,x=1", "unknown option 'x=1'"),
        ("ronly", "unknown option 'ronly'"),
        ("io=fast", "io=fast is not one of io=auto, io=passthrough and io=fallback"),
        ("io=", "io= is not one of"),
        ("io", "'io' is no option of sharrfs: use io=auto,"),
        ("store=", "the store has no name"),
        ("store", "use store=DIRECTORY"),
        ("strict=no", "use strict alone"),
        ("uid=1000", "change that with chown"),
        ("gid=1000", "change that with chgrp"),
        ("umask=077", "use chmod and umask"),
        ("fmask=077", "change that with chmod"),
        ("dmask=077", "change that with chmod"),
        ("allow_root", "use allow_other"),
        ("remount,ro", "umount and mount again, or 'mount -o remount,bind,ro'"),
    ],
)
def test_wrong_option_is_told_in_one_line(store, area, option, words):
    line = one_line(run_sharrfs(store, area, "-o", option), WRONG_CALL)
    assert words in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{store}", "{area}/none"], "{area}/none does not exist: make it with mkdir"),
        (["{area}/none", "{area}"], "the store {area}/none does not exist"),
        (["{store}", "{area}", "-o", "store={area}/none"], "the store {area}/none does not exist"),
        (["{store}", "{area}/file"], "{area}/file is not a directory"),
        (["{area}/file", "{area}"], "the store {area}/file is not a directory"),
        (["{area}/file/x", "{area}"], "the store {area}/file/x is not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("how", [[], ["-f"]], ids=["daemon", "foreground"])
def test_place_that_cannot_be_had_is_told_in_one_line(store, area, arguments, words, how):
    (area / "file").touch()
    places = {"store": store, "area": area}
    done = run_sharrfs(*[argument.format(**places) for argument in arguments], *how)
    assert words.format(**places) in one_line(done)


def complaint_after(script, zeroth, store, area) -> str:
    """The one line of a start in a mount namespace that a shell script, $0 of which is given, has
    made ready."""
    done = subprocess.run(
        with_mounts(script, zeroth, SHARRFS, store, area),
        capture_output=True,
        text=True,
        check=False,
    )
    return one_line(done)


def test_missing_device_is_told(store, area):
    script = 'mount -t tmpfs none /dev && exec "$@"'
    line = complaint_after(script, "sh", store, area)
    assert "modprobe fuse" in line
    assert line.endswith("--device /dev/fuse; arrays work without a mount")


@pytest.mark.root
@pytest.mark.parametrize("other", ["/dev/null", "{area}/file"])
def test_device_that_is_another_file_is_told(store, area, other):
    (area / "file").touch()
    script = 'mount --bind "$0" /dev/fuse && exec "$@"'
    line = complaint_after(script, other.format(area=area), store, area)
    assert "/dev/fuse: it is not the device of FUSE" in line
    assert line.endswith("--device /dev/fuse; arrays work without a mount")


@pytest.fixture
def lacking_calls(area):
    """lacking_calls("statx,ioctl", "ENOSYS"): a sharrfs on a kernel that has none of these."""

    def lack(calls: str, error: str) -> Path:
        program = area / "sharrfs"
        strace = f"strace -f -qq -o /dev/null -e trace={calls} -e inject={calls}:error={error}"
        program.write_text(f'#!/bin/sh\nexec {strace} {SHARRFS} "$@"\n')
        program.chmod(0o755)
        return program

    return lack


# What came with Linux 3.17 to 5.14, and passthrough's ioctl.
NEWER_CALLS = "statx,renameat2,copy_file_range,process_vm_readv,madvise,ioctl"


@pytest.mark.root
@pytest.mark.release_only
def test_older_kernel_has_the_mount_in_fallback(sa, store, mount, lacking_calls):
    mounted = mount(program=lacking_calls(NEWER_CALLS, "ENOSYS"))
    assert mounted.xattr("io") == "fallback"
    sa.put("x", np.arange(10000))
    with open(mounted / "x", "rb") as file:
        assert np.array_equal(np.frombuffer(file.read(), int), np.arange(10000))
    shutil.copy(mounted / "x", mounted / "y")
    os.rename(mounted / "y", mounted / "z")
    assert np.array_equal(sa.attach("z").view(int), np.arange(10000))


@pytest.mark.root
@pytest.mark.release_only
def test_passthrough_that_is_asked_for_and_lacking_is_told(store, area, lacking_calls):
    program = lacking_calls("ioctl", "ENOTTY")
    command = [program, store, area, "-o", "io=passthrough"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "io=passthrough cannot be had: " in one_line(done)


@pytest.mark.root
def test_missing_right_to_mount_is_told(store, area):
    """As root of most containers lacks it."""
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", SHARRFS, store, area],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "--cap-add SYS_ADMIN" in one_line(done)


@pytest.mark.parametrize("how", [[], ["-f"]], ids=["daemon", "foreground"])
def test_second_mount_on_the_same_point_is_refused(store, mount, how):
    assert "umount it first" in one_line(run_sharrfs(store, mount(store), *how))


def test_mount_of_a_killed_daemon_is_told(store, mount):
    dead = mount(store)
    dead.kill()
    assert "umount it first" in one_line(run_sharrfs(store, dead))


def test_daemonizes_and_is_silent(sa, store, mount):
    sa.create("x", 3)
    background = mount(store, foreground=False)
    assert os.listdir(background) == ["x"]
    (pid,) = background.pids()
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"


@pytest.mark.release_only
def test_daemon_that_dies_before_it_serves_is_told(store, area):
    """Between going into the background and its report."""
    killed = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=chdir:signal=KILL"]
    done = subprocess.run(
        [*killed, SHARRFS, store, area], capture_output=True, text=True, check=False, timeout=60
    )
    assert one_line(done) == "sharrfs: the daemon died before it served"


@pytest.mark.passthrough
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name
)
def test_signal_unmounts_and_exits_0(sa, store, mount, number):
    array = sa.create("x", 3)
    ended = mount(store)
    ended.expect_dead()
    with open(ended / "x", "r+b") as file:
        view = mmap.mmap(file.fileno(), 0)
        os.kill(ended.process.pid, number)
        assert ended.process.wait(10) == 0
        assert not ended.is_mounted()
        assert ended.text() == ""
    if view:
        array[0] = 1
        assert view[:8] == array[:1].tobytes()


@pytest.mark.passthrough
def test_killed_daemon_loses_nothing(sa, store, mount, direct):
    array = sa.create("x", 3)
    with open(direct / "x", "r+b") as file:
        view = mmap.mmap(file.fileno(), 0)
    direct.kill()
    array[0] = 1
    assert view[:8] == array[:1].tobytes()
    direct.detach()
    again = mount(store, at=direct.path)
    assert (again / "x").read_bytes() == array.tobytes()


def test_options_of_fstab_are_taken(store, mount):
    options = "rw,dev,suid,noexec,auto,user,nofail,_netdev,x-systemd.automount,comment=a,defaults"
    mounted = mount(store, *options.split(","), "lazytime", "strictatime", "nodiratime", "")
    with open("/proc/self/mountinfo") as lines:
        (line,) = [line for line in lines if f" {mounted} " in line]
    assert line.split()[5].split(",")[:2] == ["rw", "noexec"]
    assert f" fuse.sharrfs {store} " in line


def test_read_only_mount(sa, store, mount, errno_of):
    sa.create("x", 3)
    mounted = mount(store, "ro")
    assert errno_of(os.open, mounted / "x", os.O_RDWR) == "EROFS"
    assert errno_of(os.unlink, mounted / "x") == "EROFS"
    assert len((mounted / "x").read_bytes()) == 24


def test_read_only_store(sa, store, mount, errno_of):
    sa.create("x", 3)
    subprocess.run(["mount", "-o", "remount,ro", store], check=True)
    mounted = mount(store)
    assert errno_of(os.open, mounted / "x", os.O_RDWR) == "EROFS"
    assert errno_of(os.unlink, mounted / "x") == "EROFS"
    assert len((mounted / "x").read_bytes()) == 24


def test_store_by_option(store, area, mount):
    names = mount(store, f"store={store}")
    assert names.xattr("store") == str(store)


@pytest.mark.parametrize("name", ["a,b", "a b", "a\\b", "ä:[]", "a\nb"], ids=repr)
def test_any_name_of_store_and_mount_point(sa, store, area, mount, name):
    folder, point = store / name, area / f"m-{name}"
    folder.mkdir()
    point.mkdir()
    sa.create(f"file://{folder}/x", 3)
    command = [SHARRFS, folder, point]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""
    assert os.listdir(point) == ["x"]
    assert os.getxattr(point, "user.sharr.store") == os.fsencode(folder)
    subprocess.run(["umount", point], check=True)


def test_mount_ends_with_umount(store, mount):
    mounted = mount(store)
    mounted.expect_dead()
    subprocess.run(["umount", mounted], check=True)
    assert mounted.process.wait(10) == 0
    wait_for(lambda: not mounted.pids())
