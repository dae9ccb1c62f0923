# SPDX-License-Identifier: BSD-3-Clause
"""User attributes by every way at once: the library, setfattr and getfattr on a mount, copies."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from errno import (
    E2BIG,
    EACCES,
    EBADMSG,
    EINVAL,
    ENODATA,
    ENOENT,
    ENOSPC,
    EPERM,
    ERANGE,
)
from pathlib import Path

import pytest
from lib.clib import READONLY, REPLACE, refused
from lib.conftest import NOBODY
from support.build import BUILD
from support.tracing import traced
from support.unchanged import Unchanged
from support.wait import wait_for

DTYPE = "user.sharr.dtype"
VIA_SHM, VIA_MOUNT = 0x10, 0x20
KILLER = [sys.executable, "-S", "-E", Path(__file__).parents[1] / "support" / "killer.py"]
REWRITING = BUILD / "tests" / "lib" / "rewriting"

ATTRS = {"units": b"m/s", "axes": b"x,y", "empty": b"", "raw": bytes(range(256))}


def run(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


def there(mount, name="x") -> str:
    return f"file://{mount}/{name}"


def shown(path) -> dict[str, bytes]:
    """The user's own, as the kernel's calls tell them."""
    names = [name for name in os.listxattr(path) if not name.startswith("user.sharr.")]
    return {name[len("user.") :]: os.getxattr(path, name) for name in names}


@pytest.fixture
def mounted(mount):
    return mount()


# Both ways


@pytest.mark.fuse
def test_what_the_library_sets_the_mount_shows(c, mounted):
    c.create("x", attrs={"a": b"1"})
    assert shown(mounted / "x") == {"a": b"1"}
    c.set_attrs("x", {**ATTRS, "a": None})
    assert shown(mounted / "x") == ATTRS
    assert run("getfattr", "--only-values", "-n", "user.units", mounted / "x") == "m/s"


@pytest.mark.fuse
def test_what_setfattr_sets_the_library_tells(c, mounted):
    c.create("x")
    run("setfattr", "-n", "user.units", "-v", "m/s", mounted / "x")
    run("setfattr", "-n", "user.raw", "-v", "0x00ff00", mounted / "x")
    assert c.attrs("x") == c.attrs(there(mounted)) == {"units": b"m/s", "raw": b"\0\xff\0"}
    run("setfattr", "-x", "user.units", mounted / "x")
    assert c.attrs("x") == {"raw": b"\0\xff\0"}


NAMES = ["a", "a b", "a.b", ".", "é", "a=b", "#", "[x]", "sharr", "sharr_x", "user.x", "n" * 250]


@pytest.mark.fuse
def test_names(c, mounted):
    c.create("x")
    for name in NAMES:
        c.set_attrs("x", {name: name.encode()})
        assert os.getxattr(mounted / "x", f"user.{name}") == name.encode()
        c.set_attrs("x", {name: None})
        os.setxattr(mounted / "x", f"user.{name}", b"there")
        assert c.attrs("x") == {name: b"there"}
        os.removexattr(mounted / "x", f"user.{name}")
    assert c.attrs("x") == {}


# The library through a mount


@pytest.mark.fuse
def test_several_at_once_through_a_mount(c, mounted):
    c.create("x", attrs={"a": b"1", "b": b"2", "c": b"3"})
    c.set_attrs(there(mounted), {"a": b"one", "b": None, **ATTRS})
    assert c.attrs("x") == c.attrs(there(mounted)) == {"a": b"one", "c": b"3", **ATTRS}
    c.set_attrs(there(mounted), {})
    assert len(c.attrs("x")) == 6


@pytest.mark.fuse
def test_through_the_mount_that_the_environment_names(c, mounted, monkeypatch):
    c.create("x")
    monkeypatch.setenv("SHARR_MOUNT", str(mounted))
    monkeypatch.setenv("SHARR_VIA", "mount")
    c.set_attrs("x", ATTRS)
    assert c.attrs("x") == ATTRS


REFUSED = [
    ({"absent": None}, ENODATA),
    ({"sharr.npy": b""}, EPERM),
    ({"": b""}, ERANGE),
    ({"n" * 251: b""}, ERANGE),
    ({"big": bytes(4096)}, ENOSPC),
    ({"huge": bytes(70000)}, ENOSPC),
    ({f"many{i}": bytes(60000) for i in range(2)}, ENOSPC),
]


@pytest.mark.fuse
@pytest.mark.parametrize(("change", "number"), REFUSED, ids=lambda value: str(value)[:20])
def test_refused_changes_change_nothing(c, store, mounted, change, number):
    c.create("x", attrs={"a": b"1"})
    before = (store / "x").read_bytes()
    for name in ("x", there(mounted)):
        with refused(number):
            c.set_attrs(name, {"a": b"2", **change})
        assert (store / "x").read_bytes() == before


@pytest.mark.fuse
def test_the_same_bytes_fit_by_every_way(c, mounted):
    """All metadata of an array that is changed have to fit into 4096 bytes."""
    c.create("x")
    most = 2900
    with refused(ENOSPC):
        while True:
            c.set_attrs("x", {"a": bytes(most + 1)})
            most += 1
    for name in ("y", "z"):
        c.create(name)
    c.set_attrs(there(mounted, "y"), {"a": bytes(most)})
    os.setxattr(mounted / "z", "user.a", bytes(most))
    assert c.attrs("x") == c.attrs("y") == c.attrs("z")
    for change in (
        lambda: c.set_attrs(there(mounted, "y"), {"a": bytes(most + 1)}),
        lambda: os.setxattr(mounted / "z", "user.a", bytes(most + 1)),
    ):
        with refused(ENOSPC):
            change()
    assert c.attrs("x") == c.attrs("y") == c.attrs("z")


@pytest.mark.fuse
@pytest.mark.parametrize(
    "packed",
    [b"\1", b"\1\0\0\0\0", b"\2\0\0\0\0\0a", b"\1\0\1\0\0\0a", b"\1\0\xfe\xff\xff\xffa", bytes(6)],
    ids=repr,
)
def test_packed_changes_that_are_damaged(c, store, mounted, packed):
    c.create("x", attrs={"a": b"1"})
    with Unchanged(store), refused(EINVAL, ERANGE):
        os.setxattr(mounted / "x", "user.sharr.attrs", packed)
    assert c.attrs("x") == {"a": b"1"}


@pytest.mark.fuse
def test_packed_changes_are_no_attribute(c, mounted):
    c.create("x")
    with refused(ENODATA):
        os.getxattr(mounted / "x", "user.sharr.attrs")
    with refused(EPERM):
        os.removexattr(mounted / "x", "user.sharr.attrs")
    assert "user.sharr.attrs" not in os.listxattr(mounted / "x")


@pytest.mark.fuse
def test_full_store_changes_nothing(c, store, mount, monkeypatch):
    small = store(size="64k")
    monkeypatch.setenv("SHARR_STORE", str(small))
    place = mount(small)
    c.create("x", attrs={"a": b"1"})
    (small / "filler").write_bytes(bytes(os.statvfs(small).f_bfree * 4096))
    count = 0
    with refused(ENOSPC):
        while count < 100:
            c.set_attrs(there(place), {"a": b"%d" % count})
            count += 1
    assert c.attrs("x") == ({"a": b"%d" % (count - 1)} if count else {"a": b"1"})
    with refused(ENOSPC):
        os.setxattr(place / "x", "user.a", b"another")


@pytest.mark.fuse
@pytest.mark.root
def test_only_who_may_write_the_array_may_set_them(c, store, mount, other):
    c.create("x", mode=0o644, attrs={"a": b"1"})
    nobody = other(uid=NOBODY)
    for name in ("x", there(mount(store, "allow_other"))):
        assert nobody.run("c.attrs(name)", name=name) == {"a": b"1"}
        with refused(EACCES):
            nobody.run("c.set_attrs(name, {'a': b'2'})", name=name)
    assert c.attrs("x") == {"a": b"1"}


@pytest.mark.fuse
def test_of_no_array(c, store, mounted):
    (store / "foreign").write_bytes(b"hello")
    for name, number in (("none", ENOENT), ("foreign", EBADMSG)):
        with refused(number):
            c.set_attrs(name, {"a": b"1"})
        with refused(ENOENT):  # nobody sees a foreign file there
            c.set_attrs(there(mounted, name), {"a": b"1"})
    assert (store / "foreign").read_bytes() == b"hello"


# Readers meanwhile, and a kill in the middle

WRITER = """
number = 0
while number < rounds:
    number += 1
    value = str(number).encode() * (number % 40 + 1)
    c.set_attrs(name, {'a': value, 'b': value})
