# SPDX-License-Identifier: BSD-3-Clause
"""C7 and C17: what list returns, and what it passes over."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import threading

import numpy as np
import pytest


def test_empty_store_is_an_empty_tuple(sa):
    assert sa.list() == ()
    assert type(sa.list()) is tuple


def test_item_is_a_tuple_of_three(sa):
    sa.create("x", (2, 3), "f4")
    (item,) = sa.list()
    name, dtype, dims = item
    assert (name, dtype, dims) == (b"x", np.float32, (2, 3))
    assert (item[0], item[1], item[2]) == (item.name, item.dtype, item.dims)
    assert len(item) == 3
    assert isinstance(item, tuple)
    assert item == (b"x", np.float32, (2, 3))


def test_item_is_used_as_programs_do(sa):
    sa.create("x", (2, 3), bool)
    (item,) = sa.list()
    assert item.name.decode() == str(item.name, "utf-8") == "x"
    assert b"x" in [s.name for s in sa.list()]
    assert item.dims == (2, 3)
    assert item.dtype == np.bool_
    assert [*item][0] == b"x"
    assert len(sa.list()) == 1


def test_item_type_is_array_desc(sa):
    sa.create("x", 3)
    (item,) = sa.list()
    assert type(item) is sa.ArrayDesc
    assert type(item).__name__ == "ArrayDesc"
    assert type(item).__module__ == "SharedArray"


def test_item_goes_through_pickle(sa):
    sa.create("x", (2, 3), order="F")
    (item,) = sa.list()
    copy = pickle.loads(pickle.dumps(item))
    assert copy == item
    assert type(copy) is sa.ArrayDesc
    assert (copy.descr, copy.order, copy.nbytes) == (np.dtype("f8"), "F", 48)


def test_item_tells_more_by_attribute(sa):
    sa.create("x", (2, 3), [("a", "i4"), ("b", "f8")], order="F")
    (item,) = sa.list()
    assert item.descr == np.dtype([("a", "i4"), ("b", "f8")])
    assert (item.order, item.nbytes) == ("F", 72)


SCALAR_TYPES = {
    "?": np.bool_,
    "b": np.int8,
    "H": np.uint16,
    "l": np.int64,
    "e": np.float16,
    "g": np.longdouble,
    "F": np.complex64,
    "G": np.clongdouble,
    "S5": np.bytes_,
    "U5": np.str_,
    "V5": np.void,
    ">i4": np.int32,
    "M8[s]": np.datetime64,
    "m8": np.timedelta64,
    "i4,f8": np.void,
}


@pytest.mark.parametrize("dtype", SCALAR_TYPES)
def test_dtype_is_the_scalar_type(sa, dtype):
    sa.create("x", 2, dtype)
    assert sa.list()[0].dtype is SCALAR_TYPES[dtype]


def test_foreign_files_are_passed_over(sa, store):
    sa.create("x", 3)
    (store / "text").write_text("[SharedArray] is not here")
    (store / "empty").touch()
    (store / "folder").mkdir()
    (store / "link").symlink_to("x")
    (store / "sparse").touch()
    os.truncate(store / "sparse", 1 << 20)
    os.mkfifo(store / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(store / "socket"))
        assert [item.name for item in sa.list()] == [b"x"]


def test_half_written_arrays_are_passed_over(sa, store):
    sa.create("x", 1000)
    whole = (store / "x").read_bytes()
    for i, size in enumerate((1, 100, 4096, 8000, len(whole) - 548, len(whole) - 1)):
        (store / f"part{i}").write_bytes(whole[:size])
    assert [item.name for item in sa.list()] == [b"x"]


@pytest.mark.root
def test_arrays_that_may_not_be_read_are_passed_over(sa, python):
    sa.create("mine", 3, mode=0o600)
    sa.create("ours", 3, mode=0o644)
    assert python(uid=65534).run("[item.name for item in sa.list()]") == [b"ours"]


def test_arrays_that_vanish_meanwhile_are_passed_over(sa):
    stop = threading.Event()

    def make():
        while not stop.is_set():
            sa.create("x", 3)
            sa.delete("x")

    maker = threading.Thread(target=make)
    maker.start()
    for name in ("a", "b"):
        sa.create(name, 3)
    listed = [{item.name for item in sa.list()} for _ in range(3000)]
    stop.set()
    maker.join()
    assert all({b"a", b"b"} <= names <= {b"a", b"b", b"x"} for names in listed)


def test_out_of_descriptors_is_an_error_and_no_short_list(sa, python):
    sa.create("x", 3)
    other = python()
    other.run(
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); held = []\n"
        "try:\n"
        "    while True: held.append(os.open('/dev/null', os.O_RDONLY))\n"
        "except OSError: pass"
    )
    for free in range(2):
        with pytest.raises(OSError) as error:  # noqa: PT011
            other.run("sa.list()")
        assert error.value.errno == 24, free
        other.run("os.close(held.pop())")
    other.run("os.close(held.pop())")
    assert other.run("sa.list()[0].name") == b"x"


def test_what_the_original_lists_reads_the_same(sa, old):
    codes = ["?", "b", "H", "l", "e", "g", "F", "G", "S5", "U5", "V5", "M8", "f8", "i4,f4"]
    for i, dtype in enumerate(codes):
        sa.create(f"x{i}", (i, 2), dtype)
    theirs = old.run("{i.name: (np.dtype(i.dtype).char, i.dims) for i in sa.list()}")
    assert {i.name: (np.dtype(i.dtype).char, i.dims) for i in sa.list()} == theirs


def trailer(typenum: int, itemsize: int, *dims: int) -> bytes:
    size = itemsize * int(np.prod(dims))
    head = struct.pack("<16sQiii", b"[SharedArray]", size, typenum, itemsize, len(dims))
    return bytes(size) + head + struct.pack("<64q", *dims, *[0] * (64 - len(dims)))


@pytest.mark.parametrize("typenum", [24, 25, 100, 256, 257, 2056, 2**31 - 1])
def test_typenum_that_numpy_does_not_define_is_void(sa, store, typenum):
    (store / "x").write_bytes(trailer(typenum, 2, 3))
    assert sa.list()[0] == (b"x", np.void, (3,))
    assert sa.attach("x").dtype == np.dtype("V2")


def test_extension_dtype_of_the_original_is_void(sa, store):
    (store / "bfloat16").write_bytes(trailer(256, 2, 2, 3))
    sa.create("y", 3)
    assert sorted(item.name for item in sa.list()) == [b"bfloat16", b"y"]
    assert sa.attach("bfloat16").tobytes() == bytes(12)
