# SPDX-License-Identifier: BSD-3-Clause
"""C4: what create takes and gives."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest


class Index:
    def __index__(self):
        return 3


class Size(tuple):
    """As torch.Size is: a tuple of its own type."""


@pytest.mark.parametrize(
    ("shape", "is_shape"),
    [
        (3, (3,)),
        (np.int8(3), (3,)),
        (np.array(3), (3,)),
        (Index(), (3,)),
        ((2, 3), (2, 3)),
        ([2, np.uint64(3)], (2, 3)),
        (np.array([2, 3], "u2"), (2, 3)),
        (Size((2, 3)), (2, 3)),
        (range(2, 4), (2, 3)),
        ((), ()),
        ([], ()),
        (0, (0,)),
        ((2, 0, 3), (2, 0, 3)),
        (np.zeros((2, 3)).shape, (2, 3)),
    ],
    ids=repr,
)
def test_shape_may_be(sa, shape, is_shape):
    assert sa.create("x", shape).shape == is_shape
    assert sa.attach("x").shape == is_shape


@pytest.mark.parametrize("shape", [-1, (2, -3), np.int64(-2), (0, -1), 2**63, (2**40, 2**40)])
def test_impossible_shape_is_a_value_error(sa, store, shape):
    with pytest.raises(ValueError, match=r"negative|beyond|more bytes"):
        sa.create("x", shape)
    assert store.names() == []


@pytest.mark.parametrize("shape", [2.5, (2, 2.5), "3", b"33", None, {2: 3}, {2, 3}, object()])
def test_shape_of_no_integers_is_a_type_error(sa, store, shape):
    with pytest.raises(TypeError):
        sa.create("x", shape)
    assert store.names() == []


@pytest.mark.parametrize(
    "dtype",
    [float, int, bool, complex, "f4", "int16", np.uint8, np.dtype("f2"), np.float32(1).dtype],
)
def test_dtype_may_be(sa, dtype):
    assert sa.create("x", 3, dtype).dtype == np.dtype(dtype)
    assert sa.attach("x").dtype == np.dtype(dtype)


def test_dtype_is_float_unless_told(sa):
    assert sa.create("x", 3).dtype == np.float64


def test_arguments_by_keyword(sa):
    assert sa.create(name="x", shape=(2, 3), dtype="i2").dtype == np.int16
    assert sa.attach(name="x", ro=True).shape == (2, 3)


def test_array_is_zeros_in_c_order_and_plain(sa):
    a = sa.create("x", (100, 70), "f4")
    assert type(a) is np.ndarray
    assert not a.any()
    assert a.flags.c_contiguous
    assert a.flags.writeable
    assert a.flags.aligned


def test_data_start_at_a_page(sa):
    for shape in ((), 0, 1, 1000):
        a = sa.create("x", shape, replace=True)
        assert a.base.addr % 4096 == 0
        assert a.ctypes.data == a.base.addr


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_mode_is_what_the_umask_leaves(sa, store, umask):
    before = os.umask(umask)
    try:
        sa.create("x", 3)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(store / "x").st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("dtype", ["U", "S", "V", str, bytes, []])
def test_elements_of_no_bytes_are_a_value_error(sa, store, dtype):
    with pytest.raises(ValueError, match="no bytes"):
        sa.create("x", 3, dtype)
    assert store.names() == []


def test_unknown_dtype_is_numpys_type_error(sa, store):
    with pytest.raises(TypeError, match="not understood"):
        sa.create("x", 3, "nope")
    assert store.names() == []


def test_array_may_have_the_most_dimensions_of_this_numpy(sa):
    shape = (1,) * (64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32)
    sa.create("x", shape)[...] = 4
    assert sa.attach("x").shape == shape


def test_too_many_dimensions_are_a_value_error_that_names_the_limit(sa, store):
    with pytest.raises(ValueError, match=r"\b(32|64)\b"):
        sa.create("x", (1,) * 65)
    assert store.names() == []


def test_33_dimensions_under_numpy_1(sa, store, python):
    one = python(venv="np1")
    with pytest.raises(ValueError, match="32"):
        one.run("sa.create('x', (1,) * 33)")
    assert store.names() == []
    python(venv="np2").run("sa.create('y', (1,) * 33)")
    for call in ("attach", "copy"):
        with pytest.raises(ValueError, match="32"):
            one.run(f"sa.{call}('y')")
    assert one.run("sa.list()[0].dims") == (1,) * 33