"""


@pytest.mark.fuse
@pytest.mark.parametrize("through", [False, True], ids=["store", "mount"])
def test_reader_sees_all_of_a_change_or_none(c, mounted, other, through):
    c.create("x", attrs={"a": b"0", "b": b"0"})
    child = other()
    child.start(WRITER, name=there(mounted) if through else "x", rounds=1000)
    while child.is_waiting(0):
        for name in ("x", there(mounted)):
            found = c.attrs(name)
            assert found["a"] == found["b"]
        assert c.attach(there(mounted), READONLY).info.shape == (3,)
        c.detach_all()
    child.result()


@pytest.mark.fuse
def test_client_that_is_killed_leaves_all_of_a_change_or_none(c, mounted, other):
    c.create("x", attrs={"a": b"0", "b": b"0"})
    for moment in range(6):
        child = other()
        child.start(WRITER, name=there(mounted), rounds=10**9)
        child.is_waiting(0.01 * moment)
        child.kill()
        found = c.attrs("x")
        assert found["a"] == found["b"]
        c.set_attrs("x", {"a": b"", "b": b""})  # nobody holds its lock


@pytest.mark.fuse
def test_daemon_that_is_killed_leaves_all_of_a_change_or_none(c, mount, other):
    c.create("x", attrs={"a": b"0", "b": b"0"})
    for moment in range(4):
        place, child = mount(), other()
        child.start(WRITER, name=there(place), rounds=10**9)
        child.is_waiting(0.02 * moment)
        place.kill()
        with refused(107, 103):  # ENOTCONN; ECONNABORTED in the middle of a request
            child.result()
        found = c.attrs("x")
        assert found["a"] == found["b"]
        c.set_attrs("x", {"a": b"", "b": b""})
        place.detach()


# Copies


@pytest.fixture
def original(c):
    array = c.create("x", shape=(3, 4), dtype="<i4", order="F")
    array.data[:] = 7
    c.set_attrs("x", ATTRS)  # not those of a fresh file: a tail further behind
    return array


def check_copy(c, name, original):
    copy = c.attach(name, READONLY)
    assert c.attrs(name) == ATTRS
    found, wanted = copy.info, original.info
    assert (found.dtype, found.shape, found.order) == (wanted.dtype, wanted.shape, wanted.order)
    assert copy.bytes.tolist() == original.bytes.tolist()
    copy.detach()


@pytest.mark.parametrize("command", ["cp", "cp -a", "mv"])
def test_files_of_the_store_elsewhere(c, store, area, original, command):
    run(*command.split(), store / "x", area / "y")
    check_copy(c, f"file://{area}/y", original)
    run("cp", area / "y", store / "z")
    check_copy(c, "z", original)


def test_tar_of_the_store(c, store, area, original):
    run("tar", "-C", store, "-cf", area / "x.tar", "x")
    c.delete("x")
    run("tar", "-C", store, "-xf", area / "x.tar")
    check_copy(c, "x", original)


@pytest.mark.fuse
@pytest.mark.parametrize("command", ["cp -a", "rsync -aX", "mv"])
def test_copies_in_the_mount(c, mounted, original, command):
    run(*command.split(), mounted / "x", mounted / "y")
    check_copy(c, "y", original)
    check_copy(c, there(mounted, "y"), original)


@pytest.mark.fuse
def test_tar_of_the_mount(c, mounted, area, original):
    run("tar", "--xattrs", "-C", mounted, "-cf", area / "x.tar", "x")
    c.delete("x")
    include = "--xattrs-include=user.*"
    run("tar", "--xattrs", include, "-C", mounted, "-xf", area / "x.tar")
    check_copy(c, "x", original)


@pytest.mark.fuse
def test_from_one_store_to_another_by_their_mounts(c, store, mount, mounted, original):
    another = store()
    second = mount(another)
    run("cp", "-a", mounted / "x", second / "y")
    run("rsync", "-aX", mounted / "x", second / "z")
    for name in ("y", "z"):
        check_copy(c, f"file://{another}/{name}", original)


def test_more_than_a_changed_tail_holds_stays_as_it_is(c, store):
    """At create there is room for more: what is too long then for a change is left alone."""
    c.create("x", attrs={"a": bytes(20000)})
    with refused(ENOSPC, E2BIG):
        c.set_attrs("x", {"b": b"1"})
    c.set_attrs("x", {"a": b"short", "b": b"1"})
    assert c.attrs("x") == {"a": b"short", "b": b"1"}


# Killed in the middle


def rewrite_killed(path, dtype, fatal):
    """Gives it that dtype by a process that is killed at that system call; whether it was done."""
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen([REWRITING, path, dtype], **how) as writer,
        subprocess.Popen([*KILLER, str(writer.pid), str(fatal)], **how) as killer,
    ):
        assert killer.stdout.readline() == b"ready\n"
        writer.communicate(b"!")
        killer.communicate()
    assert writer.returncode in (0, -signal.SIGKILL)
    return writer.returncode == 0


def told(c, mounted):
    """By attaching it directly, through the mount, and by the attribute."""
    ways = [c.attach("x", READONLY | way) for way in (VIA_SHM, VIA_MOUNT)]
    found = [array.info.dtype for array in ways]
    c.detach_all()
    return [*found, os.getxattr(mounted / "x", DTYPE).decode()]


def fresh(c, path, which):
    """Of dtype <f4 or <i4, and by where the next tail comes to lie; that dtype and the other."""
    if which == "in place of a trailer":
        head = struct.pack("<16sQiii", b"[SharedArray]", 4000, 11, 4, 1)
        path.write_bytes(bytes(4000) + head + struct.pack("<64q", 1000, *[0] * 63))
        return "<f4", "<i4"
    c.create("x", REPLACE, dtype="<f4", shape=(1024,)).detach()
    if which == "in the same page":
        return "<f4", "<i4"
    for dtype in ("<i4", "<f4", "<i4"):  # a fifth tail crosses into the next
        assert rewrite_killed(path, dtype, 0)
    return "<i4", "<f4"


# Rewritten while the daemon reads


SLOW = ("trace=pread64", "inject=pread64:delay_enter=150000")


def await_reads(trace, count):
    """Until so many have begun, each of which takes its time."""
    wait_for(lambda: trace.exists() and trace.read_text().count("pread64(") >= count)


@pytest.fixture
def outcome_of():
    """outcome_of(call): by a thread; .result(timeout)."""
    with ThreadPoolExecutor(1) as threads:
        yield threads.submit


@pytest.mark.fuse
@pytest.mark.release_only
@pytest.mark.parametrize("read", range(1, 6))
def test_tail_is_from_one_read(c, store, mounted, area, outcome_of, read):
    """The first new metadata take the place of a trailer, which a reader may be about to read."""
    fresh(c, store / "x", "in place of a trailer")
    with traced(mounted, area / "trace", *SLOW):
        value = outcome_of(os.getxattr, mounted / "x", "user.sharr.tail")
        await_reads(area / "trace", read)
        c.set_attrs("x", {"a": b"1"})
        assert value.result(20)[8:][-548:].startswith(b"[SharedArray]")


@pytest.mark.fuse
@pytest.mark.release_only
def test_who_is_told_that_there_is_no_array_looks_again_if_it_has_changed(
    c, store, mounted, area, outcome_of
):
    c.create("x", shape=(5,)).detach()
    whole = (store / "x").read_bytes()
    with open(store / "x", "r+b") as file, traced(mounted, area / "trace", *SLOW):
        attached = outcome_of(c.attach, there(mounted), READONLY)
        await_reads(area / "trace", 2)  # the first is of its lookup
        os.pwrite(file.fileno(), bytes(804), len(whole) - 804)
        await_reads(area / "trace", 4)  # the third has found none either
        os.pwrite(file.fileno(), whole, 0)
        assert attached.result(20).info.shape == (5,)
    c.detach_all()


@pytest.mark.passthrough
@pytest.mark.parametrize("which", ["in the same page", "in the next page", "in place of a trailer"])
def test_killed_at_each_call_of_a_rewrite(c, store, mounted, monkeypatch, which):
    """All who look then agree on what it is."""
    monkeypatch.setenv("SHARR_MOUNT", str(mounted))
    outcomes = []
    done = False
    while not done:
        old, new = fresh(c, store / "x", which)
        done = rewrite_killed(store / "x", new, len(outcomes) + 1)
        found = told(c, mounted)
        assert found == [new] * 3 or (found == [old] * 3 and not done), len(outcomes) + 1
        outcomes.append(found[0])
    assert outcomes == sorted(outcomes, key=[old, new].index)
    assert {old, new} == set(outcomes)
