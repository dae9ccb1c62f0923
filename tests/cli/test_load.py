# SPDX-License-Identifier: BSD-3-Clause
"""sharr load: an array that is the file's, or none."""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess

import numpy as np
import pytest
from cli.test_save import DTYPES, MIB, limit_private_memory
from support.wait import wait_for


def npy(version: int, text: str, data: bytes = b"") -> bytes:
    raw = text.encode("utf-8")
    length = struct.pack("<H" if version == 1 else "<I", len(raw))
    return b"\x93NUMPY" + bytes([version, 0]) + length + raw + data


@pytest.mark.filterwarnings("ignore:Stored array in format")
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d)[:12])
@pytest.mark.parametrize("shape", [(3, 4), (2, 0), ()], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_saved(sa, sharr, files, dtype, shape, order):
    array = np.frombuffer(
        bytes(i % 2 for i in range(np.dtype(dtype).itemsize * 12)), dtype, int(np.prod(shape))
    ).reshape(shape, order=order)
    np.save(files / "x.npy", array)
    done = sharr("load", files / "x.npy")
    assert (done.code, done.out, done.err) == (0, "", "")
    a = sa.attach("x")
    assert a.dtype == array.dtype
    assert a.shape == shape
    assert a.flags.f_contiguous == array.flags.f_contiguous
    assert a.tobytes("A") == array.tobytes("A")


def test_several_named_as_their_files(sa, sharr, store, files):
    for name in ("x.npy", "y.npy", "z"):
        with open(files / name, "wb") as stream:
            np.save(stream, np.arange(3))
    assert sharr("load", "x.npy", "y.npy", "z", cwd=files).code == 0
    assert store.names() == ["x", "y", "z"]


@pytest.mark.parametrize("name", ["other", "shm://other", "run1/x", "file://there"])
def test_name_is_given(sa, sharr, store, files, name):
    (store / "run1").mkdir()
    np.save(files / "x.npy", np.arange(3))
    assert sharr("load", "x.npy", "--name", name, cwd=files).code == 0
    (item,) = sharr("info", "--json", name, cwd=files).json
    assert item["shape"] == [3]


def test_name_that_is_taken_is_told_before_anything_is_read(sa, sharr, files):
    sa.put("x", [7.0])
    np.save(files / "x.npy", np.arange(3))
    done = sharr("load", "x.npy", cwd=files)
    assert done.code == 1
    assert done.err == "sharr: x.npy: there is x already: --replace takes its place\n"
    assert sa.copy("x").tolist() == [7.0]


def test_replace(sa, sharr, files):
    sa.put("x", [7.0])
    held = sa.attach("x")
    np.save(files / "x.npy", np.arange(3))
    assert sharr("load", "x.npy", "--replace", cwd=files).code == 0
    assert sa.copy("x").tolist() == [0, 1, 2]
    assert held.tolist() == [7.0]


def test_foreign_file_is_not_replaced(sharr, store, files):
    (store / "x").write_bytes(b"foreign" * 1000)
    np.save(files / "x.npy", np.arange(3))
    done = sharr("load", "x.npy", "--replace", cwd=files)
    assert (done.code, done.err) == (1, "sharr: x.npy: x: File exists\n")
    assert (store / "x").read_bytes() == b"foreign" * 1000


BROKEN = {
    "empty": (b"", "not an .npy file"),
    "text": (b"some text that is long enough", "not an .npy file"),
    "zip": (b"PK\3\4" + bytes(100), "not an .npy file"),
    "pickle": (pickle.dumps([1, 2, 3] * 10), "not an .npy file"),
    "cut header": (npy(1, "{'descr'")[:-3], "it ends within its header"),
    "version 9": (npy(9, "{}"), "version 9.0"),
    "endless header": (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "more than an array's may"),
    "no dict": (npy(1, "[]"), "makes no sense"),
    "code": (npy(1, "__import__('os').abort()"), "makes no sense"),
    "missing key": (npy(1, "{'descr': '<f8', 'shape': (3,)}"), "makes no sense"),
    "odd shape": (
        npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3.5,)}"),
        "makes no sense",
    ),
    "negative": (
        npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}", bytes(24)),
        "negative",
    ),
    "huge": (
        npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1<<60, 1<<60)}"),
        "makes no sense",
    ),
    "overflow": (
        npy(1, f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({1 << 61}, 9)}}"),
        "",
    ),
    "object": (npy(1, "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}"), "pointers"),
    "short": (
        npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", bytes(23)),
        "it ends after 23 of 24 bytes of data",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_file_is_told_and_makes_nothing(sharr, store, files, kind):
    content, words = BROKEN[kind]
    (files / "x.npy").write_bytes(content)
    done = sharr("load", "x.npy", cwd=files)
    assert done.code == 1
    assert done.err.startswith("sharr: x.npy: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert store.names() == []


def test_broken_one_does_not_stop_the_others(sharr, store, files):
    (files / "x.npy").write_bytes(b"nothing")
    np.save(files / "y.npy", np.arange(3))
    assert sharr("load", "x.npy", "missing.npy", "y.npy", cwd=files).code == 1
    assert store.names() == ["y"]


def test_long_numbers_of_python_2(sa, sharr, files):
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,), }"
    (files / "x.npy").write_bytes(npy(1, text, bytes(24)))
    assert sharr("load", "x.npy", cwd=files).code == 0
    assert sa.copy("x").shape == (3,)


