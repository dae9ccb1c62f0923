# SPDX-License-Identifier: BSD-3-Clause
"""Attributes that a new file gets before it is an array."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytestmark = pytest.mark.fuse


BAD_VALUES = [
    ("dtype", b"nonsense"),
    ("dtype", b""),
    ("dtype", b"|O"),
    ("shape", b"3,x"),
    ("shape", b"-1"),
    ("shape", b"3,"),
    ("order", b"K"),
    ("order", b""),
    ("npy", b"{'descr': '<f8'}"),
    ("npy", b"garbage"),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_attribute_without_sense_is_refused_at_once(sa, either, created, errno_of, name, value):
    fd = created("x")
    os.write(fd, bytes(24))
    assert errno_of(os.setxattr, fd, f"user.sharr.{name}", value) == "EINVAL"
    os.close(fd)
    assert sa.attach("x").dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dtype", b"<f8"),
        ("shape", b"5,5"),
        ("npy", b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"),
    ],
)
def test_attribute_that_does_not_fit_is_refused_at_close(store, created, errno_of, name, value):
    fd = created("x")
    os.setxattr(fd, f"user.sharr.{name}", value)
    os.write(fd, bytes(23))
    assert errno_of(os.close, fd) == "EINVAL"
    assert store.names() == []


def test_attributes_before_the_data(sa, created):
    fd = created("x")
    os.setxattr(fd, "user.sharr.shape", b"2,3")
    os.setxattr(fd, "user.sharr.dtype", b"<f4")
    os.setxattr(fd, "user.sharr.order", b"F")
    os.setxattr(fd, "user.units", b"m")
    os.write(fd, np.arange(6, dtype="<f4").tobytes())
    os.close(fd)
    array = sa.attach("x")
    assert (array.dtype, array.shape, array.flags.fnc) == (np.float32, (2, 3), True)
    assert array.T.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_attributes_of_what_is_unfinished_are_read_and_removed(either, created, errno_of):
    fd = created("x")
    os.setxattr(fd, "user.sharr.dtype", b"<f4")
    os.setxattr(fd, "user.units", b"m")
    assert os.getxattr(either / "x", "user.units") == b"m"
    assert set(os.listxattr(fd)) == {"user.sharr.dtype", "user.units"}
    assert errno_of(os.setxattr, fd, "user.units", b"s", os.XATTR_CREATE) == "EEXIST"
    assert errno_of(os.setxattr, fd, "user.other", b"s", os.XATTR_REPLACE) == "ENODATA"
    os.removexattr(fd, "user.units")
    assert errno_of(os.getxattr, fd, "user.units") == "ENODATA"
    assert errno_of(os.removexattr, fd, "user.units") == "ENODATA"


def test_describing_attributes_of_what_is_unfinished_stay(created, errno_of):
    fd = created("x")
    os.setxattr(fd, "user.sharr.dtype", b"<f4")
    assert errno_of(os.removexattr, fd, "user.sharr.dtype") == "EPERM"
    assert errno_of(os.setxattr, fd, "user.sharr.nbytes", b"4") == "EPERM"
    assert errno_of(os.setxattr, fd, "trusted.x", b"4") == "ENOTSUP"


def set_until_full(errno_of, fd, value):
    """How many, until there is no room for one more."""
    codes = (errno_of(os.setxattr, fd, f"user.{i}", value) for i in range(40_000))
    count, code = next((i, code) for i, code in enumerate(codes) if code)
    assert code == "ENOSPC"
    return count


def test_attributes_of_what_is_unfinished_take_64_kib_of_memory(either, created, errno_of):
    """However small they are; and what was taken is kept."""
    fd = created("x")
    count = set_until_full(errno_of, fd, b"")
    assert 400 < count < 65536 // 64
    os.setxattr(fd, "user.2", b"", os.XATTR_REPLACE)  # which takes no more
    os.removexattr(fd, "user.0")
    os.setxattr(fd, "user.0", b"")
    os.removexattr(fd, "user.1")
    assert errno_of(os.setxattr, fd, "user.0", b"too long" * 20) == "ENOSPC"
    os.close(fd)
    names = {f"user.{i}" for i in range(count) if i != 1}
    assert {n for n in os.listxattr(either / "x") if not n.startswith("user.sharr.")} == names


def test_attributes_of_all_that_is_unfinished_take_16_mib(either, created, idle, errno_of):
    def fill(name):
        return errno_of(os.setxattr, created(name), "user.big", bytes(60_000))

    drafts = [f"x{i}" for i in range(300)]
    full = next(i for i, name in enumerate(drafts) if fill(name))
    assert 16 * 2**20 * 0.95 < full * 60_000 < 16 * 2**20
    assert fill("more") == "ENOSPC"
    created.close()
    assert os.getxattr(either / "x0", "user.big") == bytes(60_000)
    idle()
    assert fill("again") is None
