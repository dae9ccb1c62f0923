# SPDX-License-Identifier: BSD-3-Clause
"""Python without the GIL, which loads no stable ABI, so that pip compiles the module for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.build import ROOT

VERSIONS = ["3.13t", "3.14t"]


def interpreter(version: str) -> str:
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob("3.*t/bin"))
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, pyenv)])
    found = shutil.which(f"python{version}", path=path)
    return found or pytest.skip(f"there is no Python {version} here")


def output_of(*command, **variables: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_PRELOAD")}
    done = subprocess.run(command, env={**kept, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.release_only
@pytest.mark.parametrize("version", VERSIONS)
def test_free_threaded_python(tmp_path, version):
    """It stays without the GIL, and threads do no harm."""
    output_of(interpreter(version), "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--only-binary=numpy,hypothesis"]
    output_of(*pip, "numpy", "pytest", "hypothesis", ROOT)
    ask = "import sys, sysconfig, SharedArray\n"
    ask += "print(sys._is_gil_enabled(), sysconfig.get_path('platlib'))"
    enabled, site = output_of(python, "-c", ask).split()
    assert enabled == "False"
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "pymod").symlink_to(site)
    threads = ROOT / "tests" / "pymod" / "test_threads.py"
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", threads]
    output_of(*command, SHARR_BUILD=str(tmp_path / "build"))