def test_full_store_is_told_and_nothing_is_left(sharr, store, files):
    small = store(size="1m")
    np.save(files / "x.npy", np.zeros(2 * MIB, "u1"))
    done = sharr("load", "x.npy", cwd=files, env={"SHARR_STORE": str(small)})
    assert done.code == 1
    assert done.err.startswith("sharr: x.npy: x: ")
    assert str(small) in done.err
    assert small.names() == []
    assert os.statvfs(small).f_bavail == os.statvfs(small).f_blocks


def test_nothing_is_seen_before_it_is_whole(sa, start, store):
    process = start("load", "/dev/stdin", "--name", "x", stdin=subprocess.PIPE)
    header = npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}")
    process.stdin.write(header + bytes(16))
    process.stdin.flush()
    # It has taken the space, so it stands in the middle of the data.
    wait_for(lambda: os.statvfs(store).f_bavail < os.statvfs(store).f_blocks)
    assert store.names() == []
    process.stdin.write(bytes(8))
    process.stdin.close()
    assert process.wait(30) == 0
    assert sa.copy("x").tolist() == [0, 0, 0]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda s: s.name)
def test_killed_in_the_middle_leaves_nothing(start, store, number):
    process = start("load", "/dev/stdin", "--name", "x", stdin=subprocess.PIPE)
    header = npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}")
    process.stdin.write(header + bytes(16))
    process.stdin.flush()
    wait_for(lambda: os.statvfs(store).f_bavail < os.statvfs(store).f_blocks)
    process.send_signal(number)
    process.wait(30)
    assert process.stderr.read() == b""
    assert store.names() == []
    assert os.statvfs(store).f_bavail == os.statvfs(store).f_blocks


def test_large_file_is_not_copied_in_memory(sa, sharr, files):
    with open(files / "x.npy", "wb") as stream:
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({200 * MIB},)}}"
        stream.write(npy(1, text))
        stream.truncate(stream.tell() + 200 * MIB)
    done = sharr(
        *("load", "x.npy"),
        cwd=files,
        env={"OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=limit_private_memory(150 * MIB),
    )
    assert (done.code, done.err) == (0, "")
    assert sa.info("x").nbytes == 200 * MIB


def test_progress_bar_on_a_terminal(terminal, files):
    np.save(files / "x.npy", np.zeros(100 * MIB, "u1"))
    screen = terminal("load", files / "x.npy")
    screen.expect("x.npy: 100%.*100M/100M")
    assert screen.end() == 0


@pytest.mark.parametrize("numpy_version", ["np1", "np2"])
def test_with_either_numpy(sharr, files, numpy_version):
    from conftest import peer_python

    command = [peer_python(numpy_version), "-m", "SharedArray"]
    array = np.zeros(3, [("数", "f8"), ("a", ">i4", (2,))])
    with pytest.warns(UserWarning, match="format"):
        np.save(files / "x.npy", array)
    # The original lies in that environment as well, of which the import warns.
    how = {"command": command, "env": {"PYTHONWARNINGS": "ignore:SharedArray is that of sharr"}}
    assert sharr("load", "x.npy", cwd=files, **how).err == ""
    assert sharr("save", "x", "-o", "y.npy", cwd=files, **how).err == ""
    assert np.load(files / "y.npy").dtype == array.dtype
