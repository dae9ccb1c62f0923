# SPDX-License-Identifier: BSD-3-Clause
"""C14 and C15: fields, units and byte order are kept; elements with pointers are refused."""

from __future__ import annotations

import numpy as np
import pytest

FIELDS = np.dtype([("a", "i4"), ("b", "f8")])


def test_structured_dtype_is_kept(sa):
    sa.create("x", 3, FIELDS)["b"] = 2.5
    a = sa.attach("x")
    assert a.dtype == FIELDS
    assert a["b"].tolist() == [2.5] * 3


def test_void_assignment_raises_as_numpy_does(sa):
    a = sa.create("x", 3, FIELDS)
    with pytest.raises((TypeError, ValueError)):
        a[:] = np.frombuffer(bytes(36), "V12")


def test_void_on_request(sa, monkeypatch):
    monkeypatch.setenv("SHARR_STRUCTURED", "void")
    a = sa.create("x", 3, FIELDS)
    assert a.dtype == np.dtype("V12")
    a[:] = np.frombuffer(bytes(range(36)), "V12")
    assert sa.attach("x").dtype == np.dtype("V12")
    assert sa.list()[0].dtype is np.void


def test_void_on_request_is_that_process_only(sa, python):
    one = python(SHARR_STRUCTURED="void")
    one.run("sa.create('x', 3, 'i4,f8')[0] = b'1' * 12")
    assert one.run("sa.attach('x').dtype.str") == "|V12"
    assert sa.attach("x").dtype == np.dtype("i4,f8")


@pytest.mark.parametrize("value", ["", "keep", "VOID"])
def test_other_wishes_change_nothing(sa, monkeypatch, value):
    monkeypatch.setenv("SHARR_STRUCTURED", value)
    assert sa.create("x", 3, FIELDS).dtype == FIELDS


@pytest.mark.parametrize("dtype", ["M8[s]", "M8[25ms]", "m8[D]", "M8[ns]", ">m8[Y]", "M8"])
def test_unit_is_kept(sa, dtype):
    assert sa.create("x", 2, dtype).dtype == np.dtype(dtype)
    assert sa.attach("x").dtype == np.dtype(dtype)
    assert sa.list()[0].descr == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [">i4", ">f8", ">c16", ">U3", [("a", ">i2")]])
def test_byte_order_is_kept(sa, dtype):
    a = sa.create("x", 1, dtype)
    assert a.dtype == np.dtype(dtype)
    assert sa.attach("x").dtype == np.dtype(dtype)


def test_values_in_the_other_byte_order(sa, python):
    sa.create("x", 2, ">i4")[:] = [1, 2]
    told = python(venv="np1").run("a = sa.attach('x'); (a.dtype.str, a.tolist())")
    assert told == (">i4", [1, 2])
    assert sa.attach("x").tobytes() == b"\0\0\0\1\0\0\0\2"


POINTERS = [object, "O", [("a", "O")], [("a", "i4"), ("b", [("c", "O")])], (object, 3)]


@pytest.mark.parametrize("dtype", POINTERS, ids=repr)
def test_objects_are_refused(sa, store, dtype):
    with pytest.raises(TypeError, match="pointers"):
        sa.create("x", 3, dtype)
    assert store.names() == []


def test_variable_strings_are_refused(sa, store):
    strings = getattr(getattr(np, "dtypes", None), "StringDType", None)
    if strings is None:
        pytest.skip("numpy 1 has none")
    with pytest.raises(TypeError, match="pointers"):
        sa.create("x", 3, strings())
    assert store.names() == []
