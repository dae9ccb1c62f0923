# SPDX-License-Identifier: BSD-3-Clause
"""One array by all ways at once, against plain bytes: see exerciser.c. The seed of a run is in what
it prints, and SHARR_SEED repeats it."""

from __future__ import annotations

import os
import secrets
import subprocess

import pytest
from support.build import BUILD, native_environment

pytestmark = pytest.mark.fuse

EXERCISER = BUILD / "tests" / "fs" / "exerciser"
NBYTES = 300_007  # no whole number of pages


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("reserve", [True, False], ids=["reserved", "sparse"])
def test_all_ways_show_the_same_bytes(sa, store, either, count, reserve):
    seed = os.environ.get("SHARR_SEED") or str(secrets.randbits(31))
    print(f"SHARR_SEED={seed}")
    sa.create("x", NBYTES, "u1", reserve=reserve)
    maps = either.xattr("io") == "passthrough"
    command = [store / "x", either / "x", str(NBYTES), seed, str(count), str(int(maps))]
    done = subprocess.run(
        [EXERCISER, *command],
        env=native_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"SHARR_SEED={seed}"
    counts = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert sum(map(int, counts.values())) == count
    assert "0" not in counts.values()
    print(done.stdout)
    array = sa.attach("x")
    assert (array.dtype, array.shape) == ("u1", (NBYTES,))
    assert (either / "x").read_bytes() == array.tobytes()
