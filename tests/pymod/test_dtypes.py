# SPDX-License-Identifier: BSD-3-Clause
"""Any dtype that numpy can build, any shape and order, comes back as it went in."""

from __future__ import annotations

import io

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

ORDERS = st.sampled_from("<>")
SIMPLE = st.one_of(
    st.sampled_from(["?", "i1", "u1", "f2"]),
    st.builds("{}{}".format, ORDERS, st.sampled_from(["i2", "u4", "i8", "f4", "f8", "c8", "c16"])),
    st.builds("{}{}".format, ORDERS, st.sampled_from(["f16", "c32"])),
    st.builds("S{}".format, st.integers(1, 40)),
    st.builds("V{}".format, st.integers(1, 40)),
    st.builds("{}U{}".format, ORDERS, st.integers(1, 10)),
    st.builds(
        "{}{}8[{}{}]".format,
        ORDERS,
        st.sampled_from("Mm"),
        st.sampled_from(["", 2, 25, 1000]),
        st.sampled_from(["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]),
    ),
    st.sampled_from(["M8", "m8"]),
).map(np.dtype)

# Names as hostile as numpy takes them; titles too.
TEXT = st.one_of(
    st.text(min_size=1, max_size=6),
    st.sampled_from(["a", "f0", "'", '"', "\\", "'\"", "(", "]", ",", "#", " ", "\n", "\0", "é"]),
)
GAPS = st.integers(0, 9)


@st.composite
def structured(draw, inner):
    """Fields in order, with room before, between and behind them."""
    words = draw(st.lists(TEXT, min_size=2, max_size=10, unique=True))
    count = len(words) // 2
    names, titles = words[:count], words[count : 2 * count]
    formats = [draw(inner) for _ in names]
    if draw(st.booleans()):
        return np.dtype({"names": names, "formats": formats}, align=draw(st.booleans()))
    offsets, end = [], 0
    for format_ in formats:
        offsets.append(end + draw(GAPS))
        end = offsets[-1] + np.dtype(format_).itemsize
    spec = {"names": names, "formats": formats, "offsets": offsets, "itemsize": end + draw(GAPS)}
    if draw(st.booleans()):
        spec["titles"] = [draw(st.sampled_from([None, title])) for title in titles]
    return np.dtype(spec)


def with_lengths(inner):
    lengths = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
    return st.one_of(inner, st.tuples(inner, lengths).map(np.dtype))


FIELDS = structured(
    with_lengths(st.recursive(SIMPLE, lambda i: structured(with_lengths(i)), max_leaves=6))
)
DTYPES = st.one_of(SIMPLE, FIELDS)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)

many = hypothesis.settings(
    max_examples=300, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)


def filled(shape, dtype, order="C"):
    """Random bytes, so that every byte of an element counts; numpy need not understand them."""
    a = np.zeros(shape, dtype, order)
    if a.nbytes:
        flat = a.reshape(-1, order="A").view("u1")
        flat[:] = np.random.default_rng(1).integers(0, 256, flat.size)
    return a


def raw(a) -> bytes:
    """All bytes in memory order; tobytes() leaves out those between fields."""
    return a.reshape(-1, order="A").view("u1").tobytes() if a.nbytes else b""


def tree(dtype: np.dtype):
    """All that counts of a dtype."""
    if dtype.subdtype:
        base, lengths = dtype.subdtype
        return tree(base), lengths
    if dtype.names is None:
        return dtype.str
    fields = [(name, *dtype.fields[name][1:], tree(dtype.fields[name][0])) for name in dtype.names]
    return dtype.itemsize, fields


@many
@hypothesis.given(DTYPES, SHAPES, st.sampled_from("CF"))
def test_create_and_attach(sa, dtype, shape, order):
    a = sa.create("x", shape, dtype, order=order, replace=True)
    b = sa.attach("x")
    assert tree(a.dtype) == tree(b.dtype) == tree(dtype)
    assert a.dtype == dtype
    assert b.shape == shape
    assert b.flags.c_contiguous if order == "C" else b.flags.f_contiguous
    assert a.strides == b.strides


@many
@hypothesis.given(DTYPES, SHAPES, st.sampled_from("CF"))
def test_put_and_copy(sa, dtype, shape, order):
    a = filled(shape, dtype, order)
    sa.put("x", a, replace=True)
    b = sa.copy("x")
    assert tree(b.dtype) == tree(dtype)
    assert raw(a) == raw(b)
    assert a.flags.c_contiguous == b.flags.c_contiguous
    assert b.base is None


@many
@hypothesis.given(DTYPES, SHAPES, st.sampled_from("CF"))
def test_copy_out(sa, dtype, shape, order):
    a = filled(shape, dtype, order)
    sa.put("x", a, replace=True)
    out = np.empty(shape, dtype, order=order)
    assert sa.copy("x", out) is out
    assert raw(out) == raw(a)


@many
@hypothesis.given(DTYPES, SHAPES, st.sampled_from("CF"))
def test_list_and_info(sa, dtype, shape, order):
    a = sa.create("x", shape, dtype, order=order, replace=True)
    (item,), info = sa.list(), sa.info("x")
    assert tree(item.descr) == tree(info.dtype) == tree(dtype)
    assert item.dims == info.shape == shape
    assert item.nbytes == info.nbytes == a.nbytes
    assert item.dtype is dtype.type
    assert item.order == info.order


@many
@hypothesis.given(DTYPES, SHAPES, st.sampled_from("CF"))
def test_file_holds_the_npy_header_that_numpy_writes(sa, store, dtype, shape, order):
    a = filled(shape, dtype, order)
    sa.put("x", a, replace=True)
    content = (store / "x").read_bytes()
    at = content.index(b"\x93NUMPY", a.nbytes)
    header = io.BytesIO(content[at:])
    read = getattr(np.lib.format, f"read_array_header_{content[at + 6]}_0", None)
    hypothesis.assume(read)
    np.lib.format.read_magic(header)
    is_shape, is_fortran, is_dtype = read(header)
    assert tree(is_dtype) == tree(dtype)
    assert is_shape == shape
    assert is_fortran == (not a.flags.c_contiguous)


@many
@hypothesis.given(npst.array_dtypes(), SHAPES)
def test_dtypes_that_hypothesis_draws(sa, dtype, shape):
    hypothesis.assume(dtype.itemsize and not dtype.hasobject)
    a = sa.create("x", shape, dtype, replace=True)
    assert tree(a.dtype) == tree(sa.attach("x").dtype) == tree(dtype)


@pytest.mark.parametrize("shape", [(), 3, (2, 0), (2, 3)])
@pytest.mark.parametrize("dtype", [("f8", 3), ("i4", (2, 3)), (("i2", 2), 3), ("i4,f8", (2,))])
def test_subarray_extends_the_shape(sa, shape, dtype):
    expected = np.zeros(shape, dtype)
    for a in (sa.create("x", shape, dtype, replace=True), sa.attach("x")):
        assert a.shape == expected.shape
        assert a.dtype == expected.dtype


def test_subarray_in_fortran_order(sa):
    expected = np.zeros((4, 5), ("f8", (2, 3)), order="F")
    a = sa.create("x", (4, 5), ("f8", (2, 3)), order="F")
    assert a.shape == expected.shape
    assert a.flags.f_contiguous


OUT_OF_ORDER = {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]}
OVERLAPPING = {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2]}
NESTED = [("x", np.dtype(OVERLAPPING))]


