# SPDX-License-Identifier: BSD-3-Clause
"""The recipe of docs/recipes.md for xarray, with what its page does not show."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from support.build import ROOT

RECIPES = (ROOT / "docs" / "recipes.md").read_text()


@pytest.fixture
def recipe(sa):
    """The functions of the page, by name."""
    blocks = re.findall(r"```python\n(.*?)```", RECIPES, re.S)
    (code,) = [block for block in blocks if "import xarray" in block]
    scope = {"sa": sa, "np": np}
    exec(code, scope)
    return scope


def example():
    return xr.DataArray(
        np.arange(24, dtype=">f4").reshape(2, 3, 4),
        coords={
            "x": ("x", [1.5, 2.5], {"units": "m", "long_name": "Länge"}),
            "label": ("y", np.array(["a", "bb", "ccc"])),
            "mask": (("x", "y"), np.ones((2, 3), bool)),
            "run": 7,
        },
        dims=("x", "y", "z"),
        attrs={"units": "K", "comment": "two\nlines"},
    )


def test_round_trip(recipe):
    recipe["put_data_array"]("t", example())
    found = recipe["attach_data_array"]("t")
    assert found.identical(example().rename("t"))
    assert found.dtype == np.dtype(">f4")


def test_another_process_finds_it(recipe, python):
    recipe["put_data_array"]("t", example())
    other = python()
    (code,) = [b for b in re.findall(r"```python\n(.*?)```", RECIPES, re.S) if "import xarray" in b]
    other.run(code)
    other.run("found = attach_data_array('t', ro=False)")
    assert other.run("dict(found.attrs)") == example().attrs
    assert other.run("sorted(found.coords)") == ["label", "mask", "run", "x"]
    other.run("found.loc[dict(x=2.5)] = -1")
    assert float(recipe["attach_data_array"]("t").sel(x=2.5).max()) == -1


def test_it_is_the_shared_memory(recipe, sa):
    recipe["put_data_array"]("t", example())
    found = recipe["attach_data_array"]("t", ro=False)
    found.values[0, 0, 0] = 99
    assert sa.attach("t")[0, 0, 0] == 99


def test_read_only_by_default(recipe):
    recipe["put_data_array"]("t", example())
    with pytest.raises(ValueError, match="read-only"):
        recipe["attach_data_array"]("t").values[0, 0, 0] = 1


def test_without_dimensions(recipe):
    recipe["put_data_array"]("t", xr.DataArray(2.5, attrs={"units": "s"}))
    found = recipe["attach_data_array"]("t")
    assert (found.dims, float(found), found.attrs) == ((), 2.5, {"units": "s"})


def test_file_that_was_copied_keeps_it(recipe, sa, store, area):
    recipe["put_data_array"]("t", example())
    for name in store.names():
        (area / name).write_bytes((store / name).read_bytes())
        sa.delete(name)
        (store / name).write_bytes((area / name).read_bytes())
    assert recipe["attach_data_array"]("t").identical(example().rename("t"))


def test_replaced_with_all_its_coordinates(recipe):
    recipe["put_data_array"]("t", example())
    recipe["put_data_array"]("t", example() * 2, replace=True)
    assert recipe["attach_data_array"]("t").equals(example() * 2)
