# SPDX-License-Identifier: BSD-3-Clause
"""Every input that a fuzzer or a bug report ever found something with, and a few of each kind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.build import BUILD, native_environment

CORPUS = Path(__file__).parent / "corpus"
TARGETS = sorted(path.name for path in CORPUS.iterdir())


@pytest.mark.parametrize("target", TARGETS)
def test_replay(area, target):
    files = sorted((CORPUS / target).iterdir())
    assert files
    program = BUILD / "tests" / "fuzz" / f"replay_{target}"
    environment = native_environment(TMPDIR=str(area))
    done = subprocess.run(
        [program, *files], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_target_has_a_corpus():
    sources = Path(__file__).parent.glob("fuzz_*.c")
    assert TARGETS == sorted(path.stem.removeprefix("fuzz_") for path in sources)
