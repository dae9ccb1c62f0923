# SPDX-License-Identifier: BSD-3-Clause
"""What docs/reliability.md says of the lines that the corpora reach."""

from __future__ import annotations

import re
import subprocess

import pytest
from support.build import ROOT

POINTS = 2  # by which compilers may count otherwise


@pytest.mark.slow
@pytest.mark.release_only
def test_corpora_reach_what_the_page_says():
    page = (ROOT / "docs" / "reliability.md").read_text()
    stated = dict(re.findall(r"^\| `(\w+/\w+\.c)` \| \d+ of \d+ \| ([\d.]+) % \|", page, re.M))
    command = [ROOT / "dev", "fuzz", "--coverage"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    seen = dict(re.findall(r"^(\w+/\w+\.c) .* ([\d.]+) %", done.stdout, re.M))
    assert seen.keys() == stated.keys()
    assert [name for name in seen if float(seen[name]) < float(stated[name]) - POINTS] == []
