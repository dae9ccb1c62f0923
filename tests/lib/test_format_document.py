# SPDX-License-Identifier: BSD-3-Clause
"""A reader written from docs/format.md alone reads what the library writes, whatever that is."""

from __future__ import annotations

import ast
import io
import itertools
import mmap
import os
import re
import stat
import struct
from math import prod
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lib.clib import REPLACE, descr_of
from support.build import ROOT

# Steps and offsets are those of the document. numpy serves to tell an element's size only.

TYPES = {
    0: "b1",
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "l",
    8: "L",
    9: "q",
    10: "Q",
    11: "f4",
    12: "f8",
    13: "g",
    14: "c8",
    15: "c16",
    16: "G",
    21: "M8",
    22: "m8",
    23: "f2",
}


class NoArray(Exception):
    pass


def require(condition):
    if not condition:
        raise NoArray


def rounded_up(number):
    return (number + 63) // 64 * 64


def product(lengths, itemsize):
    require(all(length >= 0 for length in lengths))
    require(prod(length for length in lengths if length) * itemsize < 2**63)
    return prod(lengths) * itemsize


def read_npy_header(header):
    require(header[:6] == b"\x93NUMPY")
    require(header[6] in (1, 2, 3))
    kind = "<H" if header[6] == 1 else "<I"
    start = 8 + struct.calcsize(kind)
    (length,) = struct.unpack_from(kind, header, 8)
    require(start + length == len(header))
    try:
        told = ast.literal_eval(header[start:].decode("utf-8" if header[6] == 3 else "latin-1"))
        dtype = np.dtype(fields_of(told["descr"]))
    except (ValueError, SyntaxError, TypeError, KeyError):
        raise NoArray from None
    require(set(told) == {"descr", "fortran_order", "shape"})
    require(not dtype.hasobject and 0 < dtype.itemsize < 2**31 and len(told["shape"]) <= 64)
    return dtype, told["shape"], "F" if told["fortran_order"] else "C"


def fields_of(descr):
    """numpy writes padding as a field without a name, and does not read it back by itself."""
    return np.lib.format.descr_to_dtype(descr)


def read_trailer(end, size, count):
    """With `count` lengths; `end` are the last bytes of a file of that size."""
    bytes_count = 36 + 8 * count
    require(len(end) >= bytes_count)
    at = len(end) - bytes_count
    require(end[at : at + 16] == b"[SharedArray]\0\0\0")
    nbytes, typenum, itemsize, ndim = struct.unpack_from("<Qiii", end, at + 16)
    require(0 <= ndim <= count and typenum >= 0 and itemsize >= 1)
    lengths = struct.unpack_from(f"<{ndim}q", end, at + 36)
    require(product(lengths, itemsize) == nbytes <= size - bytes_count)
    return SimpleNamespace(nbytes=nbytes, typenum=typenum, itemsize=itemsize, lengths=lengths)


def read_dtype_name(field):
    name, end, _ = field.partition(b"\0")
    return name if end and re.fullmatch(rb"[A-Za-z0-9_.]*", name) else b""


def read_attributes(block):
    found = {}
    while len(block) >= 6:
        n, v = struct.unpack_from("<HI", block)
        if not 1 <= n <= 250 or 6 + n + v > len(block):
            break
        found[block[6 : 6 + n]] = block[6 + n : 6 + n + v]
        block = block[6 + n + v :]
    return found


def read_tail(fd, size, end):
    """Step 2."""
    require(len(end) >= 804)
    extension = end[-804:-548]
    magic, version, flags, h, u, nbytes = struct.unpack_from("<8sIIIIQ", extension)
    require((magic, version) == (b"sharrext", 1))
    t = h + u + 804
    require(t <= 65536 and t <= size and (size - t) % 64 == 0)
    require(rounded_up(nbytes) + 128 <= size - t)
    end = os.pread(fd, t, size - t)
    require(len(end) == t and read_trailer(end, size, 64).nbytes == nbytes)
    dtype, shape, order = read_npy_header(end[:h])
    require(product(shape, dtype.itemsize) == nbytes)
    created, start, pidns, pid, uid = struct.unpack_from("<QQQII", extension, 32)
    return SimpleNamespace(
        dtype=dtype,
        shape=shape,
        order=order,
        nbytes=nbytes,
        flags=flags,
        created_ns=created,
        start_ticks=start,
        pidns=pidns,
        pid=pid,
        uid=uid,
        boot_id=extension[64:80],
        dtype_name=read_dtype_name(extension[80:144]),
        rest=extension[144:],
        attributes=read_attributes(end[h : h + u]),
        tail_offset=size - t,
        trailer=end[-548:],
    )