@pytest.mark.parametrize("dtype", [OUT_OF_ORDER, OVERLAPPING, NESTED])
def test_fields_that_no_header_can_tell(sa, store, dtype):
    with pytest.raises(ValueError, match="order of their offsets.*view"):
        sa.create("x", 3, dtype)
    assert store.names() == []


def test_names_of_fields_may_be_changed_without_touching_others(sa):
    sa.create("x", 3, "i4,f8")
    a, b = sa.attach("x"), sa.attach("x")
    a.dtype.names = ("p", "q")
    assert b.dtype.names == ("f0", "f1")
    assert sa.attach("x").dtype.names == ("f0", "f1")
    assert sa.list()[0].descr.names == ("f0", "f1")


def test_more_dtypes_than_are_remembered(sa):
    for size in range(1, 700):
        sa.create("x", 2, f"S{size}", replace=True)
        assert sa.attach("x").dtype == np.dtype(f"S{size}")


def test_record_type_is_its_fields(sa):
    a = sa.create("x", 3, (np.record, [("a", "i4")]))
    assert a.dtype == sa.attach("x").dtype == np.dtype([("a", "i4")])


def test_metadata_of_a_dtype_is_dropped_without_a_warning(sa):
    dtype = np.dtype([("a", np.dtype("i4", metadata={"unit": "m"}))], metadata={"k": 1})
    assert tree(sa.create("x", 3, dtype).dtype) == tree(dtype)


