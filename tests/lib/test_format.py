# SPDX-License-Identifier: BSD-3-Clause
"""The bytes on disk: numpy's own header, what old readers see, and what damage does."""

from __future__ import annotations

import io
import os
import struct
import warnings
from errno import EBADMSG, ENOENT

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from lib.clib import READONLY, REPLACE, descr_of, refused

many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

DTYPES = [
    *("?", "i1", "u1", "<i2", ">i2", "<u4", ">i4", "<i8", ">u8", "<f2", ">f4", "<f8", "<f16"),
    *("<c8", ">c16", "<c32", "S1", "S7", "<U3", ">U5", "V9", "M8", "<M8[ns]", ">m8[25ms]"),
    *("<m8[Y]", "<M8[D]", "<M8[W]", "<m8[7as]", "M8[generic]"),
    [("a", "<i4"), ("b", ">f8")],
    [("a", "<i4", (2, 3)), ("b", "S3", (1,))],
    [("a", [("x", "u1"), ("y", "<M8[us]")]), ("b", "?")],
    [(("title", "a"), "<i4"), ("b", "<c8")],
    [("ä", "<f4"), ("ö", "<f4")],
    [("数", "<f4")],
    [("it's", "<f4"), ('say "x"', "u1"), ("a\nb", "u1"), ("back\\slash", "u1"), ("", "V3")],
]
DTYPES = [np.dtype(dtype) for dtype in DTYPES]
DTYPES += [
    np.dtype("i4,f8,u1", align=True),
    np.dtype({"names": ["z"], "formats": ["<i4"], "itemsize": 12}),
]

SHAPES = [(), (0,), (1,), (7,), (3, 4), (1, 5), (5, 1), (2, 0, 3), (2, 3, 4), (1,) * 32, (1,) * 64]


def numpy_header(array) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that old numpys don't read version 2 or 3
        np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()[: len(buffer.getvalue()) - array.nbytes]


def header_in(path, nbytes) -> bytes:
    whole = path.read_bytes()
    start = (nbytes + 63) // 64 * 64 + 128
    assert whole[start - 128 : start - 120] == b"sharr\0\0\0"
    return whole[start : start + struct.unpack_from("<I", whole[-804:], 16)[0]]


@pytest.fixture
def same_header(c, store):
    def check(dtype, shape, order):
        array = np.zeros(shape, dtype, order)
        c.create("x", REPLACE, dtype=descr_of(dtype), shape=shape, order=order).detach()
        header = header_in(store / "x", array.nbytes)
        assert header == numpy_header(array)
        info = c.stat("x")
        assert (info.dtype, info.shape) == (descr_of(dtype), shape)
        assert (info.itemsize, info.nbytes) == (dtype.itemsize, array.nbytes)
        (store / "x").unlink()

    return check


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_header_is_numpys(same_header, dtype, order):
    for shape in SHAPES:
        same_header(dtype, shape, order)


@many
@given(
    hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes(),
    hnp.array_shapes(min_dims=0, max_dims=8, min_side=0, max_side=9),
    st.sampled_from("CF"),
)
def test_header_is_numpys_for_any_scalar(same_header, dtype, shape, order):
    if dtype.itemsize:
        same_header(dtype, shape, order)


@many
@given(
    hnp.nested_dtypes(
        subtype_strategy=hnp.scalar_dtypes() | hnp.byte_string_dtypes(min_len=1), max_itemsize=2000
    ),
    st.sampled_from([(), (3,), (0, 2), (2, 3)]),
    st.sampled_from("CF"),
)
def test_header_is_numpys_for_any_structure(same_header, dtype, shape, order):
    if dtype.itemsize and dtype.subdtype is None:
        same_header(dtype, shape, order)


@pytest.mark.parametrize("fields", [10, 60, 200, 1000, 1700])
def test_header_is_numpys_when_it_is_long(same_header, fields):
    same_header(np.dtype([(f"field {i}", "<i4") for i in range(fields)]), (1,), "C")


def test_header_of_each_length_is_numpys(same_header):
    for length in range(1, 140):
        same_header(np.dtype([("a" * length, "<i4")]), (3,), "C")


def test_header_of_version_2_is_numpys():
    """Above 65,535 bytes, which with the rest does not fit into a tail: by the tail's own limit."""
    array = np.zeros(1, [("a" * 65000, "u1")])
    assert len(numpy_header(array)) + 804 > 65536


@pytest.mark.parametrize("shape", [(10**18, 0), (2**62, 0), (0,) * 64])
def test_header_of_large_lengths_is_numpys(same_header, shape):
    same_header(np.dtype("u1"), shape, "C")


def test_data_come_first_and_are_followed_by_zeros(c, store):
    c.put("x", np.arange(9, dtype="<u8"))
    whole = (store / "x").read_bytes()
    assert whole[:72] == np.arange(9, dtype="<u8").tobytes()
    assert whole[72:128] == bytes(56)