def read_foreign(size, end):
    """Step 3."""
    try:
        told = read_trailer(end, size, 64)
    except NoArray:
        told = read_trailer(end, size, 32)
    if told.typenum in (17, 20) or told.typenum >= 24:
        dtype = np.dtype(f"V{told.itemsize}")
    elif told.typenum in (18, 19):
        require(told.typenum == 18 or told.itemsize % 4 == 0)
        count = told.itemsize if told.typenum == 18 else told.itemsize // 4
        dtype = np.dtype(f"{'SU'[told.typenum - 18]}{count}")
    else:
        dtype = np.dtype(TYPES[told.typenum])
        require(dtype.itemsize == told.itemsize)
    return SimpleNamespace(
        dtype=dtype, shape=told.lengths, order="C", nbytes=told.nbytes, created_ns=None
    )


def read_block(data, nbytes):
    start = rounded_up(nbytes)
    return struct.unpack_from("<8sIIQ40sQIIQ40s", data, start)


class Reader:
    def __init__(self, path):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(fd)
            require(stat.S_ISREG(found.st_mode))
            size = found.st_size
            end = os.pread(fd, min(size, 4096), max(size - 4096, 0))
            try:
                self.meta = read_tail(fd, size, end)
            except NoArray:
                self.meta = read_foreign(size, end)
            self.map = mmap.mmap(fd, size, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self.data = np.ndarray(self.meta.shape, self.meta.dtype, self.map, order=self.meta.order)


def sample(dtype, shape, order):
    dtype = np.dtype(dtype)
    count = prod(shape) * dtype.itemsize
    raw = (np.arange(count) % 2 if dtype.kind == "b" else np.arange(count) % 100 + 1).astype("u1")
    return np.ndarray(shape, dtype, raw.tobytes(), order=order)


DTYPES = [
    *("?", "i1", "u2", ">i4", "<u8", "<f2", ">f8", "<f16", "<c8", "<c32", "S3", "<U2", "V7"),
    *("<M8[25us]", ">m8[D]"),
    [("a", "<i4"), ("b", ">f8", (2, 3)), ("c", [("d", "u1"), ("e", "S2")])],
    [("ä", "<i4")],
    [("数", "<f4")],
    [(f"field {i}", "<i4") for i in range(300)],
    [(f"field {i}", "<i4") for i in range(2000)],
    {"names": ["a", "b"], "formats": ["u1", "<f8"], "offsets": [0, 8], "itemsize": 24},
]
SHAPES = [(), (0,), (5,), (3, 0), (3, 4), (2, 3, 4), (1,) * 27, (1,) * 28, (1,) * 64]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[:20])
def test_arrays_of_every_kind(c, store, dtype):
    for shape, order in itertools.product(SHAPES, "CF"):
        array = sample(dtype, shape, order)
        c.put("x", array, REPLACE)
        reader = Reader(store / "x")
        assert reader.meta.dtype == array.dtype
        assert reader.meta.shape == shape
        assert reader.data.tobytes() == array.tobytes()
        assert reader.data.flags.f_contiguous == array.flags.f_contiguous
        assert not any(reader.map[array.nbytes : rounded_up(array.nbytes)])


def test_data_are_those_of_a_live_array(c, store):
    array = c.create("x", dtype="<i4", shape=(4,))
    reader = Reader(store / "x")
    array.data[:] = [1, 2, 3, 4]
    assert reader.data.tolist() == [1, 2, 3, 4]


def test_what_the_extension_says(c, store):
    c.create("x", dtype="|V2", dtype_name=b"ml_dtypes.bfloat16")
    meta = Reader(store / "x").meta
    start_ticks = Path("/proc/self/stat").read_text().rsplit(")")[-1].split()[19]
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    assert meta.flags == 0
    assert meta.dtype_name == b"ml_dtypes.bfloat16"
    assert meta.created_ns == c.stat("x").created_ns
    assert meta.start_ticks == int(start_ticks)
    assert meta.pidns == os.stat("/proc/self/ns/pid").st_ino
    assert (meta.pid, meta.uid) == (os.getpid(), os.geteuid())
    assert meta.boot_id.hex() == boot_id
    assert meta.rest == bytes(112)


def test_tail_of_a_new_array_follows_the_fixed_block(c, store):
    c.create("x", shape=(9,))
    reader = Reader(store / "x")
    assert reader.meta.tail_offset == rounded_up(72) + 128
    magic, version, flags, hint, *words = read_block(reader.map, 72)
    assert (magic, version, flags) == (b"sharr\0\0\0", 1, 0)
    assert hint == reader.meta.tail_offset
    assert words == [bytes(40), 0, 0, 0, 0, bytes(40)]


def test_words_of_the_fixed_block(c, store):
    array = c.create("x")
    reader = Reader(store / "x")

    def words():
        return read_block(reader.map, 24)[5:9]

    def call(name, *arguments):
        assert getattr(c.c, f"sharr_{name}")(array.handle, *arguments) == 0

    call("notify")
    assert words() == (0, 1, 0, 0)
    call("write_begin")
    owner = words()[3]
    assert owner & 0xFFFFFFFF == os.getpid()
    assert owner >> 32 & 0xFFF == reader.meta.start_ticks & 0xFFF
    assert owner >> 44 != 0  # of which only who is in the same namespaces makes anything
    assert words() == (0, 1, 1, owner)
    call("write_end")
    assert words() == (0, 1, 2, 0)
    call("lock", 0)
    assert words() == (owner, 1, 2, 0)
    call("unlock")
    assert words() == (0, 1, 2, 0)


