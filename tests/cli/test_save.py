# SPDX-License-Identifier: BSD-3-Clause
"""sharr save: the file is what numpy.save would have written, or is not there."""

from __future__ import annotations

import os
import resource
import signal
import subprocess

import numpy as np
import pytest
from cli.conftest import names_in
from support.wait import wait_for

MIB = 1 << 20

DTYPES = [
    *("f8", ">f4", "i1", "?", "c16", "f2", "g", "M8[us]", "m8[D]", "S7", "U3", ">U2", "V5"),
    [("a", "<i4"), ("b", ">f8", (2, 3)), ("c", "M8[s]")],
    {"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 24},
    [(("title", "a"), "<i4"), ("größe", "f8"), ("数", "i2")],
    [(f"a field with a long name, number {i}", "<i4") for i in range(800)],
]


def limit_private_memory(limit: int):
    """For a child process: what it may have of its own, beside what it shares."""
    return lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d)[:12])
@pytest.mark.parametrize("shape", [(3, 4), (2, 0), ()], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_reads_what_was_saved(sa, sharr, files, dtype, shape, order):
    a = sa.create("x", shape, dtype, order=order)
    data = memoryview(a.base)
    data[:] = bytes(i % 2 for i in range(len(data)))
    assert sharr("save", "x", cwd=files).err == ""
    loaded = np.load(files / "x.npy", max_header_size=1 << 16)
    assert loaded.dtype == a.dtype
    assert loaded.shape == a.shape
    assert loaded.flags.f_contiguous == a.flags.f_contiguous
    assert loaded.tobytes("A") == a.tobytes("A")


def test_file_has_the_size_of_numpys_own(sa, sharr, files):
    sa.create("x", (30, 40), "i2")
    sharr("save", "x", cwd=files)
    np.save(files / "own.npy", np.zeros((30, 40), "i2"))
    assert (files / "x.npy").read_bytes() == (files / "own.npy").read_bytes()


def test_into_a_directory(sa, sharr, store, files):
    (store / "run1").mkdir()
    for name in ("x", "run1/y"):
        sa.put(name, [1.0, 2.0])
    assert sharr("save", "x", "shm://run1/y", "-o", files).code == 0
    assert names_in(files) == ["x.npy", "y.npy"]


def test_into_a_file(sa, sharr, files):
    sa.put("x", [1.0, 2.0])
    assert sharr("save", "x", "-o", files / "other.npy").code == 0
    assert names_in(files) == ["other.npy"]


def test_array_of_a_path(sa, sharr, files):
    sa.put(f"file://{files}/x", [1.0])
    sharr("save", f"file://{files}/x", "-o", files)
    assert np.load(files / "x.npy").tolist() == [1.0]


def test_name_is_taken_byte_by_byte(sa, sharr, files):
    sa.put(b"caf\xe9\n", [1.0])
    assert sharr("save", b"caf\xe9\n", cwd=files).code == 0
    assert os.listdir(os.fsencode(files)) == [b"caf\xe9\n.npy"]


@pytest.mark.parametrize(
    "arguments", [["x", "y", "-o", "one.npy"], ["x", "run1/x"]], ids=["one file", "same name"]
)
def test_two_arrays_do_not_fit_one_file(sa, sharr, files, arguments):
    for name in ("x", "y"):
        sa.put(name, [1.0])
    done = sharr("save", *arguments, cwd=files)
    assert done.code == 2
    assert names_in(files) == []


def test_missing_one_is_told_and_the_others_saved(sa, sharr, files):
    sa.put("x", [1.0])
    done = sharr("save", "nothing", "x", cwd=files)
    assert (done.code, done.err) == (1, "sharr: nothing: No such file or directory\n")
    assert names_in(files) == ["x.npy"]


def test_directory_that_is_not_there_is_told(sa, sharr):
    sa.put("x", [1.0])
    done = sharr("save", "x", "-o", "/nowhere/x.npy")
    assert (done.code, done.err) == (1, "sharr: x: /nowhere/x.npy: No such file or directory\n")


def test_mode_is_less_the_umask(sa, sharr, files):
    sa.create("x", 1, mode=0o600)
    sharr("save", "x", cwd=files, preexec_fn=lambda: os.umask(0o027))
    assert (files / "x.npy").stat().st_mode & 0o777 == 0o640


def test_full_disk_keeps_the_file_before(sa, sharr, store):
    disk = store(size="1m")
    np.save(disk / "x.npy", np.arange(3))
    sa.create("x", 2 * MIB, "u1")
    done = sharr("save", "x", "-o", disk)
    assert (done.code, done.err) == (1, f"sharr: x: {disk}/x.npy: No space left on device\n")
    assert disk.names() == ["x.npy"]
    assert np.load(disk / "x.npy").tolist() == [0, 1, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_interrupted_leaves_nothing(sa, start, files, number):
    sa.create("x", 200 * MIB, "u1")
    process = start("save", "x", cwd=files)
    wait_for(lambda: names_in(files))
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + number, b"")
    assert names_in(files) == []


def test_nothing_has_the_name_before_it_is_whole(sa, start, files):
    sa.create("x", 100 * MIB, "u1")
    process = start("save", "x", cwd=files)
    seen = set()
    while process.poll() is None:
        if (files / "x.npy").exists():
            seen.add((files / "x.npy").stat().st_size)
    assert process.returncode == 0
    assert seen | {(files / "x.npy").stat().st_size} == {128 + 100 * MIB}


def test_large_array_is_not_copied_in_memory(sa, sharr, files):
    sa.create("x", 200 * MIB, "u1")
    done = sharr(
        *("save", "x"),
        cwd=files,
        env={"OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=limit_private_memory(150 * MIB),
    )
    assert (done.code, done.err) == (0, "")
    assert (files / "x.npy").stat().st_size == 128 + 200 * MIB


def test_structure_is_kept_whatever_programs_want(sa, sharr, files):
    sa.create("x", 2, [("a", "<i4")])
    sharr("save", "x", cwd=files, env={"SHARR_STRUCTURED": "void"})
    assert np.load(files / "x.npy").dtype.names == ("a",)


def test_array_of_the_original(sharr, old, files):
    old.run("a = sa.create('x', (2, 2)); a[:] = [[1, 2], [3, 4]]")
    sharr("save", "x", cwd=files)
    assert np.load(files / "x.npy").tolist() == [[1, 2], [3, 4]]


def test_progress_bar_on_a_terminal(sa, terminal, files):
    sa.create("x", 100 * MIB, "u1")
    screen = terminal("save", "x", "-o", files)
    screen.expect("x: 100%.*100M/100M")
    assert screen.end() == 0


def test_no_progress_bar_elsewhere_or_for_small_ones(sa, sharr, terminal, files):
    sa.create("large", 100 * MIB, "u1")
    sa.create("small", 3)
    assert sharr("save", "large", cwd=files).err == ""
    screen = terminal("save", "small", "-o", files)
    assert screen.end() == 0
    assert screen.raw == ""


def test_works_without_tqdm(sa, terminal, files):
    (files / "tqdm.py").write_text("raise ImportError('not installed')")
    sa.create("x", 100 * MIB, "u1")
    environment = {"PYTHONPATH": f"{files}:{os.path.dirname(os.path.dirname(sa.__file__))}"}
    screen = terminal("save", "x", "-o", files, env=environment)
    assert screen.end() == 0
    assert screen.raw == ""
    assert (files / "x.npy").stat().st_size == 128 + 100 * MIB


def test_reads_back_through_a_pipe(sa, on_path, environment, store, files):
    sa.put("x", np.arange(5))
    script = "sharr save x -o y.npy && cat y.npy | sharr load /dev/stdin --name z"
    environment = {**environment, "PATH": f"{on_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", script], env=environment, cwd=files, check=True)
    assert sa.copy("z").tolist() == [0, 1, 2, 3, 4]
