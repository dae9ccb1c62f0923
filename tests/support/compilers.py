# SPDX-License-Identifier: BSD-3-Clause
"""Compiling the sources by hand, with compilers that the builds are not made by."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.build import ROOT
from support.require import lacking

STRICT = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Werror"]
OPTIONS = ["-std=c11", "-O2", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-pthread"]

# musl-tools has no headers of the kernel, which are the same for every C library.
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "gcc -m32": ["gcc", "-m32", "-Wno-psabi"],
    "musl-gcc": [
        *("musl-gcc", "-idirafter", "/usr/include"),
        *("-idirafter", "/usr/include/x86_64-linux-gnu"),
    ],
}


def sources(folder: str, portable: bool = False) -> list[Path]:
    """Of lib, fs or pymod: what Linux has, or the twins in its place."""
    every = set((ROOT / folder).glob("*.c"))
    twins = {path for path in every if path.stem.endswith("_portable")}
    natives = {path.with_name(path.name.replace("_portable", "")) for path in twins}
    return sorted(every - (natives if portable else twins))


def compiled(compiler: str, *arguments) -> None:
    """Without a word of the compiler's."""
    command = [*COMPILERS[compiler], *OPTIONS, *STRICT, f"-I{ROOT}/lib", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        lacking(compiler, f"no {compiler} here")
    if "bits/libc-header-start.h" in done.stderr:
        lacking(compiler, "no headers for 32 bits here (gcc-multilib)")
    assert (done.returncode, done.stderr) == (0, "")
