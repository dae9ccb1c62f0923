# SPDX-License-Identifier: BSD-3-Clause
"""Any dtype that numpy can build, any shape and order, comes back as it went in, by every way:
this module beside numpy 2 and numpy 1, the npy header, the mount, the original SharedArray."""

from __future__ import annotations

import ast
import io
import itertools
import os
import warnings

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support.dtypes import (
    DTYPES,
    FIELDS,
    SHAPES,
    SIMPLE,
    THERE,
    filled,
    raw,
    recipe,
    shapes_up_to,
    subarrays,
    tree,
)

CF = st.sampled_from("CF")
NDIM_MAX = 64
ANY_SHAPE = shapes_up_to(NDIM_MAX)
# What the original has a type number for, in the byte order of this machine.
PLAIN = SIMPLE.filter(lambda dtype: dtype.isnative)


def examples(count):
    check = [hypothesis.HealthCheck.function_scoped_fixture]
    return hypothesis.settings(max_examples=count, suppress_health_check=check)


many, some = examples(300), examples(100)


@many
@hypothesis.given(DTYPES, ANY_SHAPE, CF)
def test_create_and_attach(sa, dtype, shape, order):
    a = sa.create("x", shape, dtype, order=order, replace=True)
    b = sa.attach("x")
    assert tree(a.dtype) == tree(b.dtype) == tree(dtype)
    assert a.dtype == dtype
    assert b.shape == shape
    assert b.flags.c_contiguous if order == "C" else b.flags.f_contiguous
    assert a.strides == b.strides


@many
@hypothesis.given(subarrays(st.one_of(SIMPLE, FIELDS)), SHAPES, CF)
def test_create_of_a_subarray_dtype(sa, dtype, shape, order):
    expected = np.ndarray(shape, dtype, order=order)
    for a in (sa.create("x", shape, dtype, order=order, replace=True), sa.attach("x")):
        assert tree(a.dtype) == tree(expected.dtype)
        assert a.shape == expected.shape


@many
@hypothesis.given(DTYPES, ANY_SHAPE, CF)
def test_put_and_copy(sa, dtype, shape, order):
    a = filled(shape, dtype, order)
    sa.put("x", a, replace=True)
    b = sa.copy("x")
    assert tree(b.dtype) == tree(dtype)
    assert raw(a) == raw(b) == raw(sa.attach("x"))
    assert a.flags.c_contiguous == b.flags.c_contiguous
    assert b.base is None


@many
@hypothesis.given(DTYPES, SHAPES, CF)
def test_copy_out(sa, dtype, shape, order):
    a = filled(shape, dtype, order)
    sa.put("x", a, replace=True)
    out = np.ndarray(shape, dtype, order=order)
    assert sa.copy("x", out) is out
    assert raw(out) == raw(a)


@many
@hypothesis.given(DTYPES, SHAPES, CF)
def test_building(sa, dtype, shape, order):
    a = filled(shape, dtype, order)
    with sa.building("x", shape, dtype, order=order, replace=True) as b:
        b.reshape(-1, order="A").view("V1" if not b.nbytes else f"V{dtype.itemsize}")[:] = (
            a.reshape(-1, order="A").view(f"V{dtype.itemsize}")
        )
    assert raw(sa.attach("x")) == raw(a)
    assert tree(sa.attach("x").dtype) == tree(dtype)


@many
@hypothesis.given(DTYPES, ANY_SHAPE, CF)
def test_list_and_info(sa, dtype, shape, order):
    a = sa.create("x", shape, dtype, order=order, replace=True)
    (item,), info = sa.list(), sa.info("x")
    assert tree(item.descr) == tree(info.dtype) == tree(dtype)
    assert item.dims == info.shape == shape
    assert item.nbytes == info.nbytes == a.nbytes
    assert item.dtype is dtype.type
    assert item.order == info.order


def header_in(content: bytes, nbytes: int):
    """(shape, fortran_order, dtype) of the npy header behind the data, as numpy itself reads it."""
    file = io.BytesIO(content[content.index(b"\x93NUMPY", nbytes) :])
    version = np.lib.format.read_magic(file)
    read = getattr(np.lib.format, "_read_array_header", None)
    if read is None:  # numpy 2.3 moved it
        read = np.lib._format_impl._read_array_header
    return read(file, version, max_header_size=1 << 16)


@many
@hypothesis.given(DTYPES, ANY_SHAPE, CF)
def test_file_holds_the_npy_header_that_numpy_writes(sa, store, dtype, shape, order):
    a = filled(shape, dtype, order)
    sa.put("x", a, replace=True)
    content = (store / "x").read_bytes()
    is_shape, is_fortran, is_dtype = header_in(content, a.nbytes)
    assert content[: a.nbytes] == raw(a)
    assert tree(is_dtype) == tree(dtype)
    assert is_shape == shape
    assert is_fortran == (not a.flags.c_contiguous)


