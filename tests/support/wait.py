# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for an event with a deadline: the only place in the tests that sleeps."""

from __future__ import annotations

import time
from typing import Any, Callable


def wait_for(condition: Callable[[], Any], timeout: float = 10.0, what: str = "") -> Any:
    """Returns the first true value of condition(); after timeout seconds the test fails."""
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def soon(condition: Callable[[], Any], what: str = "") -> None:
    """For what was just changed in the store: the mount may tell what was for 50 ms more, but an
    answer that is asked for later than that must be the new one."""
    changed = time.monotonic()
    while True:
        asked = time.monotonic()
        if condition():
            return
        assert asked - changed <= 0.05, f"not within 50 ms: {what or condition}"
        time.sleep(0.001)
