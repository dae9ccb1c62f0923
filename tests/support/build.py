# SPDX-License-Identifier: BSD-3-Clause
"""Where the build under test lies (SHARR_BUILD, set by ./dev test); the environment of programs."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("SHARR_BUILD", "build/release")).resolve()
SHARRFS = BUILD / "fs" / "sharrfs"
PYMOD = BUILD / "pymod"
PEERS = ROOT / ".dev" / "peers"
SANITIZED = BUILD.name == "asan"
PORTABLE = BUILD.name == "portable"  # without what only Linux has: see meson.options


def native_environment(**extra: str) -> dict[str, str]:
    """For programs that are not Python: nothing preloaded, and leaks are looked for.

    What a sanitizer finds goes to stderr, where the one who started the program looks.
    """
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    environment["ASAN_OPTIONS"] = "detect_leaks=1:halt_on_error=1"
    environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    return {**environment, **extra}


def python_environment(**extra: str) -> dict[str, str]:
    """For Python processes that import the module of this build."""
    path = os.pathsep.join(filter(None, [str(PYMOD), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **extra}