@many
@hypothesis.given(npst.array_dtypes(), SHAPES)
def test_dtypes_that_hypothesis_draws(sa, dtype, shape):
    hypothesis.assume(dtype.itemsize and not dtype.hasobject)
    a = sa.create("x", shape, dtype, replace=True)
    assert tree(a.dtype) == tree(sa.attach("x").dtype) == tree(dtype)


# Through the mount. Each example has a name of its own: what the mount remembers of one name is
# none of these tests' business.


@pytest.fixture
def mounted(mount):
    return mount()


@pytest.fixture
def new_name():
    numbers = itertools.count()
    return lambda: f"x{next(numbers)}"


@pytest.mark.fuse
@some
@hypothesis.given(DTYPES, ANY_SHAPE, CF)
def test_attributes_of_the_mount(sa, mounted, new_name, dtype, shape, order):
    name = new_name()
    a = filled(shape, dtype, order)
    sa.put(name, a)
    npy = ast.literal_eval(mounted.xattr("npy", name))
    assert tree(np.lib.format.descr_to_dtype(npy["descr"])) == tree(dtype)
    assert npy["shape"] == shape
    assert npy["fortran_order"] == (not a.flags.c_contiguous)
    descr = mounted.xattr("dtype", name)
    descr = ast.literal_eval(descr) if descr.startswith("[") else descr
    assert tree(np.lib.format.descr_to_dtype(descr)) == tree(dtype)
    assert mounted.xattr("shape", name) == ",".join(map(str, shape))
    assert mounted.xattr("order", name) == ("C" if a.flags.c_contiguous else "F")
    assert (mounted / name).read_bytes() == raw(a)
    sa.delete(name)


@pytest.mark.fuse
@some
@hypothesis.given(DTYPES, ANY_SHAPE, CF)
def test_npy_view_of_the_mount(sa, mounted, new_name, dtype, shape, order):
    name = new_name()
    a = filled(shape, dtype, order)
    sa.put(name, a)
    b = np.load(mounted / ".npy" / f"{name}.npy", max_header_size=1 << 16)
    assert (tree(b.dtype), b.shape) == (tree(dtype), shape)
    assert raw(b) == raw(a)
    sa.delete(name)


@pytest.mark.fuse
@some
@hypothesis.given(DTYPES, SHAPES, CF)
def test_npy_file_written_through_the_mount(sa, mounted, new_name, dtype, shape, order):
    name = new_name()
    a = filled(shape, dtype, order)
    with warnings.catch_warnings(action="ignore"):  # of names of fields that need version 3
        np.save(mounted / ".npy" / f"{name}.npy", a)
    b = sa.attach(name)
    assert (tree(b.dtype), b.shape) == (tree(dtype), shape)
    assert raw(b) == raw(a)
    sa.delete(name)


# This module beside numpy 1.26.


@pytest.fixture
def beside_numpy_1(python):
    other = python(venv="np1")
    other.run(THERE)
    assert other.run("np.__version__.startswith('1.')")
    return other


SEEN = "raw(a), a.shape, a.flags.c_contiguous, a.flags.f_contiguous"


def flags(a):
    return raw(a), a.shape, a.flags.c_contiguous, a.flags.f_contiguous


@some
@hypothesis.given(DTYPES, shapes_up_to(32), CF)
def test_numpy_1_reads_what_numpy_2_puts(sa, beside_numpy_1, dtype, shape, order):
    a = filled(shape, dtype, order)
    sa.put("x", a, replace=True)
    code = "a = sa.attach('x')\nassert tree(a.dtype) == tree(made(d))"
    beside_numpy_1.run(code, d=repr(recipe(dtype)))
    assert beside_numpy_1.run(SEEN) == flags(a)
    assert beside_numpy_1.run("a = sa.copy('x')\n" + SEEN) == flags(a)


@some
@hypothesis.given(DTYPES, shapes_up_to(32), CF)
def test_numpy_2_reads_what_numpy_1_puts(sa, beside_numpy_1, dtype, shape, order):
    a = filled(shape, dtype, order)
    beside_numpy_1.run(
        "a = np.ndarray(shape, made(d), order=order)\n"
        "if a.nbytes:\n"
        "    a.reshape(-1, order='A').view('u1')[:] = np.frombuffer(bytes.fromhex(data), 'u1')\n"
        "sa.put('x', a, replace=True)",
        d=repr(recipe(dtype)),
        shape=shape,
        order=order,
        data=raw(a).hex(),
    )
    b = sa.attach("x")
    assert tree(b.dtype) == tree(dtype)
    assert flags(b) == flags(a)


