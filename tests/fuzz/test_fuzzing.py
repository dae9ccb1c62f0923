# SPDX-License-Identifier: BSD-3-Clause
"""Each fuzzer for a few seconds, from its corpus on; ./dev fuzz is the same for longer."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.build import ROOT, native_environment
from support.require import lacking

pytestmark = pytest.mark.release_only  # it has a build and sanitizers of its own

CORPUS = Path(__file__).parent / "corpus"
TARGETS = sorted(path.name for path in CORPUS.iterdir())
SECONDS = 7
RUNS_MIN = 1000  # fewer are no fuzzing; seen are a hundred times more and above


@pytest.mark.parametrize("target", TARGETS)
def test_fuzzer_finds_nothing_new(area, target):
    program = ROOT / "build" / "fuzz" / "tests" / "fuzz" / f"fuzz_{target}"
    if not program.exists():
        lacking("fuzz", f"{program.name} is not built: ./dev build fuzz, which needs clang")
    shutil.copytree(CORPUS / target, area / "corpus")
    limits = [f"-max_total_time={SECONDS}", "-timeout=10", "-print_final_stats=1"]
    done = subprocess.run(
        [program, *limits, f"-artifact_prefix={area}/", area / "corpus"],
        env=native_environment(TMPDIR=str(area)),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=SECONDS + 100,
        check=False,
    )
    found = [f"{path.name}: {path.read_bytes()!r}" for path in area.glob("*-*") if path.is_file()]
    assert (done.returncode, found) == (0, []), done.stderr[-4000:]
    (runs,) = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    print(f"{target}: {runs} inputs")
    assert int(runs) > RUNS_MIN
