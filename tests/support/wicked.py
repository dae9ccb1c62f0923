# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that hold together, but whose names and numbers no one would choose who means well."""

from __future__ import annotations

import os
import struct

import numpy as np

FIELD = "abcdefghijkl"  # of as many bytes as each of what takes its place

FIELDS = {
    "a lone surrogate": rb"\ud800ghijkl",
    "a NUL": rb"\x00efghijkl",
    "a terminal's code": rb"\x1b[2Jabcde",
    "no escape": rb"\yabcdefghij",
    "a character of no name": rb"\N{DEAD BEE}",
    "Latin-1": b"\xff" * 12,
    "a blank one": b" " * 12,
}

DTYPE_NAMES = {
    "no UTF-8": b"\xff\xfe",
    "UTF-8": "ml_dtypes.bflöat16".encode(),
    "a line": b"a\nb",
    "a terminal's code": b"\x1b[2J",
    "too long": b"n" * 64,
    "dots": b"...",
    "a blank": b"a b",
    "a type of numpy": b"numpy.float16",
    "a package": b"numpy.testing",
}

# Of the extension: creation, start, pid namespace, pid, uid.
ORIGINS = {"the most": b"\xff" * 32, "nothing": bytes(32)}

ATTRS = {
    "no UTF-8": (b"\xff" * 4, b"\xff" * 4),
    "NULs": (b"\0abc", b"\0abc"),
    "a terminal's code": (b"\x1b[2J", b"\x1b[2J"),
}


def _extension(path, offset: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(os.stat(path).st_size - 804 + offset)
        file.write(content)


def _exchanged(path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert len(old) == len(new)
    assert old in content
    path.write_bytes(content.replace(old, new))


def fill(sa, store) -> set[bytes]:
    """Puts one of each into the store, and a good array "good"; their names."""
    sa.put("good", np.arange(3.0))
    for what, field in FIELDS.items():
        sa.create(f"field {what}", 3, [(FIELD, "<i4"), ("b", "u1")])
        _exchanged(store / f"field {what}", FIELD.encode(), field)
    for what, name in DTYPE_NAMES.items():
        sa.create(f"dtype {what}", 3, "V2")
        _extension(store / f"dtype {what}", 80, name)
    for what, origin in ORIGINS.items():
        sa.create(f"origin {what}", 3)
        _extension(store / f"origin {what}", 32, origin)
    for what, (name, value) in ATTRS.items():
        sa.create(f"attrs {what}", 3, attrs={"abcd": "efgh"})
        head = struct.pack("<HI", 4, 4)
        _exchanged(store / f"attrs {what}", head + b"abcdefgh", head + name + value)
    sa.put(b"name \xff\n\x1b[2J", [1])
    return {os.fsencode(name) for name in store.names()}
