# SPDX-License-Identifier: BSD-3-Clause
"""Mounts of users who are not root: through fusermount3, and in a user namespace."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from support.build import SHARRFS, native_environment, python_environment
from support.namespace import contained
from support.remote import Remote
from support.wait import wait_for

pytestmark = [pytest.mark.fuse, pytest.mark.root]

USER, OTHER = 65534, 1  # both with a name, which fusermount3 asks for

# In a process of root's, which has imported all: the interpreter may lie where users cannot read.
PRELUDE = """
import ctypes, errno, json, os, signal, subprocess
PR_SET_DUMPABLE = 4

def as_user(uid, function):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([]); os.setgid(uid); os.setuid(uid)
        # As what that user starts: his daemon may look into /proc/PID/fd.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
        try:
            answer = function()
        except OSError as error:
            answer = errno.errorcode[error.errno]
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer)

def command(*words):
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30)
    return [done.returncode, done.stdout, done.stderr]

def attribute(name):
    return os.getxattr(m, f"user.sharr.{name}").decode()

def in_mount(call, *words, **named):
    os.environ.update(SHARR_VIA="mount", SHARR_MOUNT=m)
    return call(*words, **named)

def daemon():
    (pid,) = (p for p in os.listdir("/proc") if p.isdigit() and m in words_of(p))
    return int(pid)

