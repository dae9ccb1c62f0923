# SPDX-License-Identifier: BSD-3-Clause
"""The worked examples in docs/examples that are Python: what they print is what numpy finds."""

from __future__ import annotations

import subprocess
import sys

import matplotlib.cbook
import numpy as np
import pytest
from support.build import ROOT, python_environment

pytestmark = pytest.mark.release_only


def printed_by(name: str, store, folder) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "examples" / name],
        env=python_environment(SHARR_STORE=str(store)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert store.names() == []
    return done.stdout


def test_elevation_with_dask(store, tmp_path):
    with matplotlib.cbook.get_sample_data("jacksboro_fault_dem.npz") as data:
        middle = np.radians((data["ymin"] + data["ymax"]) / 2)
        spacing = data["dy"] * 111_200, data["dx"] * 111_200 * np.cos(middle)
        y, x = np.gradient(data["elevation"].astype(float), *spacing)
    slope = np.degrees(np.arctan(np.hypot(x, y)))
    wanted = (
        f"{slope.size} places, {slope.mean():.2f} degrees on average, {slope.max():.2f} at most"
    )
    assert printed_by("elevation_dask.py", store, tmp_path) == f"{wanted}\n"


def test_photo_with_joblib(store, tmp_path):
    words = printed_by("photo_joblib.py", store, tmp_path).split()
    before, after = float(words[2].rstrip(",")), float(words[4])
    assert 20 < before < 25
    assert after < before * 0.6
