# SPDX-License-Identifier: BSD-3-Clause
"""Dtypes by hand: subarrays, what no header can tell, names that change, extension dtypes.

What Hypothesis draws is in test_dtype_properties.py.
"""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
from support.build import ROOT
from support.dtypes import tree


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


def test_name_that_the_page_of_the_format_gives_is_found(sa, store, ml_dtypes):
    """By who writes a file from that page alone."""
    page = (ROOT / "docs" / "format.md").read_text()
    (name,) = re.findall(r"^\| 80 \| 64 bytes \|[^`]*`([^`]*)`", page, re.MULTILINE)
    sa.put("x", np.arange(4, dtype="u2").view("V2"))
    with open(store / "x", "r+b") as file:
        file.seek(os.stat(store / "x").st_size - 804 + 80)
        file.write(name.encode())
    assert sa.attach("x").dtype == ml_dtypes.bfloat16


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


@pytest.fixture
def naming(sa, store):
    """naming("module.name"): a file x whose dtype is said to be that."""

    def make(name):
        sa.create("x", 3, "V2")
        with open(store / "x", "r+b") as file:
            file.seek(os.stat(store / "x").st_size - 804 + 80)
            file.write(name.encode().ljust(64, b"\0"))

    return make


@pytest.mark.parametrize("name", ["numpy.testing", "numpy.f2py", "numpy.typing.bfloat16"])
def test_name_in_a_file_imports_nothing_of_a_package_that_is_there(naming, python, name):
    naming(name)
    other = python()
    before = other.run("sorted(sys.modules)")
    assert other.run("sa.list()[0].dtype, sa.attach('x').dtype.str") == ("numpy.void", "|V2")
    assert other.run("sorted(sys.modules)") == before


def test_name_in_a_file_runs_nothing_of_a_module(naming, python):
    naming("odd.name")
    other = python()
    other.run(
        "import types\n"
        "class Odd(types.ModuleType):\n"
        "    def __getattribute__(self, name): ran.append(name); raise SystemError(name)\n"
        "ran = []\n"
        "sys.modules['odd'] = Odd('odd')"
    )
    assert other.run("sa.list()[0].dtype, sa.attach('x').dtype.str") == ("numpy.void", "|V2")
    assert other.run("ran") == []


@pytest.mark.parametrize(
    "fault", ["raise AttributeError('numpy')", "import warnings; warnings.warn('old')"]
)
def test_extension_package_that_fails_is_none(naming, python, area, fault):
    naming("ml_dtypes.bfloat16")
    (area / "ml_dtypes.py").write_text(fault)
    other = python(PYTHONWARNINGS="error::UserWarning")
    other.run("sys.path.insert(0, folder)", folder=str(area))
    assert other.run("sa.list()[0].dtype, sa.attach('x').dtype.str") == ("numpy.void", "|V2")


def test_class_that_changes_its_dtype_is_asked_each_time(sa):
    """What is remembered is only what can't change: builtin types, and text."""

    class Kind:
        dtype = np.dtype("f4")

    assert sa.create("a", 3, Kind).dtype == "f4"
    Kind.dtype = np.dtype("i2")
    assert sa.create("b", 3, Kind).dtype == "i2"
    fields = np.dtype([("x", "f4")])
    sa.create("c", 3, fields)
    fields.names = ("y",)
    assert sa.create("d", 3, fields).dtype.names == ("y",)
