# SPDX-License-Identifier: BSD-3-Clause
"""Users who are not friends: the mount gives what the store would, and nothing more."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path

import pytest
from support.build import ROOT

pytestmark = [pytest.mark.fuse, pytest.mark.root]

NOBODY = 65534


@pytest.fixture(params=["io=auto", "io=fallback"])
def shared(request, mount, store):
    return mount(store, request.param, "allow_other")


@pytest.fixture
def stranger(python, shared):
    """stranger("os.unlink(m + '/x')"): the error's name, or None, as another user."""
    other = python(uid=NOBODY)
    other.run("import errno, os\nm, s = mount, store", mount=str(shared), store=str(shared.store))

    def attempt(statement):
        lines = [
            "code = None",
            f"try: {statement}",
            "except OSError as error: code = errno.errorcode[error.errno]",
            "code",
        ]
        return other.run("\n".join(lines))

    return attempt


@pytest.mark.parametrize(
    ("mode", "reads", "writes"),
    [
        (0o600, "EACCES", "EACCES"),
        (0o644, None, "EACCES"),
        (0o622, "EACCES", None),
        (0o666, None, None),
    ],
    ids=["private", "readable", "writable", "both"],
)
def test_mode_bits_decide(sa, shared, stranger, mode, reads, writes):
    sa.create("x", 3)
    os.chmod(shared.store / "x", mode)
    for folder in "sm":
        assert stranger(f"os.close(os.open({folder} + '/x', os.O_RDONLY))") == reads
        assert stranger(f"os.close(os.open({folder} + '/x', os.O_WRONLY))") == writes


def test_closed_group_is_closed(sa, shared, stranger):
    os.mkdir(shared.store / "group", 0o700)
    sa.create("shm://group/x", 3)
    assert stranger("os.stat(m + '/group/x')") == "EACCES"
    assert stranger("os.listdir(m + '/group')") == "EACCES"


def test_direct_chmod_holds_at_the_next_open(sa, shared, stranger):
    sa.create("x", 3)
    os.chmod(shared.store / "x", 0o644)
    assert stranger("os.close(os.open(m + '/x', os.O_RDONLY))") is None
    os.chmod(shared.store / "x", 0o600)
    assert stranger("os.open(m + '/x', os.O_RDONLY)") == "EACCES"


@pytest.mark.parametrize("first", ["os.stat(m + '/x')", "[e.stat() for e in os.scandir(m)]"])
def test_direct_replace_by_a_private_one_holds_at_the_next_open(sa, shared, stranger, first):
    """However the kernel came to know the old one, which the stranger might read."""
    for _ in range(20):
        sa.create("x", 3, mode=0o644, replace=True)
        assert stranger(first) is None
        sa.create("x", 3, mode=0o600, replace=True)
        assert stranger("os.open(m + '/x', os.O_RDONLY)") == "EACCES"
        assert stranger(first) is None
        sa.delete("x")
        assert stranger("os.open(m + '/x', os.O_RDONLY)") == "ENOENT"


def test_direct_chmod_after_a_listing_holds_at_the_next_open(sa, shared, stranger):
    for _ in range(20):
        sa.create("x", 3, mode=0o644, replace=True)
        assert stranger("[e.stat() for e in os.scandir(m)]") is None
        os.chmod(shared.store / "x", 0o600)
        assert stranger("os.open(m + '/x', os.O_RDONLY)") == "EACCES"
        os.chmod(shared.store / "x", 0o644)
        assert stranger("os.close(os.open(m + '/x', os.O_RDONLY))") is None


CHANGING = [
    "os.close(os.open({}/x', os.O_RDONLY))",
    "os.close(os.open({}/new', os.O_RDWR | os.O_CREAT))",
    "os.mkdir({}/new')",
    "os.unlink({}/x')",
    "os.rename({}/x', {}/y')",
    "os.rmdir({}/sub')",
]


@pytest.mark.parametrize("statement", CHANGING)
@pytest.mark.parametrize("place", ["group", "."])
def test_direct_chmod_of_a_directory_holds_at_once(sa, shared, stranger, place, statement):
    """The group, or the store itself, was open to all until now, and the kernel knows that."""
    folder = shared.store / place
    (folder / "sub").mkdir(parents=True)
    sa.create(f"file://{folder}/x", 3)
    os.chmod(folder, 0o777)
    assert stranger(f"os.stat(m + '/{place}/x')") is None
    os.chmod(folder, 0o700)
    here = f"m + '/{place}"
    assert stranger(statement.format(here, here)) == "EACCES"
    assert sorted(os.listdir(folder)) in (["sub", "x"], ["group", "sub", "x"])


@pytest.mark.parametrize(
    "statement", ["os.unlink({}/x')", "os.rename({}/x', {}/z')", "os.rename({}/own', {}/x')"]
)
def test_sticky_directory_protects_what_is_not_ones_own(sa, shared, stranger, statement):
    sa.create("x", 3)
    sa.create("own", 4)
    os.chown(shared.store / "own", NOBODY, NOBODY)
    for folder in ("s + '", "m + '"):
        assert stranger(statement.format(folder, folder)) == "EPERM"
    assert shared.store.names() == ["own", "x"]
    assert stranger("os.unlink(m + '/own')") is None


