# SPDX-License-Identifier: BSD-3-Clause
"""Each errno that sharr.h names is returned, and each that is returned here is named there.

The lists are read from the header: what is documented and has no line in the tables below, or the
other way round, fails. Those of lock, event and snapshot have tests of their own.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import resource
import subprocess
from ctypes import byref, c_void_p

import numpy as np
import pytest
from lib.clib import EPHEMERAL, REPLACE, SPARSE, refused, spec_of
from lib.conftest import NOBODY
from support.build import ROOT
from support.unchanged import Unchanged

HEADER = (ROOT / "lib" / "sharr.h").read_text()


def listed(text: str) -> set[str]:
    """The errnos that its lines begin with: ` *   -EINVAL, -EIO  words`."""
    heads = re.findall(r"^ \*   ((?:-E\w+(?:, )?)+)", text, re.M)
    return {name for head in heads for name in re.findall(r"-(E\w+)", head)}


def documented(function: str) -> set[str]:
    (comment,) = re.findall(
        rf"/\*((?:(?!\*/)[\s\S])*)\*/\nSHARR_PUBLIC int sharr_{function}\(", HEADER
    )
    return listed(comment)


def make(c, call, name, flags=0, **spec):
    """By one of the three calls that make an array."""
    if call != "put":
        return getattr(c, call)(name, flags, **spec)
    spec = spec_of(**spec)
    data = (ctypes.c_char * 4096)()
    return c.check(c.c.sharr_put(os.fsencode(name), byref(spec), data, flags))


# What sharr_create, sharr_put and sharr_prepare say of a request.

LONG_DTYPE = repr([(f"field_{i:05}", "<f8") for i in range(5000)])
REQUESTS = {
    "EEXIST": [{"name": "taken"}, {"name": "foreign", "flags": REPLACE}],
    "EINVAL": [
        *({"dtype": text} for text in ("", "<f9", "[('a',", "|S0", "<U0", "[]")),
        *({"shape": shape} for shape in ((-1,), (2, -3), (1,) * 65)),
        *({"order": "A"}, {"mode": 0o1000}, {"flags": 1 << 30}, {"dtype_name": b"n" * 64}),
    ],
    "ENOTSUP": [{"dtype": "|O"}, {"dtype": "[('a', '|O')]"}],
    "EOVERFLOW": [{"shape": (1 << 62,)}, {"shape": (1 << 40, 1 << 40)}],
    "E2BIG": [{"dtype": LONG_DTYPE}, {"attrs": {"a": bytes(40000), "b": bytes(40000)}}],
    "ENOSPC": [{"shape": (1 << 40,)}],
    "EFBIG": [{"shape": (1 << 17,)}],
    "EPERM": [{"attrs": {"sharr.dtype": b"<f8"}}],
    "ERANGE": [{"attrs": {"": b""}}, {"attrs": {"n" * 251: b""}}],
    "ENODATA": [{"attrs": {"a": None}}],
}


@contextlib.contextmanager
def file_size_limit(count):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("call", ["create", "put", "prepare"])
@pytest.mark.parametrize("name", REQUESTS)
def test_request(c, store, call, name):
    c.create("taken").detach()
    (store / "foreign").write_bytes(b"hello")
    limit = file_size_limit(1 << 20) if name == "EFBIG" else contextlib.nullcontext()
    for request in REQUESTS[name]:
        if call == "prepare" and request.get("name") == "foreign":
            continue  # told by sharr_publish
        with limit, Unchanged(store, os.getpid()), refused(getattr(errno, name)):
            make(c, call, **{"name": "x", **request})


def test_flags_of_put(c, store):
    for flags in (SPARSE, EPHEMERAL):
        with Unchanged(store), refused(errno.EINVAL):
            make(c, "put", "x", flags)


def test_requests_are_what_is_documented():
    assert set(REQUESTS) == documented("create")


# What the other calls say of their own.


def publish_taken(c, store):
    array = c.prepare("x")
    c.create("x")
    array.publish()


def publish_twice(c, store):
    array = c.prepare("x")
    array.publish()
    array.publish()


def list_without_descriptors(c, store):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))  # which 0, 1 and 2 take
    try:
        c.list()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def set_while_locked(c, store):
    """The lock on an array's metadata (docs/format.md), held by another open file."""
    c.create("x")
    code = (
        "import fcntl, os, struct, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "lock = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, (1 << 62) + 1, 1, 0)\n"
        "fcntl.fcntl(fd, 37, lock)\n"  # F_OFD_SETLK
        "print('locked', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        ["python3", "-c", code, store / "x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"locked\n"
        c.set_attrs("x", {"a": b"1"})


