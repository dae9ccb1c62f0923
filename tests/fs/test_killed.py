# SPDX-License-Identifier: BSD-3-Clause
"""Processes that create, write, lock and attach are killed at random moments, and the daemon too:
what they had been told of is there, whole, and nothing else is; see ../support/killed.py."""

from __future__ import annotations

import collections
import json
import os
import random
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.build import python_environment

pytestmark = [pytest.mark.fuse, pytest.mark.release_only]

KILLED = Path(__file__).parents[1] / "support" / "killed.py"
MODES = [pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"]


def remounted(old, mount, store, mode):
    old.kill()
    old.detach()
    return mount(store, f"io={mode}", at=old.path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kills", "daemons"), [(50, 2), pytest.param(5000, 100, marks=pytest.mark.slow)]
)
def test_what_was_acknowledged_is_there(store, mount, mode, kills, daemons):
    seed = os.environ.get("SHARR_SEED") or str(secrets.randbits(31))
    print(f"SHARR_SEED={seed}")
    mounted = mount(store, f"io={mode}")
    chance = random.Random(int(seed))
    killed = collections.Counter()
    with subprocess.Popen(
        [sys.executable, KILLED, store, mounted, seed],
        env=python_environment(SHARR_STORE=str(store)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as killer:

        def ask(what):
            killer.stdin.write(f"{what}\n")
            killer.stdin.flush()
            answer = killer.stdout.readline()
            assert answer, f"SHARR_SEED={seed}"
            killed.update(json.loads(answer).get("killed", {}))

        for _ in range(daemons):
            ask(kills // daemons)
            end = threading.Timer(chance.random() / 2, mounted.kill)
            end.start()
            ask(1000)
            end.join()
            killed["daemon"] += 1
            mounted = remounted(mounted, mount, store, mode)
            ask("look")
    assert killer.returncode == 0
    assert sum(killed.values()) >= kills
    print(dict(killed))