def test_without_sticky_bit_the_directory_decides(sa, shared, stranger):
    os.chmod(shared.store, 0o777)
    sa.create("x", 3)
    assert stranger("os.unlink(m + '/x')") is None
    os.chmod(shared.store, 0o755)
    sa.create("x", 3)
    assert stranger("os.unlink(m + '/x')") == stranger("os.mkdir(m + '/group')") == "EACCES"


@pytest.mark.parametrize(
    "statement", ["os.chmod({}, 0o777)", "os.chown({}, 65534, -1)", "os.utime({}, (1, 1))"]
)
def test_only_the_owner_changes_attributes(sa, shared, stranger, statement):
    sa.create("x", 3)
    os.chmod(shared.store / "x", 0o666)
    before = os.stat(shared.store / "x")
    for folder in "sm":
        assert stranger(statement.format(f"{folder} + '/x'")) == "EPERM"
    assert os.stat(shared.store / "x").st_mode == before.st_mode
    assert stranger("os.utime(m + '/x')") is None


NOW = (1 << 30) - 1


@pytest.mark.parametrize("times", [(0, 5, 0, 5), (0, 5, 0, NOW), (0, NOW, 0, 5)])
def test_who_was_the_owner_when_he_opened_it_sets_no_times(sa, shared, python, times):
    """The kernel takes him for the owner still. Seconds and ns of atime and mtime."""
    sa.create("x", 3)
    os.chmod(shared.store / "x", 0o666)
    os.chown(shared.store / "x", NOBODY, NOBODY)
    client = python(uid=NOBODY)
    client.run("import ctypes; libc = ctypes.CDLL(None, use_errno=True)")
    client.run("fd = os.open(path, os.O_RDWR)", path=str(shared / "x"))
    os.chown(shared.store / "x", 0, 0)
    before = os.stat(shared.store / "x")
    client.run("failed = libc.futimens(fd, (ctypes.c_long * 4)(*times))", times=times)
    assert client.run("(failed, ctypes.get_errno())") == (-1, errno.EPERM)
    after = os.stat(shared.store / "x")
    assert (after.st_atime_ns, after.st_mtime_ns) == (before.st_atime_ns, before.st_mtime_ns)


def test_new_group_belongs_to_who_made_it(shared, stranger):
    assert stranger("os.mkdir(m + '/group', 0o750)") is None
    made = os.stat(shared.store / "group")
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (NOBODY, NOBODY, 0o750)


def expect_acl_refuses(sa, shared, stranger, acl, access):
    """In the store and through the mount, though the mode lets everybody in."""
    sa.create("x", 3)
    os.chmod(shared.store / "x", 0o666)
    subprocess.run(["setfacl", "-m", acl, shared.store / "x"], check=True)
    for folder in "sm":
        assert stranger(f"os.open({folder} + '/x', os.{access})") == "EACCES"


def test_acl_never_grants_more_than_the_store(sa, shared, stranger):
    expect_acl_refuses(sa, shared, stranger, f"u:{NOBODY}:---", "O_RDONLY")


def test_mask_of_an_acl_bounds_whom_it_names(sa, shared, stranger):
    """He is one of the others for the mount, whom the mask does not bound."""
    expect_acl_refuses(sa, shared, stranger, f"u:{NOBODY}:rw-,m::r--", "O_RDWR")


def test_without_allow_other_nobody_else_gets_in(store, mount, python):
    other = python(uid=NOBODY)
    with pytest.raises(PermissionError):
        other.run("os.listdir(path)", path=str(mount(store)))


# Their numbers, of linux/capability.h.
CAPABILITIES = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "DAC_READ_SEARCH": 2,
    "FOWNER": 3,
    "FSETID": 4,
    "SYS_PTRACE": 19,
    "SYS_ADMIN": 21,
}


def test_daemon_keeps_the_capabilities_that_it_needs(shared):
    """Each of its threads, those of SECURITY.md and no other, and it gets none back."""
    table = re.findall(r"^\| (`CAP_.*?) \|", (ROOT / "SECURITY.md").read_text(), re.M)
    told = re.findall(r"`CAP_(\w+)`", " ".join(table))
    kept = sum(1 << CAPABILITIES[name] for name in told)
    assert len(told) == len(CAPABILITIES)
    os.stat(shared)
    (pid,) = shared.pids()
    threads = list(Path(f"/proc/{pid}/task").glob("*/status"))
    assert len(threads) >= 3
    for status in threads:
        words = dict(line.split(":", 1) for line in status.read_text().splitlines())
        assert int(words["CapEff"], 16) == int(words["CapPrm"], 16) == kept
        assert int(words["CapInh"], 16) == int(words["CapAmb"], 16) == 0