def test_dtype_that_is_very_long(sa):
    dtype = np.dtype([(f"field_{i:04}", "f8") for i in range(1500)])
    sa.create("x", 2, dtype)["field_1499"] = 5
    assert sa.attach("x").dtype == dtype
    assert sa.copy("x")["field_1499"].tolist() == [5, 5]


def test_dtype_that_is_too_long(sa, store):
    with pytest.raises(ValueError, match="long"):
        sa.create("x", 2, [(f"field_{i:05}", "f8") for i in range(5000)])
    assert store.names() == []


# Extension dtypes


@pytest.fixture
def ml_dtypes():
    return pytest.importorskip("ml_dtypes")


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint2"])
def test_extension_dtype_comes_back(sa, ml_dtypes, name):
    dtype = np.dtype(getattr(ml_dtypes, name))
    a = sa.create("x", 3, dtype)
    a[:] = 1
    b = sa.attach("x")
    assert a.dtype == b.dtype == sa.copy("x").dtype == sa.list()[0].descr == dtype
    assert b.astype(int).tolist() == [1, 1, 1]
    assert sa.list()[0].dtype is dtype.type


def test_extension_dtype_by_put(sa, ml_dtypes):
    sa.put("x", np.arange(4).astype(ml_dtypes.bfloat16))
    assert sa.copy("x").tolist() == [0, 1, 2, 3]


def test_extension_dtype_is_void_without_its_package(sa, ml_dtypes, python):
    sa.create("x", 3, ml_dtypes.bfloat16)[:] = 1
    other = python()
    other.run("sys.modules['ml_dtypes'] = None")
    assert other.run("a = sa.attach('x'); (a.dtype.str, a.tobytes())") == ("|V2", b"\x80?" * 3)
    assert other.run("sa.list()[0].dtype") == "numpy.void"


def test_void_beside_an_extension_dtype_stays_void(sa, ml_dtypes, python):
    """In a process that has seen neither before."""
    sa.create("x", 3, ml_dtypes.bfloat16)
    sa.create("y", 3, "V2")
    told = python().run("[sa.attach(name).dtype.char for name in 'xyx']")
    assert told == ["E", "V", "E"]


def test_extension_package_is_imported_when_first_needed(sa, ml_dtypes, python):
    sa.create("x", 3, ml_dtypes.bfloat16)
    other = python()
    assert not other.run("'ml_dtypes' in sys.modules")
    assert other.run("sa.attach('x').dtype.name") == "bfloat16"


def test_extension_dtype_in_the_other_byte_order(sa, store, ml_dtypes):
    with pytest.raises(ValueError, match="byte order"):
        sa.create("x", 3, np.dtype(ml_dtypes.bfloat16).newbyteorder("S"))
    assert store.names() == []


def test_extension_dtype_of_a_field_is_void(sa, ml_dtypes):
    a = sa.create("x", 3, [("a", ml_dtypes.bfloat16), ("b", ml_dtypes.float8_e5m2)])
    assert a.dtype == np.dtype([("a", "V2"), ("b", "V1")])


def test_name_in_a_file_imports_nothing_unknown(sa, store, area, ml_dtypes, python):
    """A file that somebody else wrote must not choose what is imported here."""
    sa.create("x", 3, ml_dtypes.bfloat16)
    content = (store / "x").read_bytes()
    (store / "x").write_bytes(content.replace(b"ml_dtypes.bfloat16", b"evil_mod_.bfloat16"))
    (area / "evil_mod_.py").write_text("raise SystemExit('imported')")
    other = python()
    other.run("sys.path.insert(0, folder)", folder=str(area))
    assert other.run("sa.attach('x').dtype.str") == "|V2"
    assert other.run("'evil_mod_' in sys.modules") is False
