# SPDX-License-Identifier: BSD-3-Clause
"""The example in Perl: an array mapped by the mount and its attributes alone.

Perl, since every Debian has it and it needs no module here: its own layer :mmap maps the file, and
getfattr, which the tests need anyway, reads the attributes.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.build import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "array.pl"


class Perl:
    def __init__(self, path):
        self.process = subprocess.Popen(
            ["perl", EXAMPLE, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.title = self.process.stdout.readline()

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def maps(self) -> str:
        return Path(f"/proc/{self.process.pid}/maps").read_text()

    def end(self) -> tuple[int, str]:
        """As stdin ends; its exit code and what it said on stderr."""
        self.process.stdin.close()
        return self.process.wait(20), self.process.stderr.read()


@pytest.fixture
def perl():
    started = []

    def start(path):
        started.append(Perl(path))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        with contextlib.suppress(BrokenPipeError), one.process:
            pass


@pytest.mark.passthrough
def test_it_maps_the_memory_of_the_array(sa, direct, perl):
    a = sa.create("x", (3, 4))
    a[:] = np.arange(12).reshape(3, 4)
    served = direct.counters()["reads"]
    other = perl(direct / "x")
    assert other.title == "<f8, shape (3, 4), order C\n"
    assert [other.ask("0 0"), other.ask("2 1")] == ["0", "9"]
    assert f"{direct}/x" in other.maps()
    a[2, 1] = 42.5  # seen in the map at once
    assert other.ask("2 1") == "42.5"
    assert direct.counters()["reads"] == served  # and no byte of it came from the daemon
    assert other.end() == (0, "")


@pytest.mark.fuse
def test_it_writes_elements_that_others_see(sa, either, perl):
    a = sa.create("x", (2, 3), "<i4", order="F")
    a[:] = [[1, 2, 3], [4, 5, 6]]
    other = perl(either / "x")
    assert other.title == "<i4, shape (2, 3), order F\n"
    assert [other.ask(f"{i} {j}") for i in range(2) for j in range(3)] == list("123456")
    other.ask("1 2 = -7")
    assert other.end() == (0, "")
    assert a.tolist() == [[1, 2, 3], [4, 5, -7]]


DTYPES = ["?", "i1", "u1", ">i2", "<u2", "<i4", ">u4", ">i8", "<u8", ">f4", "<f8"]


@pytest.mark.fuse
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_knows_the_numbers(sa, mount, perl, dtype):
    sa.put("x", np.array([0, 1, 100]).astype(dtype))
    other = perl(mount() / "x")
    assert [int(other.ask(str(i))) for i in range(3)] == [0, 1, 1 if dtype == "?" else 100]
    assert other.end() == (0, "")


@pytest.mark.fuse
def test_array_without_dimensions(sa, mount, perl):
    sa.put("x", 2.5)
    other = perl(mount() / "x")
    assert other.title == "<f8, shape (), order C\n"
    assert other.ask("") == "2.5"


@pytest.mark.fuse
@pytest.mark.parametrize(
    ("array", "words"),
    [(np.zeros(3, "c16"), "no numbers"), (np.zeros(3, "i4,f8"), "no numbers")],
)
def test_dtype_that_it_does_not_know(sa, mount, perl, array, words):
    sa.put("x", array)
    code, errors = perl(mount() / "x").end()
    assert code != 0
    assert words in errors
