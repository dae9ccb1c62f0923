# SPDX-License-Identifier: BSD-3-Clause
"""What an error says: what happened, and what to do about it. Each in the real condition."""

from __future__ import annotations

import errno
import os
import re
import subprocess

import pytest


def told(number: int, kind: type[OSError], pattern: str, name: str, call) -> None:
    """call() raises that errno of that class, with these words, about that name."""
    with pytest.raises(OSError, match=pattern) as caught:
        call()
    assert type(caught.value) is kind
    assert (caught.value.errno, caught.value.filename) == (number, name)


def test_full_store(sa, store):
    told(
        errno.ENOSPC,
        OSError,
        re.escape(str(store)) + r" has [\d.]+ MiB \(\d+ bytes\) free; asked for were 1\.0 GiB",
        "x",
        lambda: sa.create("x", 1 << 30, "u1"),
    )
    assert store.names() == []


def test_wrong_dtype_shape_and_order(sa):
    sa.create("x", (3, 4), "i4", order="F")
    told(
        errno.EEXIST,
        FileExistsError,
        r"exists: dtype <i4, shape \(3, 4\), order F; asked for was dtype <f8, shape \(2, 2\), "
        "order C",
        "x",
        lambda: sa.create("x", (2, 2), exist_ok=True),
    )


def test_copy_into_an_array_of_another_dtype_or_shape(sa):
    a = sa.create("x", (3, 4), "i4")
    for out, what in (
        (a.astype("f8"), "dtype float64, the array has int32"),
        (a[0].copy(), "shape"),
    ):
        with pytest.raises(ValueError, match=what):
            sa.copy("x", out=out)


@pytest.mark.parametrize("call", ["attach", "copy", "info", "attrs", "delete"])
def test_array_of_another_user(sa, python, store, call):
    sa.create("x", 3, mode=0o600)
    nobody = python(uid=65534)
    code = {"delete": "sa.delete('x')"}.get(call, f"sa.{call}('x')")
    told(
        errno.EACCES,
        PermissionError,
        r"the array belongs to uid 0, gid 0 and has mode 0600; this process is uid 65534",
        "x",
        lambda: nobody.run(code),
    )


@pytest.mark.parametrize("call", ["sa.delete('x')", "sa.put('x', [1], replace=True)"])
def test_name_of_another_user_in_a_sticky_store(sa, python, store, call):
    sa.create("x", 3, mode=0o666)
    told(
        errno.EPERM,
        PermissionError,
        r"only uid 0, whose array it is, deletes or replaces it; this process is uid 65534",
        "x",
        lambda: python(uid=65534).run(call),
    )
    assert store.names() == ["x"]


def test_store_of_another_user(sa, python, store):
    os.chmod(store, 0o755)
    told(
        errno.EACCES,
        PermissionError,
        re.escape(str(store)) + r" belongs to uid 0, gid 0 and has mode 0755",
        "x",
        lambda: python(uid=65534).run("sa.create('x', 3)"),
    )


@pytest.mark.parametrize("call", ["create", "put", "delete", "attach", "attrs"])
def test_store_that_is_read_only(sa, store, call):
    sa.put("y", [1.0])
    subprocess.run(["mount", "-o", "remount,ro", store], check=True)
    calls = {
        "create": ("x", lambda: sa.create("x", 3)),
        "put": ("x", lambda: sa.put("x", [1])),
        "delete": ("y", lambda: sa.delete("y")),
        "attach": ("y", lambda: sa.attach("y")),
        "attrs": ("y", lambda: sa.attrs("y").update(a="b")),
    }
    name, action = calls[call]
    told(errno.EROFS, OSError, re.escape(str(store)) + " is mounted read-only", name, action)
    assert sa.attach("y", ro=True).tolist() == [1]


def test_store_that_does_not_exist(sa, area, monkeypatch):
    monkeypatch.setenv("SHARR_STORE", str(area / "nowhere"))
    for call in (lambda: sa.create("x", 3), lambda: sa.attach("x")):
        told(errno.ENOENT, FileNotFoundError, "the store .*nowhere does not exist", "x", call)


NO_DESCRIPTORS = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
taken = []
try:
    while True: taken.append(os.open('/', os.O_RDONLY))
except OSError: pass
"""


@pytest.mark.parametrize(
    "call",
    ["create('y', 3)", "put('y', a)", "attach('x')", "copy('x')", "info('x')", "delete('x')"],
)
def test_no_descriptor_left(sa, python, call):
    sa.put("x", [1.0])
    other = python()
    other.run("a = sa.attach('x')\n" + NO_DESCRIPTORS)
    told(
        errno.EMFILE,
        OSError,
        r"RLIMIT_NOFILE allows \(64\): close some, or raise it \(ulimit -n\)",
        re.findall("'(.)'", call)[0],
        lambda: other.run(f"sa.{call}"),
    )


def test_no_descriptor_left_for_a_listing(sa, python):
    sa.put("x", [1.0])
    other = python()
    other.run(NO_DESCRIPTORS + "os.close(taken.pop())")
    with pytest.raises(OSError, match="RLIMIT_NOFILE") as caught:
        other.run("sa.list()")
    assert caught.value.errno == errno.EMFILE


@pytest.mark.fuse
def test_mount_whose_daemon_is_gone(sa, mount, monkeypatch):
    sa.put("x", [1.0])
    seen = mount()
    monkeypatch.setenv("SHARR_MOUNT", str(seen))
    seen.kill()
    for call in (lambda: sa.attach("x", via="mount"), lambda: sa.create("x", 3, via="mount")):
        told(
            errno.ENOTCONN,
            OSError,
            f"mounted at {re.escape(str(seen))} is gone: umount -l",
            "x",
            call,
        )
    assert sa.attach("x").tolist() == [1]