def words_of(pid):
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read().split(chr(0))
"""


@pytest.fixture
def users(area, store, remotes):
    """users("expression", uid): its value where that user computes it, or the name of the error.

    USER owns the folder `m`, and all may use /dev/fuse, in a mount namespace that goes with what
    runs in it; `sharrfs` and `store` are the paths. users.root(code) is Remote.run there.
    """
    shutil.copy(SHARRFS, area / "sharrfs")
    os.mknod(area / "fuse", 0o20666, os.makedev(10, 229))
    os.chmod(area / "fuse", 0o666)
    (area / "fuse.conf").touch()
    (area / "m").mkdir()
    os.chown(area / "m", USER, USER)
    script = """
        mount --bind "$0/fuse" /dev/fuse && mount --bind "$0/fuse.conf" /etc/fuse.conf && exec "$@"
    """
    variables = python_environment(SHARR_STORE=str(store))
    remotes.append(Remote(contained(script, area, sys.executable), variables))
    places = {"sharrfs": str(area / "sharrfs"), "m": str(area / "m"), "store": str(store)}
    remotes[-1].run("import numpy as np, SharedArray as sa")
    remotes[-1].run(PRELUDE, environment=native_environment(), **places)

    def run(expression, uid=USER):
        return remotes[-1].run(f"as_user({uid}, lambda: {expression})")

    run.root = remotes[-1].run
    return run


MOUNT = "command(sharrfs, store, m)"
UNMOUNT = "command('fusermount3', '-u', m)"
WELL = [0, "", ""]


@pytest.fixture
def mounted(users):
    assert users(MOUNT) == WELL
    return users


def complaint(answer) -> str:
    code, printed, line = answer
    assert (code, printed, line.count("\n")) == (32, "", 1)
    assert line.startswith("sharrfs: ")
    return line


def test_user_mounts_and_unmounts(mounted):
    assert mounted("attribute('io')") == "fallback"
    assert mounted("attribute('store')") == mounted.root("store")
    assert mounted(UNMOUNT) == WELL
    assert mounted("os.path.ismount(m)") is False


def test_daemon_has_no_capability(mounted):
    mounted.root("with open(f'/proc/{daemon()}/status') as file: status = file.read()")
    for name in ("CapEff", "CapPrm", "CapInh"):
        assert f"{name}:\t{0:016x}\n" in mounted.root("status")
    assert f"Uid:\t{USER}\t" in mounted.root("status")


def test_user_works_with_his_own_arrays(mounted, store):
    mounted.root("values = np.arange(6.0).reshape(2, 3)")
    assert mounted("in_mount(sa.put, 'x', values)") is None
    assert os.stat(store / "x").st_uid == USER
    assert mounted("in_mount(sa.attach, 'x', ro=True).tolist()") == [[0, 1, 2], [3, 4, 5]]
    assert mounted("in_mount(sa.copy, 'x').tolist()") == [[0, 1, 2], [3, 4, 5]]
    assert mounted("command('cp', '-a', m + '/x', m + '/y')") == WELL
    assert mounted("in_mount(sa.attach, 'y', ro=True).shape") == [2, 3]
    assert mounted("[os.chmod(m + '/y', 0o640), os.rename(m + '/y', m + '/z')]") == [None, None]
    assert os.stat(store / "z").st_mode & 0o7777 == 0o640
    assert mounted("in_mount(sa.delete, 'x')") is None
    assert store.names() == ["z"]


def test_to_attach_for_writing_takes_passthrough(mounted):
    mounted.root("sa.create('x', 3)[:] = 7; os.chmod(store + '/x', 0o666)")
    assert mounted("in_mount(sa.attach, 'x')") == "ENODEV"
    assert mounted("sa.attach('x').tolist()") == [7, 7, 7]  # directly, first
    assert mounted("in_mount(sa.create, 'y', 3)") == "ENODEV"
    assert mounted("os.listdir(m)") == ["x"]


def test_user_gets_what_the_store_gives_him(mounted):
    mounted.root("sa.create('private', 3); os.chmod(store + '/private', 0o600)")
    mounted.root("sa.create('readable', 3); os.chmod(store + '/readable', 0o644)")
    assert mounted("os.listdir(m)") == ["readable"]  # whether the other is one nobody can tell
    assert mounted("open(m + '/private')") == "ENOENT"
    assert mounted("len(open(m + '/readable', 'rb').read())") == 24
    assert mounted("open(m + '/readable', 'r+b')") == "EACCES"
    assert mounted("os.chmod(m + '/readable', 0o666)") == "EPERM"
    assert mounted("os.unlink(m + '/readable')") == "EPERM"


@pytest.mark.parametrize("uid", [OTHER, 0], ids=["other", "root"])
def test_nobody_else_gets_in(mounted, uid):
    mounted.root("sa.create('x', 3)")
    assert mounted("os.listdir(m)", uid) == "EACCES"
    assert mounted("os.stat(m + '/x').st_size", uid) == "EACCES"


def test_allow_other_takes_a_line_of_fuse_conf(users, area):
    allowed = "command(sharrfs, store, m, '-o', 'allow_other')"
    line = complaint(users(allowed))
    assert "allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf" in line
    (area / "fuse.conf").write_text("user_allow_other\n")
    assert users(allowed) == WELL
    assert users("os.listdir(m)", OTHER) == []


def test_what_others_create_cannot_be_given_to_them(users, area, store):
    (area / "fuse.conf").write_text("user_allow_other\n")
    users("command(sharrfs, store, m, '-o', 'allow_other')")
    assert users("open(m + '/x', 'w')", OTHER) == "EPERM"
    assert users("os.mkdir(m + '/group')", OTHER) == "EPERM"
    assert store.names() == []


def test_io_passthrough_is_refused(users):
    line = complaint(users("command(sharrfs, store, m, '-o', 'io=passthrough')"))
    assert "io=passthrough cannot be had: it takes root (CAP_SYS_ADMIN)" in line
    assert users("os.path.ismount(m)") is False


def test_mount_point_of_somebody_else_is_refused(users, area):
    os.chown(area / "m", 0, 0)
    assert "user has no write access to mountpoint" in complaint(users(MOUNT))


def test_fusermount3_that_is_missing_is_told(users, area):
    (area / "none").touch()  # which nobody may execute
    hide = f"command('mount', '--bind', '{area}/none', '{shutil.which('fusermount3')}')"
    assert users.root(hide) == WELL
    assert "needs fusermount3, of the package fuse3" in complaint(users(MOUNT))


def test_user_without_a_name_is_told(users, area):
    nameless = 54321
    os.chown(area / "m", nameless, nameless)
    assert "no user without a name in /etc/passwd" in complaint(users(MOUNT, nameless))


def test_device_that_is_not_open_to_users_is_told(users, area):
    os.chmod(area / "fuse", 0o600)
    assert "as root: chmod 666 /dev/fuse" in complaint(users(MOUNT))


def test_signal_unmounts(mounted):
    mounted.root("pid = daemon()")
    assert mounted("os.kill(pid, signal.SIGTERM)") is None
    look = "m in open('/proc/self/mountinfo').read()"
    wait_for(lambda: not mounted.root(look), 20, "the end of the mount")
    assert mounted(MOUNT) == WELL


def test_mount_of_a_killed_daemon_is_cleared_by_its_user(mounted):
    mounted.root("pid = daemon()")
    assert mounted("os.kill(pid, signal.SIGKILL)") is None
    assert mounted("os.listdir(m)") in ("ENOTCONN", "ECONNABORTED")  # the latter while it dies
    assert "umount it first" in complaint(mounted(MOUNT))
    assert mounted(UNMOUNT) == WELL
    assert mounted(MOUNT) == WELL


def test_root_of_a_user_namespace(users):
    """As in a rootless container."""
    script = """
        "$0" "$1" "$2" -o allow_other &&
        getfattr --absolute-names --only-values -n user.sharr.io "$2" && umount "$2" &&
        "$0" "$1" "$2" -o io=passthrough
    """
    within = f"command('unshare', '-rm', 'sh', '-c', {script!r}, sharrfs, store, m)"
    code, printed, said = users(within)
    assert (code, printed) == (32, "fallback")
    assert "with CONFIG_FUSE_PASSTHROUGH, for the first user namespace" in said
