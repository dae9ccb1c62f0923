# SPDX-License-Identifier: BSD-3-Clause
"""C16: one binary for every Python from 3.9 on and every numpy, and one wheel in pip's cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.build import PYMOD, ROOT

# The oldest numpy that pip has a wheel of for this Python, and the last of numpy 1.
NUMPYS = {
    "3.9": ["numpy==1.19.5", "numpy<2", "numpy"],
    "3.10": ["numpy==1.21.6", "numpy<2", "numpy"],
    "3.11": ["numpy==1.23.5", "numpy<2", "numpy"],
    "3.12": ["numpy<2", "numpy"],
    "3.13": ["numpy==2.1.0", "numpy"],
    "3.14": ["numpy"],
}

PROGRAM = """
import gc, json, os, pickle, sys
import numpy as np
import SharedArray as sa

numpy2 = int(np.__version__.split('.')[0]) >= 2
told = [sys.version_info[:2], np.__version__]
dtypes = list('?bBhHiIlLqQefdgFDG') + ['S3', 'U3', 'V3', '>i4', 'M8[25s]', '>m8[us]', 'i4,f8']
dtypes += [np.dtype('u1,f8', align=True), [(('title', 'n'), '<f4'), ('s', [('a', 'u1')], (2, 3))]]
for dtype in dtypes:
    for shape in ((), 3, (0, 2), (2, 3)):
        for order in 'CF':
            a = sa.create('x', shape, dtype, order=order, replace=True)
            b = sa.attach('x', readonly=True)
            assert a.dtype == b.dtype == np.dtype(dtype) and a.shape == b.shape, (dtype, shape)
            assert type(a) is np.ndarray and a.base.name == 'x' and a.base.addr == a.ctypes.data
            try:
                b.flags.writeable = True
                raise AssertionError
            except ValueError:
                pass
            assert sa.copy('x').tobytes() == a.tobytes()
            sa.put('y', a, replace=True)
            assert sa.attach('y').strides == a.strides
item = [i for i in sa.list() if i.name == b'y'][0]
assert pickle.loads(pickle.dumps(item)) == item and type(item).__name__ == 'ArrayDesc'
with sa.building('z', 3, replace=True) as a:
    a[:] = 7
assert memoryview(a.base).nbytes == 24 and sa.attach(b'z').tolist() == [7] * 3
sa.msync(a[1:]), sa.mlock(a), sa.munlock(a)
for wrong, expected in ((object, TypeError), ('S', ValueError)):
    try:
        sa.create('q', 3, wrong)
        raise AssertionError
    except expected:
        pass
try:
    sa.create('q', (1,) * (65 if numpy2 else 33))
    raise AssertionError
except ValueError as error:
    assert ('64' if numpy2 else '32') in str(error)
pid = os.fork()
if pid == 0:
    a[0] = 1
    sa.create('child', 3, replace=True)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0 and a[0] == 1 and sa.attach('child').shape == (3,)
class Late:
    def __del__(self):
        sa.delete('x')
late = Late()
late.self = late
print(json.dumps(told))
"""


def interpreters() -> dict[str, Path]:
    """Those that are found, by version: beside this one, in PATH, and in pyenv."""
    folders = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin"))
    found = {}
    for version in NUMPYS:
        candidates = [folder / f"python{version}" for folder in folders]
        for python in candidates:
            command = [python, "-c", "import venv, ensurepip, sys; print(sys.version_info[:2])"]
            if python.exists() and not subprocess.run(command, capture_output=True).returncode:
                found[version] = python
                break
    return found


def environment(python: Path, folder: Path, *packages: str | Path) -> Path:
    """A virtual environment with these packages; its python, or a skip if pip has none."""
    subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True)
    inside = folder / "bin" / "python"
    command = [inside, "-m", "pip", "install", "-q", "--only-binary=numpy", *packages]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip has no {packages} for {python}: {done.stderr.strip()[-200:]}")
    return inside


def run(python: Path, store, path: Path | None) -> list:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_PRELOAD")}
    variables = {**clean, "SHARR_STORE": str(store)}
    if path:
        variables["PYTHONPATH"] = str(path)
    command = [python, "-X", "dev", "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.release_only
@pytest.mark.parametrize(
    ("version", "numpy"), [(version, numpy) for version in NUMPYS for numpy in NUMPYS[version]]
)
def test_this_binary_runs(store, tmp_path, version, numpy):
    if version not in interpreters():
        pytest.skip(f"there is no Python {version} here")
    python = environment(interpreters()[version], tmp_path / "venv", numpy)
    told, _ = run(python, store, PYMOD)
    assert told == [int(number) for number in version.split(".")]
    assert "x" not in store.names()


@pytest.mark.slow
@pytest.mark.release_only
def test_wheel_that_was_built_beside_numpy_1_serves_numpy_2(store, tmp_path):
    """As pip does with what it has in its cache."""
    found = [p for v, p in interpreters().items() if v in ("3.9", "3.10", "3.11", "3.12")]
    python = found[-1] if found else Path(sys.executable)
    one = environment(python, tmp_path / "one", "numpy<2")
    command = [one, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("sharr-*-abi3-*.whl")
    two = environment(python, tmp_path / "two", "numpy>=2", wheel)
    subprocess.run([one, "-m", "pip", "install", "-q", wheel], check=True, capture_output=True)
    assert run(one, store, None)[1].startswith("1.")
    assert run(two, store, None)[1].startswith("2.")
