# SPDX-License-Identifier: BSD-3-Clause
"""The header of an .npy file, read and written; the data are moved by the caller, in pieces.

numpy's own functions know no version 3 (field names beyond Latin-1) in public, nor how to stop
before the data.
"""

import ast
import re

from numpy.lib.format import descr_to_dtype, header_data_from_array_1_0

_MAGIC = b"\x93NUMPY"
_ALIGN = 64
_HEADER_MAX = 1 << 16

# Version: bytes of the header's length, its encoding.
_VERSIONS = {1: (2, "latin-1"), 2: (4, "latin-1"), 3: (4, "utf-8")}


def header_of(array):
    """What numpy.save would put in front of the data of `array`, which is contiguous."""
    fields = header_data_from_array_1_0(array)
    text = "{" + "".join(f"{key!r}: {fields[key]!r}, " for key in sorted(fields)) + "}"
    try:
        raw, version = text.encode("latin-1"), 1
    except UnicodeEncodeError:
        raw, version = text.encode(), 3
    if version == 1 and len(raw) + _ALIGN >= 1 << 16:
        version = 2
    length_bytes = _VERSIONS[version][0]
    front = len(_MAGIC) + 2 + length_bytes
    raw += b" " * (-(front + len(raw) + 1) % _ALIGN) + b"\n"
    return _MAGIC + bytes([version, 0]) + len(raw).to_bytes(length_bytes, "little") + raw


def _literal(text):
    try:
        return ast.literal_eval(text)
    except SyntaxError:  # Python 2 wrote its long numbers as 3L
        return ast.literal_eval(re.sub(r"(?<=\d)L\b", "", text))


def _exactly(stream, count):
    """That many bytes of a stream that may be a pipe."""
    raw = stream.read(count)
    if len(raw) < count:
        raise ValueError("not an .npy file: it ends within its header")
    return raw


def _decoded(raw, encoding):
    try:
        fields = _literal(raw.decode(encoding))
        shape, order = fields["shape"], fields["fortran_order"]
        dtype = descr_to_dtype(fields["descr"])
        sound = set(fields) == {"descr", "fortran_order", "shape"} and isinstance(order, bool)
    except Exception as error:  # whatever ast and numpy make of what somebody else wrote
        raise ValueError(f"not an .npy file: its header makes no sense ({error})") from error
    if not sound or not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
        raise ValueError("not an .npy file: its header makes no sense")
    return dtype, shape, "F" if order else "C"


def read_header(stream):
    """(dtype, shape, order), and the stream stands at the data. ValueError: no .npy file."""
    start = stream.read(len(_MAGIC) + 2)
    if start[: len(_MAGIC)] != _MAGIC or len(start) < len(_MAGIC) + 2:
        raise ValueError("not an .npy file")
    if start[-2] not in _VERSIONS:
        raise ValueError(f"an .npy file of version {start[-2]}.{start[-1]}, which nobody knows")
    length_bytes, encoding = _VERSIONS[start[-2]]
    length = int.from_bytes(_exactly(stream, length_bytes), "little")
    if length > _HEADER_MAX:
        raise ValueError(f"its header has {length} bytes, more than an array's may ({_HEADER_MAX})")
    return _decoded(_exactly(stream, length), encoding)
