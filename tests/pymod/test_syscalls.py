# SPDX-License-Identifier: BSD-3-Clause
"""System calls of one operation. Time depends on the machine; their number is this module's own,
and here it can only shrink."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from support.build import ROOT, native_environment, python_environment
from support.counting import system_calls
from support.wait import wait_for

WORKER = ROOT / "tests" / "bench" / "worker.py"

# At most so many: row of worker.py, as ./dev bench measures it, with its array.
DIRECTLY = {
    ("attach", "x"): 6,
    ("create_delete", "n"): 15,
    ("create_fill_delete", "n"): 18,  # madvise, which saves 20 page faults
    ("put_small", "n"): 14,
    ("copy", "x"): 5,
}
THROUGH_THE_MOUNT = {("attach", "x"): 7}

pytestmark = pytest.mark.release_only


def counted(row: str, name: str, **environment: str) -> dict[str, float]:
    def command(rounds: int) -> list:
        return [sys.executable, WORKER, row, name, str(rounds)]

    return system_calls(command, {**native_environment(), **python_environment(**environment)})


def check(calls: dict[str, float], most: int) -> None:
    assert calls, "strace has seen nothing"
    total = round(sum(calls.values()), 1)
    assert total <= most, f"{total} instead of {most}: {calls}"


@pytest.mark.parametrize(("row", "name"), DIRECTLY)
def test_directly(sa, store, row, name):
    sa.put("x", np.ones(8192))
    check(counted(row, name, SHARR_STORE=str(store), SHARR_VIA="shm"), DIRECTLY[row, name])


def test_list_again(sa, store):
    """One for each array that has not changed, and ten for their directory."""
    for i in range(100):
        sa.put(f"x{i}", [i])
    wait_for(lambda: time.time() - sa.info("x99").created > 2.1)
    check(counted("list", "", SHARR_STORE=str(store)), 100 + 10)


@pytest.mark.passthrough
@pytest.mark.parametrize(("row", "name"), THROUGH_THE_MOUNT)
def test_through_the_mount(sa, store, mount, row, name):
    sa.put("x", np.ones(8192))
    places = {"SHARR_STORE": str(store), "SHARR_MOUNT": str(mount()), "SHARR_VIA": "mount"}
    check(counted(row, name, **places), THROUGH_THE_MOUNT[row, name])
