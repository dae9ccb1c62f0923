# SPDX-License-Identifier: BSD-3-Clause
"""Dtypes, shapes and orders for Hypothesis to draw, and what two arrays are compared by.

Names of fields are as hostile as numpy takes them. What is drawn is what an npy header can tell:
fields in the order of their offsets, no elements of no bytes, no pointers.
"""

from __future__ import annotations

import inspect

import numpy as np
from hypothesis import strategies as st

ORDERS = st.sampled_from("<>")
UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]
TIMES = st.one_of(
    st.builds(
        "{}{}8[{}{}]".format,
        ORDERS,
        st.sampled_from("Mm"),
        st.sampled_from(["", 2, 25, 1000]),
        st.sampled_from(UNITS),
    ),
    st.sampled_from(["M8", "m8", ">M8"]),
)
# Long doubles are numpy's own name for what this machine has: 16 bytes of it on most.
NUMBERS = st.one_of(
    st.sampled_from(["?", "i1", "u1", "g", "G"]),
    st.builds("{}{}".format, ORDERS, st.sampled_from(["i2", "u2", "i4", "u4", "i8", "u8"])),
    st.builds("{}{}".format, ORDERS, st.sampled_from(["f2", "f4", "f8", "g", "c8", "c16", "G"])),
)
STRINGS = st.one_of(
    st.builds("S{}".format, st.integers(1, 40)),
    st.builds("V{}".format, st.integers(1, 40)),
    st.builds("{}U{}".format, ORDERS, st.integers(1, 10)),
)
SIMPLE = st.one_of(NUMBERS, STRINGS, TIMES).map(np.dtype)

TEXT = st.one_of(
    st.text(min_size=1, max_size=6),
    st.sampled_from(["a", "f0", "'", '"', "\\", "'\"", "(", "]", ",", "#", " ", "\n", "\0", "é"]),
)
GAPS = st.integers(0, 9)


@st.composite
def structured(draw, inner):
    """Fields in order, with room before, between and behind them, or where a compiler puts them."""
    words = draw(st.lists(TEXT, min_size=2, max_size=10, unique=True))
    count = len(words) // 2
    names, titles = words[:count], words[count : 2 * count]
    formats = [draw(inner) for _ in names]
    spec = {"names": names, "formats": formats}
    if draw(st.booleans()):
        spec["titles"] = [draw(st.sampled_from([None, title])) for title in titles]
    if draw(st.booleans()):
        return np.dtype(spec, align=draw(st.booleans()))
    offsets, end = [], 0
    for format_ in formats:
        offsets.append(end + draw(GAPS))
        end = offsets[-1] + np.dtype(format_).itemsize
    return np.dtype({**spec, "offsets": offsets, "itemsize": end + draw(GAPS)})


def subarrays(inner):
    lengths = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
    return st.tuples(inner, lengths).map(np.dtype)


def with_lengths(inner):
    return st.one_of(inner, subarrays(inner))


FIELDS = structured(
    with_lengths(st.recursive(SIMPLE, lambda i: structured(with_lengths(i)), max_leaves=6))
)
DTYPES = st.one_of(SIMPLE, FIELDS)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def shapes_up_to(ndim):
    """Of few dimensions, or of many, of which most have one element."""
    long = st.lists(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 0]), min_size=5, max_size=ndim)
    return st.one_of(SHAPES, long.filter(lambda lengths: lengths.count(2) < 8).map(tuple))


def filled(shape, dtype, order="C"):
    """Random bytes, so that every byte of an element counts; numpy need not understand them.

    By ndarray itself: of a time without a unit, zeros() and empty() forget the byte order.
    """
    a = np.ndarray(shape, dtype, order=order)
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


def recipe(dtype: np.dtype):
    """What numpy.dtype() makes it from, of literals: numpy 1 can't unpickle all of numpy 2's."""
    if dtype.subdtype:
        base, lengths = dtype.subdtype
        return recipe(base), lengths
    if dtype.names is None:
        return dtype.str
    fields = [dtype.fields[name] for name in dtype.names]
    return {
        "names": list(dtype.names),
        "formats": [recipe(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "titles": [field[2] if len(field) > 2 else None for field in fields],
        "itemsize": dtype.itemsize,
    }


# For Remote, whose other end has another numpy: made(repr(recipe(dtype))) is the dtype there.
THERE = f"""
import ast
def made(text): return np.dtype(ast.literal_eval(text))
{inspect.getsource(tree)}
{inspect.getsource(raw)}
"""
