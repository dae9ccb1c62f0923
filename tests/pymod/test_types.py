# SPDX-License-Identifier: BSD-3-Clause
"""What a type checker knows of the module is what it is: mypy's stubtest compares the stubs with
what runs, and typed/calls.py, a typed program that uses every public name, is checked and run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support.build import python_environment

pytestmark = pytest.mark.release_only

TYPED = Path(__file__).with_name("typed")
CALLS = TYPED / "calls.py"
CONFIG = TYPED / "mypy.ini"


def output_of(*command, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        env=python_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_stubs_agree_with_the_module():
    options = ["--concise", "--mypy-config-file", CONFIG, "--allowlist", TYPED / "allowed.txt"]
    output_of("-m", "mypy.stubtest", "SharedArray", *options)


def test_typed_program_passes_mypy_strictly(tmp_path):
    output_of("-m", "mypy", "--strict", "--config-file", CONFIG, "--cache-dir", tmp_path, CALLS)


def test_typed_program_runs(sa, store):
    told = output_of(CALLS, SHARR_STORE=str(store))
    assert told == f"{sa.__version__}\n"
    assert store.is_empty()


def test_typed_program_uses_every_public_name(sa):
    used = {
        node.attr
        for node in ast.walk(ast.parse(CALLS.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "sa"
    }
    assert used == set(sa.__all__)