def test_user_attributes(c, store):
    attrs = {"units": b"m", "empty": b"", "raw": bytes(range(256)), "ä" * 100: b"long name"}
    c.create("x", attrs=attrs)
    assert Reader(store / "x").meta.attributes == {os.fsencode(k): v for k, v in attrs.items()}


@pytest.mark.parametrize("dtype", ["<f8", [(f"f{i}", "<i2") for i in range(50)]], ids=str)
def test_rewritten_tail(c, store, dtype):
    array = sample(dtype, (3, 5), "F")
    c.put("x", array)
    size, tail_offset = os.stat(store / "x").st_size, Reader(store / "x").meta.tail_offset
    for i in range(100):
        c.set_attrs("x", {"count": str(i).encode() * (i % 30 + 1)})
        reader = Reader(store / "x")
        meta = reader.meta
        assert meta.attributes == {b"count": str(i).encode() * (i % 30 + 1)}
        assert reader.data.tobytes() == array.tobytes()
        tail_bytes = len(reader.map) - meta.tail_offset
        expected = rounded_up(size)
        if expected % 4096 + tail_bytes > 4096:
            expected = (expected + 4095) // 4096 * 4096
        assert meta.tail_offset == expected > tail_offset
        assert read_block(reader.map, array.nbytes)[3] == meta.tail_offset
        size, tail_offset = len(reader.map), meta.tail_offset


def test_both_trailers(c, store):
    c.create("x", dtype="<i4", shape=(2, 3), order="F")
    end = (store / "x").read_bytes()
    for count in (32, 64):
        told = read_trailer(end, len(end), count)
        assert (told.nbytes, told.typenum, told.itemsize, told.lengths) == (24, 5, 4, (3, 2))
    c.create("x", REPLACE, shape=(1,) * 28)
    end = (store / "x").read_bytes()
    assert read_trailer(end, len(end), 64).lengths == (1,) * 28
    with pytest.raises(NoArray):
        read_trailer(end, len(end), 32)


@pytest.mark.parametrize(
    "kind", ["?", "i1", "u2", "i8", "f2", "f4", "g", "c16", "S3", "U2", "M8[s]"]
)
def test_arrays_of_the_original(c, store, old, kind):
    old.run("a = sa.create('x', (3, 4), kind); a[:] = np.ones((3, 4)).astype('i1')", kind=kind)
    reader = Reader(store / "x")
    assert reader.data.tobytes() == old.run("a.tobytes()")
    assert reader.meta.shape == (3, 4)
    assert c.stat("x").dtype == descr_of(reader.meta.dtype)
    c.set_attrs("x", {"units": b"m"})
    reader = Reader(store / "x")
    assert reader.meta.attributes == {b"units": b"m"}
    assert read_block(reader.map, reader.meta.nbytes)[0] == b"sharr\0\0\0"
    assert reader.data.tobytes() == old.run("a.tobytes()")


def test_header_is_what_numpy_loads(c, store):
    array = sample("<f4", (4, 5), "F")
    c.put("x", array)
    whole = (store / "x").read_bytes()
    header = whole[Reader(store / "x").meta.tail_offset :]
    (h,) = struct.unpack_from("<I", whole[-804:], 16)
    loaded = np.load(io.BytesIO(header[:h] + whole[: array.nbytes]))
    assert loaded.tobytes("F") == array.tobytes("F")


def test_library_and_document_agree_on_what_is_an_array(c, store):
    """One byte of the end changed, everywhere."""
    c.create("x", dtype="[('a', '<i2'), ('b', '>i4')]", shape=(3, 2), attrs={"a": b"1"})
    whole = (store / "x").read_bytes()
    (store / "x").unlink()
    differences = []
    for at in range(64, len(whole)):
        (store / "x").write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            meta = Reader(store / "x").meta
            name = meta.dtype_name if meta.created_ns is not None else b""
            read = (meta.shape, meta.order, meta.nbytes, meta.created_ns is None, name.decode())
        except NoArray:
            read = None
        try:
            info = c.stat("x")
            told = (info.shape, info.order, info.nbytes, bool(info.foreign), info.dtype_name)
        except OSError:
            told = None
        if read != told:
            differences.append((at, read, told))
    # Python's own literals allow more than numpy's spelling; and one flag is that of an array that
    # goes when nobody holds it.
    header = range(256, 256 + 128)
    assert [d for d in differences if d[0] not in header and d[0] != len(whole) - 804 + 12] == []


def test_document_names_what_the_sources_define():
    document = (ROOT / "docs" / "format.md").read_text()
    for constant in ("sharrext", "[SharedArray]", "2^62 + 1", "65536", "4096", "804", "548", "292"):
        assert constant in document