def test_dtype_is_brought_into_numpys_spelling(c):
    for written, spelled in (
        ("=f8", "<f8"),
        ("f8", "<f8"),
        ("|f8", "<f8"),
        ("<u1", "|u1"),
        (">S5", "|S5"),
        ("a5", "|S5"),
        ("M8[1ns]", "<M8[ns]"),
        ("[('a','f8'),]", "[('a', '<f8')]"),
        ("[('a','f8',2)]", "[('a', '<f8', (2,))]"),
    ):
        assert c.create("x", REPLACE, dtype=written).info.dtype == spelled


# What old readers see


OLD_SEES = [
    ("<f8", (3, 4), "C", "<f8", (3, 4)),
    ("<f8", (3, 4), "F", "<f8", (4, 3)),
    ("|b1", (5,), "C", "|b1", (5,)),
    ("<i8", (), "C", "<i8", ()),
    ("<i4", (0, 3), "C", "<i4", (0, 3)),
    ("|u1", (7,), "C", "|u1", (7,)),
    ("<f2", (2,), "C", "<f2", (2,)),
    ("<c16", (2, 2), "C", "<c16", (2, 2)),
    ("<f16", (2,), "C", "<f16", (2,)),
    ("<U3", (2,), "C", "<U3", (2,)),
    ("|S5", (2,), "C", "|S5", (2,)),
    (">f8", (2,), "C", "|V8", (2,)),
    ("<M8[ns]", (2,), "C", "<M8", (2,)),
    ("[('a', '<i4'), ('b', '<f8')]", (2,), "C", "|V12", (2,)),
    ("<i2", (1,) * 27, "C", "<i2", (1,) * 27),
]


@pytest.mark.parametrize("seen", OLD_SEES, ids=lambda seen: f"{seen[0]}-{len(seen[1])}-{seen[2]}")
def test_old_readers(c, old, seen):
    dtype, shape, order, old_dtype, old_shape = seen
    array = c.create("x", dtype=dtype, shape=shape, order=order)
    array.bytes[:] = 1
    assert old.run("[(bytes(i.name), i.dims) for i in sa.list()]") == [(b"x", old_shape)]
    old.run("a = sa.attach('x')")
    assert old.run("(a.dtype.str, a.shape)") == (old_dtype, old_shape)
    assert old.run("a.tobytes()") == array.bytes.tobytes()


def test_more_dimensions_than_both_fit(c, old_of):
    """From 28 on only the trailer of numpy 2 is there."""
    c.create("x", dtype="|u1", shape=(1,) * 28)
    assert old_of("np2").run("sa.attach('x').shape") == (1,) * 28
    assert old_of("np1").run("len(sa.list())") == 0


def test_old_writers(c, old):
    old.run("sa.create('x', (3, 5), 'f4')[:] = 7")
    info = c.stat("x")
    assert (info.dtype, info.shape, info.order, info.foreign) == ("<f4", (3, 5), "C", 1)
    assert (info.created_ns, info.creator_pid) == (0, 0)
    assert c.attach("x").data.tolist() == [[7] * 5] * 3
    assert c.copy("x", 60) == np.full(15, 7, "<f4").tobytes()
    assert c.names() == ["x"]
    c.attach("x").data[0, 0] = 8
    assert old.run("float(sa.attach('x')[0, 0])") == 8
    c.delete("x")
    assert old.run("len(sa.list())") == 0


@pytest.mark.parametrize("typenum", [17, 24, 25, 99, 256, 2056, 2**31 - 1])
def test_old_trailer_of_a_type_that_is_unknown_is_void(c, store, typenum):
    tail = struct.pack("<16sQiii", b"[SharedArray]", 12, typenum, 2, 1) + struct.pack("<q", 6)
    (store / "x").write_bytes(bytes(12) + tail.ljust(548, b"\0"))
    info = c.stat("x")
    assert (info.dtype, info.shape, info.typenum) == ("|V2", (6,), 20)


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 13},
        {"size": 2**63},
        {"size": 11},
        {"itemsize": 0},
        {"itemsize": -2},
        {"itemsize": 3},
        {"ndim": -1},
        {"ndim": 65},
        {"ndim": 2**31 - 1},
        {"typenum": -1},
        {"typenum": 12},
        {"dims": (-6,)},
        {"dims": (2**62,)},
        {"ndim": 3, "dims": (2**32, 2**32, 0)},
    ],
    ids=str,
)
def test_old_trailer_that_does_not_hold_together(c, store, bad):
    field = {"size": 12, "typenum": 3, "itemsize": 2, "ndim": 1, "dims": (6,), **bad}
    head = struct.pack("<16sQiii", b"[SharedArray]", *list(field.values())[:4])
    for count in (32, 64):
        dims = [*field["dims"], *[0] * (count - len(field["dims"]))]
        (store / "x").write_bytes(bytes(12) + head + struct.pack(f"<{count}q", *dims))
        with refused(EBADMSG):
            c.attach("x")
        assert c.list() == []


# Damage


