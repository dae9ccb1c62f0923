# SPDX-License-Identifier: BSD-3-Clause
"""libsharr as a C program calls it, by ctypes. An error is an OSError: errno, and sharr_error()."""

from __future__ import annotations

import contextlib
import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint, c_uint32, c_void_p
from types import SimpleNamespace

import numpy as np
import pytest
from support.build import BUILD

READONLY, SPARSE, REPLACE, EPHEMERAL = 1, 2, 4, 8


@contextlib.contextmanager
def refused(*numbers: int):
    """Like pytest.raises: an OSError with this errno, or one of these."""
    with pytest.raises(OSError, match="Errno") as caught:
        yield caught
    assert caught.value.errno in numbers


class Attr(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_void_p), ("bytes", c_size_t)]


class Spec(ctypes.Structure):
    _fields_ = [
        ("dtype", c_char_p),
        ("shape", POINTER(c_int64)),
        ("ndim", c_int),
        ("order", c_int),
        ("mode", c_uint),
        ("dtype_name", c_char_p),
        ("attrs", POINTER(Attr)),
        ("attr_count", c_size_t),
    ]


class Info(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_char_p),
        ("dtype_name", c_char_p),
        ("shape", POINTER(c_int64)),
        ("ndim", c_int),
        ("order", c_int),
        ("typenum", c_int),
        ("foreign", c_int),
        ("itemsize", ctypes.c_uint64),
        ("nbytes", ctypes.c_uint64),
        ("created_ns", ctypes.c_uint64),
        ("creator_pid", ctypes.c_uint32),
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("mode", ctypes.c_uint32),
        ("flags", c_uint),
        ("inode", ctypes.c_uint64),
        ("changed_ns", ctypes.c_uint64),
    ]


LIST_FUNCTION = ctypes.CFUNCTYPE(c_int, POINTER(Info), c_void_p)
PLACE_FUNCTION = ctypes.CFUNCTYPE(c_int, POINTER(Info), c_void_p, POINTER(c_void_p))
ATTRS_FUNCTION = ctypes.CFUNCTYPE(c_int, POINTER(Attr), c_void_p)


def plain(info: Info) -> SimpleNamespace:
    """A copy that outlives the library's."""
    copied = SimpleNamespace(**{name: getattr(info, name) for name, _ in Info._fields_})
    copied.name = os.fsdecode(info.name)
    copied.dtype = info.dtype.decode()
    copied.dtype_name = info.dtype_name.decode("utf-8", "surrogateescape")
    copied.shape = tuple(info.shape[: info.ndim])
    copied.order = chr(info.order)
    return copied


def lasting(info: SimpleNamespace) -> SimpleNamespace:
    """Without changed_ns, which is as of each call: publishing itself moves a file's ctime."""
    return SimpleNamespace(**{k: v for k, v in vars(info).items() if k != "changed_ns"})


def descr_of(dtype) -> str:
    """As in an npy header: <f8, or the text of a list."""
    described = np.lib.format.dtype_to_descr(np.dtype(dtype))
    return described if isinstance(described, str) else repr(described)


def attrs_of(attrs: dict) -> ctypes.Array:
    """Values are bytes, or None to remove one."""
    buffers = [
        value if value is None else ctypes.create_string_buffer(value) for value in attrs.values()
    ]
    made = (Attr * len(attrs))()
    made.buffers = buffers  # kept as long as the pointers to them
    for attr, name, value, buffer in zip(made, attrs, attrs.values(), buffers):
        attr.name = os.fsencode(name)
        attr.value = buffer and ctypes.addressof(buffer)
        attr.bytes = len(value or b"")
    return made


def spec_of(dtype="<f8", shape=(3,), order="C", mode=0, dtype_name=None, attrs=None) -> Spec:
    attrs = attrs_of(attrs or {})
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return Spec(
        dtype if isinstance(dtype, bytes) else dtype.encode(),
        (c_int64 * len(shape))(*shape),
        len(shape),
        ord(order),
        mode,
        dtype_name,
        attrs,
        len(attrs),
    )


class Array:
    """An attached array; .data is numpy's view of it."""

    def __init__(self, library: Library, handle: int) -> None:
        self.library = library
        self.handle = handle
        self.info = plain(library.c.sharr_info(handle).contents)
        self.address = library.c.sharr_data(handle)
        self.map_bytes = library.c.sharr_map_bytes(handle)

    @property
    def bytes(self) -> np.ndarray:
        raw = (ctypes.c_ubyte * self.info.nbytes).from_address(self.address)
        return np.frombuffer(raw, np.uint8)

    @property
    def data(self) -> np.ndarray:
        raw = (ctypes.c_ubyte * self.info.nbytes).from_address(self.address)
        dtype = np.dtype(eval_descr(self.info.dtype))
        return np.ndarray(self.info.shape, dtype, raw, order=self.info.order)

    def publish(self) -> None:
        self.library.check(self.library.c.sharr_publish(self.handle))

    def detach(self) -> None:
        handle, self.handle = self.handle, None
        if handle:
            self.library.arrays.discard(self)
            self.library.c.sharr_detach(handle)


def eval_descr(text: str):
    return eval(text, {"__builtins__": {}}) if text.startswith("[") else text


