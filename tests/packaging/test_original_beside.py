# SPDX-License-Identifier: BSD-3-Clause
"""The original SharedArray in the same environment: both are imported by the same name."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from conftest import peer_python
from support.build import PYMOD

TELL = "import SharedArray as sa; print(sa.__file__)"


@pytest.fixture(params=["np1", "np2"])
def both(request, area):
    """both("code"): in a Python whose packages lie where these two do: the original and ours."""
    python = peer_python(request.param)
    site = area / "site-packages"
    (original,) = python.parents[1].glob("lib/python3*/site-packages/SharedArray.*.so")
    shutil.copytree(PYMOD / "SharedArray", site / "SharedArray")
    shutil.copy(original, site)

    def run(code: str, *options: str, path=site) -> subprocess.CompletedProcess:
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        environment["PYTHONPATH"] = str(path)
        command = [python, *options, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    run.original = site / original.name
    run.ours = site / "SharedArray"
    return run


def test_ours_is_imported_and_says_so_once(both):
    done = both(f"{TELL}; import SharedArray")
    assert (done.returncode, done.stdout) == (0, f"{both.ours}/__init__.py\n")
    assert f"<string>:1: UserWarning: SharedArray is that of sharr, in {both.ours}" in done.stderr
    assert f"the original, {both.original}, is hidden by it" in done.stderr
    assert "pip uninstall SharedArray" in done.stderr
    assert done.stderr.count("UserWarning") == 1


def test_warning_may_be_turned_off(both):
    assert both(TELL, "-W", "ignore:SharedArray is that of sharr").stderr == ""


def test_original_is_as_it_was_once_ours_is_gone(both):
    shutil.rmtree(both.ours)
    done = both(TELL)
    assert (done.stdout, done.stderr) == (f"{both.original}\n", "")