def check_any(c, path):
    """Whatever the file is: no array, or one whose numbers fit the file, all of it readable."""
    try:
        array = c.attach(path.name, READONLY)
    except OSError as error:
        number = error.errno
        array = None
    if not array:
        # Damage may make it an ephemeral array that nobody holds, which has gone then.
        assert number == (EBADMSG if path.exists() else ENOENT)
        assert c.list() == []
        return False
    info = array.info
    assert array.map_bytes <= (os.stat(path).st_size + 4095) // 4096 * 4096
    assert info.nbytes <= os.stat(path).st_size
    assert info.nbytes == info.itemsize * int(np.prod(info.shape, dtype=object))
    assert int(array.bytes.sum()) >= 0
    assert c.copy(path.name, info.nbytes) == array.bytes.tobytes()
    assert c.names() == [path.name]
    c.attrs(path.name)
    array.detach()
    return True


def small_array(c):
    attrs = {"units": b"m", "axes": b"xy"}
    c.create("x", dtype="[('a', '<i2'), ('ä', '>i4')]", shape=(3, 2), attrs=attrs).data["a"] = 5
    c.detach_all()


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_each_byte_of_the_tail_damaged(c, store, mask):
    small_array(c)
    whole = (store / "x").read_bytes()
    attached = 0
    for at in range(64, len(whole)):
        (store / "x").write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        attached += check_any(c, store / "x")
    assert 0 < attached < len(whole)


def test_each_truncation(c, store):
    small_array(c)
    whole = (store / "x").read_bytes()
    for size in range(len(whole)):
        (store / "x").write_bytes(whole[:size])
        # Cut off so that the first half of the trailer ends it, it is a file as numpy 1 writes it.
        assert check_any(c, store / "x") == (size == len(whole) - 548 + 292)


def test_bytes_cut_out_or_put_in(c, store):
    small_array(c)
    whole = (store / "x").read_bytes()
    for at in range(0, len(whole), 7):
        for changed in (whole[:at] + whole[at + 1 :], whole[:at] + b"\0" + whole[at:]):
            (store / "x").write_bytes(changed)
            check_any(c, store / "x")


NUMBERS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 65536, 804, 64]


@pytest.mark.parametrize("offset", [8, 12, 16, 20, 24, 28])
def test_each_number_of_the_extension(c, store, offset):
    small_array(c)
    whole = bytearray((store / "x").read_bytes())
    for number in NUMBERS:
        changed = bytearray(whole)
        struct.pack_into("<I", changed, len(whole) - 804 + offset, number)
        (store / "x").write_bytes(changed)
        check_any(c, store / "x")


def long_file(fields, shape, told_bytes, trailer_count=None):
    """A tail of many pages whose header, extension and trailer need not agree."""
    dtype = np.dtype([(f"field{i:04}", "<i4") for i in range(fields)])
    header = numpy_header(np.zeros(shape, dtype))
    extension = struct.pack("<8sIIIIQ", b"sharrext", 1, 0, len(header), 0, told_bytes).ljust(
        256, b"\0"
    )
    count = told_bytes // dtype.itemsize
    count = count if trailer_count is None else trailer_count
    size = count * dtype.itemsize
    trailer = struct.pack("<16sQiiiq", b"[SharedArray]", size, 20, dtype.itemsize, 1, count)
    padded = (told_bytes + 63) // 64 * 64 + 128
    return bytes(padded) + header + extension + trailer.ljust(548, b"\0")


@pytest.mark.parametrize("shape", [(5,), (4,), (6,), (0,), ()])
def test_long_tail_that_contradicts_itself(c, store, shape):
    """Found as a use after free."""
    (store / "x").write_bytes(long_file(400, shape, 5 * 1600))
    assert check_any(c, store / "x")
    assert c.stat("x").foreign == (shape != (5,))


def test_trailer_that_contradicts_the_extension(c, store):
    (store / "x").write_bytes(long_file(10, (5,), 200, trailer_count=4))
    assert (c.stat("x").foreign, c.stat("x").shape) == (1, (4,))


def test_long_tail_cut_at_its_start(c, store):
    whole = long_file(400, (5,), 8000)
    (store / "x").write_bytes(whole[-6000:])
    assert not check_any(c, store / "x")


def test_tail_that_says_it_is_longer_than_64_kib(c, store):
    whole = bytearray(long_file(400, (5,), 8000))
    struct.pack_into("<I", whole, len(whole) - 804 + 20, 70000)
    (store / "x").write_bytes(bytes(100000) + whole)
    check_any(c, store / "x")


@many
@given(st.data())
def test_random_damage_of_a_long_tail(c, store, data):
    whole = bytearray(long_file(150, (2,), 1200))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(1200, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    (store / "x").write_bytes(whole)
    check_any(c, store / "x")


def test_damaged_npy_header_leaves_what_the_trailer_tells(c, store):
    small_array(c)
    whole = bytearray((store / "x").read_bytes())
    whole[64 + 128] ^= 1
    (store / "x").write_bytes(whole)
    info = c.stat("x")
    assert (info.foreign, info.dtype, info.shape) == (1, "|V6", (3, 2))


def test_newer_version_is_read_as_its_trailer(c, store):
    small_array(c)
    whole = bytearray((store / "x").read_bytes())
    struct.pack_into("<I", whole, len(whole) - 804 + 8, 2)
    (store / "x").write_bytes(whole)
    assert c.stat("x").dtype == "|V6"
