# SPDX-License-Identifier: BSD-3-Clause
"""Attaching through the mount: metadata from the map where that shows them, by a request else."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from support.build import native_environment, python_environment

pytestmark = pytest.mark.fuse

PAGE = os.sysconf("SC_PAGE_SIZE")
BLOCK_BYTES = 128


@pytest.fixture
def through(sa, either, monkeypatch):
    """through(name): attached through the mount, after what the store has been compared with it."""
    monkeypatch.setenv("SHARR_MOUNT", str(either))

    def attach(name: str) -> np.ndarray:
        found, direct = sa.attach(name, ro=True, via="mount"), sa.attach(name, via="shm")
        assert found.dtype == direct.dtype
        assert found.shape == direct.shape
        assert found.flags.f_contiguous == direct.flags.f_contiguous
        assert found.tobytes("A") == direct.tobytes("A")
        assert dict(sa.attrs(found)) == dict(sa.attrs(direct))
        return found

    return attach


def block_of(nbytes: int) -> int:
    return (nbytes + 63) // 64 * 64


def sizes() -> list[int]:
    """With the block, the tail's start and its end before, on and after the end of a page."""
    ends = [PAGE - d for d in (0, 1, 64, 128, 129, 192, 800, 1060, 1061, 1088, 1152, 1216)]
    return sorted({0, 1, 63, 64, 65, *ends, *(2 * PAGE - d for d in range(0, 1400, 64))})


def test_every_place_of_the_tail_in_its_page(sa, through):
    for size in sizes():
        sa.put("x", np.arange(size).astype("u1"), replace=True)
        assert through("x").shape == (size,)


@pytest.mark.parametrize("value_bytes", [0, 1, 500, 3000, 4096, 20_000])
def test_user_attributes_of_any_size(sa, through, value_bytes):
    sa.put("x", np.arange(5), attrs={"note": b"x" * value_bytes, "sharrext": b"sharrext"})
    assert len(sa.attrs(through("x"))["note"]) == value_bytes


def test_kinds_of_arrays(sa, through):
    padded = np.dtype([("a", "i1"), ("b", "<f8"), ("c", ">u2", (3,))], align=True)
    many = np.dtype([(f"field number {i}", "<f8") for i in range(200)])
    for array in (
        np.asfortranarray(np.arange(24.0).reshape(4, 6)),
        np.ones(3, padded),
        np.ones(2, many),
        np.array(7.5),
        np.array(["2020-01-01", "NaT"], "<M8[s]"),
    ):
        sa.put("x", array, replace=True)
        assert through("x").dtype == array.dtype


def test_reinterpreted_again_and_again(sa, either, through):
    sa.put("x", np.arange(6, dtype="<u8"))
    for i in range(12):
        dtype = "<f8" if i % 2 else "<i8"
        os.setxattr(either / "x", "user.sharr.dtype", dtype.encode())
        os.setxattr(either / "x", "user.count", b"%d" % i)
        found = through("x")
        assert (found.dtype, sa.attrs(found)["count"]) == (dtype, str(i))


@pytest.mark.parametrize("hint", ["old", "none", "wild", "itself"])
def test_the_end_of_the_file_decides(sa, store, either, through, hint):
    """The block's word for where the tail is may be out of date."""
    sa.put("x", np.arange(6, dtype="<u8"))
    at = block_of(48) + 16
    with open(store / "x", "r+b", buffering=0) as file:
        first = os.pread(file.fileno(), 8, at)
        os.setxattr(either / "x", "user.sharr.dtype", b"<f8")
        assert os.pread(file.fileno(), 8, at) != first
        wrong = {"old": first, "none": bytes(8), "wild": b"\xff" * 8, "itself": b"\x40" + bytes(7)}
        os.pwrite(file.fileno(), wrong[hint], at)
        assert through("x").dtype == "<f8"


def test_no_block(sa, store, through):
    sa.put("x", np.arange(6, dtype="<u8"))
    with open(store / "x", "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), bytes(BLOCK_BYTES), block_of(48))
    assert through("x").sum() == 15


def test_array_of_the_original(old, through):
    old.run("a = sa.create('shm://x', (5,), 'i4'); a[:] = 3")
    assert through("x").sum() == 15


def test_cut_off_while_the_daemon_holds_it(sa, store, either, through):
    sa.put("x", np.arange(1000))
    kept = through("x")
    os.truncate(store / "x", 8000)
    with pytest.raises(OSError, match="x"):
        through("x")
    assert kept[0] == 0


def traced(either, store, call: str, trace: str) -> list[str]:
    """The system calls of `call`, made after it was once made untraced."""
    code = "import os, SharedArray as sa\n"
    code += f"call = lambda: {call}\ncall(); os.write(1, b'begin')\ncall()"
    environment = python_environment(
        SHARR_STORE=str(store), SHARR_MOUNT=str(either), SHARR_VIA="mount"
    )
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace=write,{trace}", sys.executable, "-c", code],
        env={**native_environment(), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stderr.splitlines()
    begin = next(i for i, line in enumerate(lines) if '"begin"' in line)
    return lines[begin + 1 :]


@pytest.mark.release_only
def test_requests(sa, store, either):
    sa.put("x", np.arange(6))
    asking = "fgetxattr,getxattr,statfs,fstatfs,fstat,newfstatat,pread64"
    calls = traced(either, store, "sa.attach('x', ro=True)", asking)
    assert len(calls) == (0 if either.xattr("io") == "passthrough" else 1), calls
    calls = traced(either, store, f"sa.attach('file://{either}/x', ro=True)", asking)
    assert len(calls) == 1, calls