# The original SharedArray, where it can express them.


def seen_by_original(dtype):
    """Void for what it has no type number for, and times without their unit."""
    if dtype.names or dtype.subdtype or not dtype.isnative:
        return np.dtype(f"V{dtype.itemsize}")
    return np.dtype(dtype.char) if dtype.kind in "mM" else dtype


@pytest.mark.parametrize(("venv", "ndim"), [("np1", 27), ("np2", 64)])
def test_original_reads_ours(sa, old_of, venv, ndim):
    original = old_of(venv)
    original.run(THERE)

    @some
    @hypothesis.given(DTYPES, shapes_up_to(ndim), CF)
    def check(dtype, shape, order):
        a = filled(shape, dtype, order)
        sa.put("x", a, replace=True)
        seen = original.run("a = sa.attach('x'); (a.dtype.str, a.shape, raw(a))")
        turned = shape if a.flags.c_contiguous else shape[::-1]
        assert seen == (seen_by_original(dtype).str, turned, raw(a))
        assert original.run("len(sa.list())") == 1

    check()


@pytest.mark.parametrize(("venv", "ndim"), [("np1", 32), ("np2", 64)])
def test_ours_reads_the_original(sa, old_of, venv, ndim):
    original = old_of(venv)
    original.run(THERE)

    @some
    @hypothesis.given(PLAIN, shapes_up_to(ndim))
    def check(dtype, shape):
        a = filled(shape, dtype)
        original.run(
            "a = sa.create('x', tuple(shape), made(d))\n"
            "if a.nbytes: a.reshape(-1).view('u1')[:] = np.frombuffer(bytes.fromhex(data), 'u1')",
            shape=shape,
            d=repr(recipe(dtype)),
            data=raw(a).hex(),
        )
        b = sa.attach("x")
        assert (b.dtype, b.shape, raw(b)) == (seen_by_original(dtype), shape, raw(a))
        sa.delete("x")

    check()


# Extension dtypes are known by name.

EXTENSIONS = [
    *("bfloat16", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn"),
    *("float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
    *("int2", "int4", "uint2", "uint4", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn"),
]


@pytest.mark.parametrize("name", EXTENSIONS)
def test_extension_dtype(sa, name):
    dtype = np.dtype(getattr(pytest.importorskip("ml_dtypes"), name))

    @examples(20)
    @hypothesis.given(ANY_SHAPE, CF)
    def check(shape, order):
        a = np.zeros(shape, dtype, order)
        a[...] = 1
        sa.put("x", a, replace=True)
        for b in (sa.attach("x"), sa.copy("x"), sa.create("y", shape, dtype, replace=True)):
            assert (b.dtype, b.shape) == (dtype, shape)
        assert sa.info("x").dtype == {i.name: i for i in sa.list()}[b"y"].descr == dtype
        assert sa.attach("x").tobytes() == a.tobytes()

    check()


@pytest.mark.fuse
@pytest.mark.parametrize("name", EXTENSIONS)
def test_extension_dtype_through_the_mount(sa, mounted, monkeypatch, name):
    dtype = np.dtype(getattr(pytest.importorskip("ml_dtypes"), name))
    sa.put("x", np.ones((2, 3), dtype))
    assert mounted.xattr("dtype", "x") == f"|V{dtype.itemsize}"
    b = sa.attach(f"file://{mounted}/x", ro=True)
    assert b.dtype == dtype
    assert b.astype(int).tolist() == [[1] * 3] * 2


# What holds pointers means nothing to another process.


def with_pointers():
    objects = st.just(np.dtype("O"))
    found = st.one_of(objects, subarrays(objects), npst.nested_dtypes(st.just(np.dtype("O"))))
    return found.filter(lambda dtype: dtype.hasobject)


@some
@hypothesis.given(with_pointers(), SHAPES)
def test_pointers_are_refused(sa, store, dtype, shape):
    for call in (lambda: sa.create("x", shape, dtype), lambda: sa.put("x", np.empty(shape, dtype))):
        with pytest.raises(TypeError, match="pointers"):
            call()
    with pytest.raises(TypeError, match="pointers"), sa.building("x", shape, dtype):
        pytest.fail("entered")
    assert os.listdir(store) == []


@some
@hypothesis.given(SHAPES)
def test_variable_strings_are_refused(sa, store, shape):
    strings = np.dtypes.StringDType()
    for call in (
        lambda: sa.create("x", shape, strings),
        lambda: sa.put("x", np.full(shape, "text", strings)),
    ):
        with pytest.raises(TypeError, match="pointers"):
            call()
    assert os.listdir(store) == []
