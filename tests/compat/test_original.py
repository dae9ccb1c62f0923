# SPDX-License-Identifier: BSD-3-Clause
"""C3: arrays of SharedArray 3.2.4, against numpy 1 and numpy 2, are read here, and ours there."""

from __future__ import annotations

import numpy as np
import pytest

# Those that the original can express.
DTYPES = [*"?bBhHiIlLqQefdgFDG", "S1", "S5", "S1000", "U1", "U7", "V1", "V5", "M8", "m8"]
SHAPES = [(), (0,), (1,), (3,), (7, 11), (0, 3), (3, 0), (2, 3, 4), (4093,), (65536,)]
DIMENSIONS = [4, 26, 27, 28, 31, 32]


def pattern(shape, dtype) -> np.ndarray:
    """Bytes that differ from element to element and are valid in every dtype."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    values = np.arange(1, count + 1)
    if dtype.kind in "?b":
        return (values % 2 == 0).astype(dtype).reshape(shape)
    if dtype.kind == "V":
        return np.arange(count * dtype.itemsize, dtype="u1").view(dtype).reshape(shape)
    return (values % 100).astype(dtype).reshape(shape)


def test_every_dtype_of_theirs_is_ours(sa, old):
    for dtype in DTYPES:
        data = pattern((3, 5), dtype)
        old.run(
            "import binascii; a = sa.create('x', (3, 5), dtype)\n"
            "a[...] = np.frombuffer(binascii.unhexlify(data), a.dtype).reshape(3, 5)",
            dtype=dtype,
            data=data.tobytes().hex(),
        )
        assert sa.attach("x").dtype == data.dtype, dtype
        assert sa.attach("x").tobytes() == data.tobytes(), dtype
        assert sa.copy("x").tobytes() == data.tobytes(), dtype
        sa.delete("x")


def test_every_dtype_of_ours_is_theirs(sa, old):
    for dtype in DTYPES:
        data = pattern((3, 5), dtype)
        sa.put("x", data)
        told = old.run("a = sa.attach('x'); (a.dtype.str, a.shape, a.tobytes())")
        assert told == (data.dtype.str, (3, 5), data.tobytes()), dtype
        old.run("sa.delete('x')")
        assert sa.list() == ()


def test_every_shape_of_theirs_is_ours(sa, old):
    for shape in SHAPES:
        old.run("sa.create('x', tuple(shape), 'i4')[...] = 7", shape=shape)
        assert sa.attach("x").shape == shape
        assert (sa.attach("x") == 7).all()
        assert sa.list()[0].dims == shape
        sa.delete("x")


def test_every_shape_of_ours_is_theirs(sa, old):
    for shape in SHAPES:
        sa.create("x", shape, "i4")[...] = 7
        assert old.run("a = sa.attach('x'); (a.shape, bool((a == 7).all()))") == (shape, True)
        assert old.run("sa.list()[0].dims") == shape
        old.run("sa.delete('x')")


def test_odd_sizes_of_ours_are_theirs(sa, old):
    for count in range(130):
        sa.put("x", np.arange(count, dtype="u1"), replace=True)
        assert old.run("sa.attach('x').tolist()") == [*range(count)]


@pytest.mark.parametrize("ndim", DIMENSIONS)
def test_dimensions_of_theirs_are_ours(sa, old, ndim):
    shape = (1,) * (ndim - 2) + (2, 3)
    old.run("sa.create('x', tuple(shape))[...] = np.arange(6).reshape(2, 3)", shape=shape)
    assert sa.attach("x").shape == shape
    assert sa.attach("x").reshape(-1).tolist() == [*range(6)]


@pytest.mark.parametrize("ndim", DIMENSIONS)
def test_dimensions_of_ours_are_theirs(sa, old_of, ndim):
    """From 28 dimensions on there is no room for the trailer of numpy 1."""
    shape = (1,) * (ndim - 2) + (2, 3)
    sa.put("x", np.arange(6.0).reshape(shape))
    for name in ("np1", "np2") if ndim <= 27 else ("np2",):
        told = old_of(name).run("a = sa.attach('x'); (a.shape, a.reshape(-1).tolist())")
        assert told == (shape, [*range(6)])


def test_fortran_order_of_ours_is_theirs_reversed(sa, old):
    a = sa.create("x", (2, 3, 4), order="F")
    a[...] = np.arange(24).reshape(2, 3, 4)
    shape, values = old.run("b = sa.attach('x'); (b.shape, b.tolist())")
    assert shape == (4, 3, 2)
    assert values == a.T.tolist()


@pytest.mark.parametrize(
    "dtype", ["i4,f8", ">f8", [("a", "u1"), ("b", "M8[s]", (2,))], np.dtype("u1,f8", align=True)]
)
def test_what_they_cannot_express_is_void_to_them(sa, old, dtype):
    a = sa.create("x", 3, dtype)
    a.view("u1")[:] = 5
    told = old.run("b = sa.attach('x'); (b.dtype.str, b.tobytes())")
    assert told == (f"|V{a.itemsize}", a.tobytes())


def test_datetime_is_theirs_without_its_unit(sa, old):
    sa.create("x", 1, "M8[s]")[:] = "2020-01-01"
    assert old.run("sa.attach('x').dtype.str") == "<M8"


def test_structured_of_theirs_is_void(sa, old):
    old.run("sa.create('x', 3, 'i4,f8')")
    assert sa.attach("x").dtype == np.dtype("V12")


def test_memory_is_shared_with_them(sa, old):
    a = sa.create("x", (4, 5))
    old.run("b = sa.attach('x'); b[1, 2] = 7")
    assert a[1, 2] == 7
    a[3, 4] = 8
    assert old.run("b[3, 4]") == 8


def test_written_by_us_is_theirs(sa, old):
    old.run("b = sa.create('x', (4, 5))")
    sa.attach("x")[2, 3] = 9
    assert old.run("b[2, 3]") == 9


def test_two_originals_that_cannot_read_each_other_both_read_ours(sa, old_of):
    one, two = old_of("np1"), old_of("np2")
    sa.create("x", (2, 3))[:] = 1
    for process in (one, two):
        assert process.run("a = sa.attach('x'); a += 1; a.sum()") in (12, 18)


def test_file_of_theirs_is_ours(sa, old, area):
    old.run("sa.create(f'file://{folder}/x', 5, 'i2')[:] = 3", folder=str(area))
    assert sa.attach(f"file://{area}/x").tolist() == [3] * 5


def test_file_of_ours_is_theirs(sa, old, area):
    sa.create(f"file://{area}/x", 5, "i2")[:] = 3
    assert old.run("sa.attach(f'file://{folder}/x').tolist()", folder=str(area)) == [3] * 5


def test_object_array_of_theirs_is_no_danger(sa, old):
    """Its elements are addresses of another process."""
    old.run("sa.create('x', 3, object)")
    assert sa.attach("x").dtype == np.dtype("V8")
    assert sa.list()[0].dtype is np.void