def setting(attrs):
    def act(c, store):
        c.create("x")
        c.set_attrs("x", attrs)

    return act


def copying(*arguments):
    def act(c, store):
        c.create("x")
        c.copy("x", *arguments)

    return act


OWN = {
    ("publish", "EEXIST"): [publish_taken],
    ("publish", "EINVAL"): [publish_twice, lambda c, store: c.create("x").publish()],
    ("copy", "ERANGE"): [copying(23), copying(25), copying(24, "<i8"), copying(0)],
    ("attrs_set", "EBUSY"): [set_while_locked],
    ("attrs_set", "ENODATA"): [setting({"absent": None})],
    ("attrs_set", "EPERM"): [setting({"sharr.x": b""})],
    ("attrs_set", "ERANGE"): [setting({"": b""}), setting({"n" * 251: b""})],
    ("attrs_set", "ENOSPC"): [setting({"a": bytes(4000)})],
    ("list", "EMFILE"): [list_without_descriptors],
}


@pytest.mark.parametrize(("function", "name"), OWN)
def test_own(c, store, function, name):
    for act in OWN[function, name]:
        with refused(getattr(errno, name)):
            act(c, store)
        c.detach_all()
        for one in store.names():
            (store / one).unlink()


@pytest.mark.parametrize("function", sorted({function for function, _ in OWN}))
def test_own_are_what_is_documented(function):
    assert {name for of, name in OWN if of == function} == documented(function)


# What any function with a name may say.

NAMED = {
    "create": lambda c, name: make(c, "create", name),
    "replace": lambda c, name: make(c, "create", name, REPLACE),
    "put": lambda c, name: make(c, "put", name),
    "prepare": lambda c, name: make(c, "prepare", name),
    "attach": lambda c, name: c.attach(name),
    "stat": lambda c, name: c.stat(name),
    "copy": lambda c, name: c.copy(name, 24),
    "attrs_list": lambda c, name: c.attrs(name),
    "attrs_set": lambda c, name: c.set_attrs(name, {"a": b"1"}),
    "delete": lambda c, name: c.delete(name),
}
MAKERS = {"create", "replace", "put", "prepare"}
WRITERS = {"attach", "attrs_set", "delete"}
READERS = {"stat", "copy", "attrs_list"}


def each(*functions):
    return pytest.mark.parametrize("function", sorted(set().union(*functions)))


def refuses(c, store, function, number, *names):
    for name in names:
        with Unchanged(store, os.getpid()), refused(number):
            NAMED[function](c, name)


@each(NAMED)
def test_einval(c, store, monkeypatch, function):
    refuses(c, store, function, errno.EINVAL, "", ".", "a//b", "nfs://x", "file://", "file:///")
    monkeypatch.setenv("SHARR_VIA", "air")
    refuses(c, store, function, errno.EINVAL, "x")
    assert "SHARR_VIA is 'air'" in c.words()


@each(NAMED)
def test_enametoolong(c, store, function):
    refuses(c, store, function, errno.ENAMETOOLONG, "x" * 256, "file:///tmp/" + "x" * 256)


@each(NAMED)
def test_enoent(c, store, function):
    names = ["group/x", "file:///nowhere/x"]
    refuses(c, store, function, errno.ENOENT, *names, *([] if function in MAKERS else ["x"]))


@each(NAMED)
def test_enotdir(c, store, function):
    c.create("x").detach()
    (store / "link").symlink_to(".")
    refuses(c, store, function, errno.ENOTDIR, "x/y", "link/x")


