# SPDX-License-Identifier: BSD-3-Clause
"""Programs of build/tsan, which say on stderr what races they see, and then end with another code
than 0."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

from support.build import ROOT
from support.require import lacking

ADDR_NO_RANDOMIZE = 0x40000


def tsan_program(path: str) -> Path:
    program = ROOT / "build" / "tsan" / path
    if not program.exists():
        lacking("tsan", f"{program} is not built: ./dev build tsan")
    return program


@contextlib.contextmanager
def fixed_addresses() -> Iterator[None]:
    """For programs started meanwhile, which end at once where the kernel scatters their maps wider
    than ThreadSanitizer knows (vm.mmap_rnd_bits above 28)."""
    libc = ctypes.CDLL(None)
    before = libc.personality(0xFFFFFFFF)
    libc.personality(before | ADDR_NO_RANDOMIZE)  # not in each container: then as it is
    try:
        yield
    finally:
        libc.personality(before)