class Library:
    def __init__(self) -> None:
        self.c = ctypes.CDLL(str(BUILD / "lib" / "libsharr.so"))
        self.arrays: set[Array] = set()
        handle_out = POINTER(c_void_p)
        for name, result, arguments in (
            ("create", c_int, [c_char_p, POINTER(Spec), c_uint, handle_out]),
            ("put", c_int, [c_char_p, POINTER(Spec), c_void_p, c_uint]),
            ("prepare", c_int, [c_char_p, POINTER(Spec), c_uint, handle_out]),
            ("publish", c_int, [c_void_p]),
            ("attach", c_int, [c_char_p, c_uint, handle_out]),
            ("detach", None, [c_void_p]),
            ("data", c_void_p, [c_void_p]),
            ("map_bytes", c_size_t, [c_void_p]),
            ("info", POINTER(Info), [c_void_p]),
            ("stat", c_int, [c_char_p, POINTER(POINTER(Info))]),
            ("info_free", None, [POINTER(Info)]),
            ("attached", c_int, [c_char_p, POINTER(c_uint32), c_size_t, POINTER(c_size_t)]),
            ("copy", c_int, [c_char_p, c_char_p, c_void_p, c_size_t]),
            ("copy_to", c_int, [c_char_p, PLACE_FUNCTION, c_void_p]),
            ("delete", c_int, [c_char_p]),
            ("list", c_int, [c_char_p, LIST_FUNCTION, c_void_p]),
            ("attrs_list", c_int, [c_char_p, ATTRS_FUNCTION, c_void_p]),
            ("attrs_set", c_int, [c_char_p, POINTER(Attr), c_size_t]),
            ("attrs_list_of", c_int, [c_void_p, ATTRS_FUNCTION, c_void_p]),
            ("attrs_set_of", c_int, [c_void_p, POINTER(Attr), c_size_t]),
            ("lock", c_int, [c_void_p, c_int64]),
            ("unlock", c_int, [c_void_p]),
            ("notify", c_int, [c_void_p]),
            ("write_begin", c_int, [c_void_p]),
            ("write_end", c_int, [c_void_p]),
            ("error", c_char_p, []),
            ("version", c_char_p, []),
        ):
            function = getattr(self.c, f"sharr_{name}")
            function.restype, function.argtypes = result, arguments

    def words(self) -> str:
        return self.c.sharr_error().decode("utf-8", "surrogateescape")

    def check(self, r: int) -> int:
        if r < 0:
            raise OSError(-r, self.words())
        return r

    def _made(self, function, *arguments) -> Array:
        handle = c_void_p()
        self.check(function(*arguments, byref(handle)))
        array = Array(self, handle.value)
        self.arrays.add(array)
        return array

    def create(self, name, flags=0, **spec) -> Array:
        return self._made(self.c.sharr_create, os.fsencode(name), byref(spec_of(**spec)), flags)

    def prepare(self, name, flags=0, **spec) -> Array:
        return self._made(self.c.sharr_prepare, os.fsencode(name), byref(spec_of(**spec)), flags)

    def attach(self, name, flags=0) -> Array:
        return self._made(self.c.sharr_attach, os.fsencode(name), flags)

    def put(self, name, array, flags=0, **spec) -> None:
        order = "C" if array.flags.c_contiguous else "F"
        stored = spec_of(descr_of(array.dtype), array.shape, order, **spec)
        data = array.tobytes(order)
        self.check(self.c.sharr_put(os.fsencode(name), byref(stored), data, flags))

    def stat(self, name) -> SimpleNamespace:
        info = POINTER(Info)()
        self.check(self.c.sharr_stat(os.fsencode(name), byref(info)))
        copied = plain(info.contents)
        self.c.sharr_info_free(info)
        return copied

    def attached(self, name, room=64) -> tuple[list[int], int, int]:
        """(pids, how many there are, how many processes could not be looked at)."""
        pids, count = (c_uint32 * room)(), c_size_t()
        unread = self.check(self.c.sharr_attached(os.fsencode(name), pids, room, byref(count)))
        return list(pids[: count.value]), count.value, unread

    def copy(self, name, bytes_count, dtype=None) -> bytes:
        buffer = ctypes.create_string_buffer(max(bytes_count, 1))
        asked = None if dtype is None else dtype.encode()
        self.check(self.c.sharr_copy(os.fsencode(name), asked, buffer, bytes_count))
        return buffer.raw[:bytes_count]

    def copy_to(self, name, address, outcome=0) -> SimpleNamespace:
        """What the array is, its data copied to this address."""
        told = []

        def place(info, _, ret_buffer):
            told.append(plain(info.contents))
            ret_buffer[0] = address
            return outcome

        self.check(self.c.sharr_copy_to(os.fsencode(name), PLACE_FUNCTION(place), None))
        return told[0]

    def delete(self, name) -> None:
        self.check(self.c.sharr_delete(os.fsencode(name)))

    def list(self, group=None) -> list[SimpleNamespace]:
        found = []

        def take(info, _):
            found.append(plain(info.contents))
            return 0

        asked = None if group is None else os.fsencode(group)
        self.check(self.c.sharr_list(asked, LIST_FUNCTION(take), None))
        return found

    def attrs(self, name) -> dict[str, bytes]:
        found = {}

        def take(attr, _):
            value = ctypes.string_at(attr.contents.value, attr.contents.bytes)
            found[os.fsdecode(attr.contents.name)] = value
            return 0

        self.check(self.c.sharr_attrs_list(os.fsencode(name), ATTRS_FUNCTION(take), None))
        return found

    def set_attrs(self, name, attrs) -> None:
        self.check(self.c.sharr_attrs_set(os.fsencode(name), attrs_of(attrs), len(attrs)))

    def names(self, group=None) -> list[str]:
        return sorted(info.name for info in self.list(group))

    def detach_all(self) -> None:
        for array in list(self.arrays):
            array.detach()