def as_nobody(other):
    """Only once it has imported all: the interpreter may lie where that user cannot read."""
    child = other()
    child.run("from lib.test_errnos import NAMED")
    child.run("os.setgroups([]); os.setgid(uid); os.setuid(uid)", uid=NOBODY)
    return child


@pytest.mark.root
@each(NAMED)
def test_eacces(c, store, other, function):
    (store / "group").mkdir(mode=0o700)
    c.create("group/x").detach()
    c.create("x", mode=0o600).detach()
    nobody = as_nobody(other)
    for name in ["group/x"] + ([] if function in MAKERS - {"replace"} else ["x"]):
        with refused(errno.EACCES):
            nobody.run("NAMED[function](c, name) and None", function=function, name=name)


@pytest.mark.root
@each({"replace", "delete"})
def test_eperm(c, store, other, function):
    c.create("x", mode=0o666).detach()
    nobody = as_nobody(other)
    with refused(errno.EPERM):
        nobody.run("NAMED[function](c, 'x') and None", function=function)


@pytest.mark.root
@each(MAKERS, WRITERS)
def test_erofs(c, store, function):
    c.create("x").detach()
    subprocess.run(["mount", "-o", "remount,ro", store], check=True)
    refuses(c, store, function, errno.EROFS, "y" if function in MAKERS else "x")
    for reader in READERS:
        NAMED[reader](c, "x")
    subprocess.run(["mount", "-o", "remount,rw", store], check=True)


@each(WRITERS, READERS)
def test_ebadmsg(c, store, function):
    (store / "foreign").write_bytes(bytes(2000))
    (store / "folder").mkdir()
    (store / "link").symlink_to("foreign")
    os.mkfifo(store / "fifo")
    refuses(c, store, function, errno.EBADMSG, "foreign", "folder", "link", "fifo")


@each({"create", "prepare", "attach"})
@pytest.mark.release_only
def test_enomem(c, store, other, function):
    """More than may be mapped."""
    sparse = c.create("x", SPARSE, shape=(1 << 30,))
    sparse.detach()
    child = other()
    child.run("import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))")
    call = "attach('x')" if function == "attach" else f"{function}('y', SPARSE, shape=(1 << 30,))"
    with Unchanged(store), refused(errno.ENOMEM):
        child.run(f"c.{call} and None")
    assert "no room to map 8.0 GiB" in child.run("c.words()")


@each(NAMED)
def test_emfile(c, store, other, function):
    c.create("x").detach()
    child = other()
    child.run("from lib.test_errnos import NAMED\nimport resource")
    child.run("NAMED['stat'](c, 'x') and None")
    child.run("resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))")
    with Unchanged(store, child.pid), refused(errno.EMFILE):
        name = "x" if function not in MAKERS - {"replace"} else "y"
        child.run("NAMED[function](c, name) and None", function=function, name=name)


@pytest.mark.fuse
@each(NAMED)
def test_enotconn(c, store, mount, function):
    c.create("x").detach()
    dead = mount()
    dead.kill()
    refuses(c, store, function, errno.ENOTCONN, f"file://{dead}/x")


def test_general_ones_are_what_is_documented():
    """ENFILE and EINTR need a system that is full, and a daemon that is slow."""
    (head,) = re.findall(
        r"^ \* Errnos that any function.*?^ \* and what a file", HEADER, re.M | re.S
    )
    tested = {
        name[len("test_") :].upper() for name in globals() if re.match(r"test_e[a-z]+$", name)
    }
    assert listed(head) == tested | {"ENFILE", "EINTR"}


def test_outputs_are_written_on_success_only(c):
    handle = c_void_p(12345)
    assert c.c.sharr_attach(b"none", 0, byref(handle)) == -errno.ENOENT
    assert c.c.sharr_create(b"x", byref(spec_of(shape=(-1,))), 0, byref(handle)) == -errno.EINVAL
    assert handle.value == 12345
    buffer = np.full(3, 7.0)
    c.create("x")
    assert c.c.sharr_copy(b"x", b"<i8", buffer.ctypes.data, 24) == -errno.ERANGE
    assert buffer.tolist() == [7, 7, 7]
