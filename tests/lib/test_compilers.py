# SPDX-License-Identifier: BSD-3-Clause
"""Other compilers and kinds of process than those that the builds are for."""

from __future__ import annotations

import os
import subprocess
from errno import EBADMSG
from pathlib import Path

import pytest
from lib.clib import SPARSE
from support.build import ROOT
from support.require import lacking

STRICT = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]
OPTIONS = ["-std=c11", "-O2", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-pthread", "-Werror"]

ATTACH = r"""
#include <errno.h>
#include <stdio.h>
#include "sharr.h"

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct sharr *array = NULL;
		int r = sharr_attach(argv[i], SHARR_READONLY, &array);

		printf("%d %d\n", r, r ? 0 : ((const char *)sharr_data(array))[2]);
		sharr_detach(array);
	}
	return 0;
}
"""


def sources(portable: bool) -> list[Path]:
    every = set((ROOT / "lib").glob("*.c"))
    twins = {path for path in every if path.stem.endswith("_portable")}
    natives = {path.with_name(path.name.replace("_portable", "")) for path in twins}
    return sorted(every - (natives if portable else twins))


def compiled(compiler: list[str], *arguments) -> None:
    command = [*compiler, *OPTIONS, *STRICT, f"-I{ROOT}/lib", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        lacking(compiler[0], f"no {compiler[0]} here")
    if "bits/libc-header-start.h" in done.stderr:
        lacking("m32", "no headers for 32 bits here (gcc-multilib)")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.release_only
@pytest.mark.parametrize("portable", [False, True], ids=["linux", "portable"])
@pytest.mark.parametrize("compiler", ["gcc", "clang", "gcc -m32"])
def test_library_is_plain_c11(area, compiler, portable):
    words = compiler.split()
    compiled(words, "-fPIC", "-shared", *sources(portable), "-o", area / "library.so")


@pytest.mark.slow
@pytest.mark.release_only
def test_process_of_32_bits_maps_no_part_of_what_it_has_no_addresses_for(area, store, c):
    c.create("small", dtype="|u1", shape=(3,)).data[:] = 7
    c.create("large", SPARSE, dtype="|u1", shape=((4 << 30) + 3,))
    (area / "attach.c").write_text(ATTACH)
    compiled(["gcc", "-m32"], area / "attach.c", *sources(False), "-o", area / "attach")
    done = subprocess.run(
        [area / "attach", "small", "large"],
        env={**os.environ, "SHARR_STORE": str(store)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0", "7", str(-EBADMSG), "0"]
