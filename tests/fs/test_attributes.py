# SPDX-License-Identifier: BSD-3-Clause
"""Extended attributes, and chmod, chown and utimens."""

from __future__ import annotations

import ast
import os
import stat
import subprocess

import numpy as np
import pytest
from support.wait import wait_for

pytestmark = pytest.mark.fuse

LISTED = {f"user.sharr.{name}" for name in ("npy", "dtype", "shape", "order")}


def test_metadata_are_attributes(sa, either):
    sa.create("x", (3, 4), "<f4")
    assert either.xattr("dtype", "x") == "<f4"
    assert either.xattr("shape", "x") == "3,4"
    assert either.xattr("order", "x") == "C"
    assert either.xattr("nbytes", "x") == "48"
    assert either.xattr("itemsize", "x") == "4"
    assert either.xattr("uri", "x") == "shm://x"


def test_npy_is_the_text_that_numpy_writes(sa, either):
    sa.create("x", (3, 4), np.dtype([("a", "<i4"), ("b", ">f8", (2,))]))
    text = ast.literal_eval(either.xattr("npy", "x"))
    assert text["shape"] == (3, 4)
    assert np.dtype(text["descr"]) == np.dtype([("a", "<i4"), ("b", ">f8", (2,))])


def test_scalar_and_fortran(sa, either):
    sa.create("scalar", ())
    sa.create("f", (3, 4), order="F")
    assert either.xattr("shape", "scalar") == ""
    assert either.xattr("order", "f") == "F"


def test_only_what_can_be_set_is_listed(sa, store, either):
    sa.create("x", 3)
    os.mkdir(store / "group")
    assert set(os.listxattr(either / "x")) == LISTED
    assert os.listxattr(either) == os.listxattr(either / "group") == []
    shown = subprocess.run(["getfattr", "-d", either / "x"], capture_output=True, text=True)
    assert 'user.sharr.dtype="<f8"' in shown.stdout


def test_creator_and_time_of_an_array(sa, either):
    sa.create("x", 3)
    assert either.xattr("creator", "x") == f"pid={os.getpid()} uid={os.geteuid()}"
    created = np.datetime64(either.xattr("created", "x").rstrip("Z"))
    assert abs(np.datetime64("now") - created) < np.timedelta64(60, "s")


def test_attached_names_the_processes_that_map_it(sa, python, either):
    array = sa.create("x", 3)
    assert either.xattr("attached", "x") == str(os.getpid())
    other = python()
    other.run("a = np.memmap(path, np.float64, 'r'); a[0]", path=str(either / "x"))
    both = {os.getpid(), other.pid}
    assert {int(pid) for pid in either.xattr("attached", "x").split(",")} == both
    del array
    wait_for(lambda: either.xattr("attached", "x") == str(other.pid))


def test_root_tells_of_the_daemon(request, store, either):
    assert either.xattr("store") == str(store)
    assert either.xattr("io") == request.node.callspec.params["either"]
    assert either.xattr("version").count(".") == 2
    assert either.counters() == {"reads": 0, "writes": 0, "opens": 0}


def test_counters_count(sa, either):
    sa.create("x", 3)
    with open(either / "x", "r+b", buffering=0) as file:
        file.write(b"a")
        file.read(1)
    assert either.counters() == {"reads": 1, "writes": 1, "opens": 1}


@pytest.mark.parametrize("name", ["security.selinux", "system.posix_acl_access", "trusted.x"])
def test_other_namespaces_are_not_supported(sa, either, errno_of, name):
    sa.create("x", 3)
    assert errno_of(os.getxattr, either / "x", name) == "ENOTSUP"
    value = b"\2\0\0\0" + bytes([1, 0, 6, 0]) + b"\377" * 4 if "acl" in name else b"1"
    assert errno_of(os.setxattr, either / "x", name, value) in ("ENOTSUP", "EINVAL")


def test_what_is_not_there_is_no_data(sa, store, either, errno_of):
    sa.create("x", 3)
    os.mkdir(store / "group")
    for path in (either, either / "x", either / "group"):
        assert errno_of(os.getxattr, path, "user.other") == "ENODATA"
    assert errno_of(os.getxattr, either / "group", "user.sharr.npy") == "ENODATA"
    assert errno_of(os.getxattr, either / "x", "user.sharr.io") == "ENODATA"


@pytest.mark.parametrize("name", ["nbytes", "itemsize", "uri", "created", "creator", "attached"])
def test_what_describes_cannot_be_set_nor_removed(sa, either, errno_of, name):
    sa.create("x", 3)
    assert errno_of(os.setxattr, either / "x", f"user.sharr.{name}", b"1") == "EPERM"
    assert errno_of(os.removexattr, either / "x", f"user.sharr.{name}") == "EPERM"


def test_attributes_of_a_deleted_array_that_is_open(sa, either):
    sa.create("x", (3, 4))
    with open(either / "x", "rb") as file:
        os.unlink(either / "x")
        assert os.getxattr(file.fileno(), "user.sharr.shape") == b"3,4"


def test_attributes_are_set_on_a_deleted_array_that_is_open(sa, either):
    array = sa.create("x", (3, 4))
    with open(either / "x", "rb") as file:
        os.unlink(either / "x")
        os.setxattr(file.fileno(), "user.sharr.shape", b"12")
        os.setxattr(file.fileno(), "user.units", b"EUR")
        os.chmod(file.fileno(), 0o600)
        assert os.getxattr(file.fileno(), "user.sharr.shape") == b"12"
        assert os.getxattr(file.fileno(), "user.units") == b"EUR"
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    assert array.shape == (3, 4)


def test_array_of_the_original_has_attributes_too(old, either, errno_of):
    old.run("a = sa.create('shm://x', (3, 4), np.int16)")
    assert os.stat(either / "x").st_size == 24
    assert either.xattr("dtype", "x") == "<i2"
    assert either.xattr("shape", "x") == "3,4"
    assert errno_of(os.getxattr, either / "x", "user.sharr.creator") == "ENODATA"


def test_chmod_is_forwarded_without_the_special_bits_on_files(sa, store, either):
    sa.create("x", 3)
    os.mkdir(store / "group")
    for name, wanted in (("x", 0o640), ("group", 0o3755)):
        os.chmod(either / name, 0o7640 if name == "x" else 0o3755)
        assert stat.S_IMODE(os.stat(store / name).st_mode) == wanted
        assert stat.S_IMODE(os.stat(either / name).st_mode) == wanted


def test_chown_and_times_are_forwarded(sa, store, either):
    sa.create("x", 3)
    os.chown(either / "x", 12, 34)
    os.utime(either / "x", ns=(10**18 + 1, 10**18 + 2))
    for folder in (store, either):
        seen = os.stat(folder / "x")
        assert (seen.st_uid, seen.st_gid) == (12, 34)
        assert (seen.st_atime_ns, seen.st_mtime_ns) == (10**18 + 1, 10**18 + 2)


def test_touch_sets_the_time_to_now(sa, store, either):
    sa.create("x", 3)
    os.utime(store / "x", (0, 0))
    os.utime(either / "x")
    assert os.stat(store / "x").st_mtime > 10**9
