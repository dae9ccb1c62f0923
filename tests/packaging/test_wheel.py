# SPDX-License-Identifier: BSD-3-Clause
"""C16: one wheel for every Python from 3.9 on and every numpy, made by the oldest of these Pythons
from the source distribution; what pip makes and keeps itself serves both numpys too.

Interpreters are those in PATH, and those that lie beside the one that runs this, as those who
manage several have it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.build import ROOT
from support.require import lacking

pytestmark = [pytest.mark.slow, pytest.mark.release_only]

OLDEST = "3.9"
GLIBC = "2.28"
VERSIONS = [OLDEST, "3.10", "3.11", "3.12", "3.13", "3.14"]
TOOLS = Path(sys.executable).parent
# How the requirement is met: the oldest numpy that has a wheel for this Python, or the newest.
NUMPYS = {"oldest": ["--resolution", "lowest-direct", "numpy>=1.19"], "newest": ["numpy"]}

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


def run(*command, **how) -> str:
    """What it prints; the tools of this environment can find each other."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_PRELOAD")}
    path = os.pathsep.join([str(TOOLS), os.environ["PATH"]])
    how["env"] = {**clean, "PATH": path, **how.pop("env", {})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def interpreter(*versions: str) -> Path:
    """A Python of the first of these versions that there is, or a skip."""
    folders = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(Path(sys.base_prefix).resolve().parent.glob("*/bin"))
    for python in (folder / f"python{v}" for v in versions for folder in folders):
        command = [python, "-c", "import venv, ensurepip"]
        if python.exists() and not subprocess.run(command, capture_output=True).returncode:
            return python
    return lacking("pythons", f"there is no Python {' or '.join(versions)} here")


def environment(folder: Path, python: Path, *packages: str | Path) -> Path:
    """The python of a new virtual environment with these packages, of which numpy is a wheel."""
    run(TOOLS / "uv", "venv", "-q", "--python", python, folder)
    inside = folder / "bin" / "python"
    options = ["--only-binary", "numpy", "--link-mode", "copy"]
    run(TOOLS / "uv", "pip", "install", "-q", "--python", inside, *options, *packages)
    return inside


def check(python: Path, store) -> list:
    """PROGRAM, with each warning an error: [the version of Python, that of numpy]."""
    command = [python, "-I", "-X", "dev", "-W", "error", "-c", PROGRAM]
    return json.loads(run(*command, env={"SHARR_STORE": str(store)}))


@pytest.fixture(scope="module")
def sdist(sources):
    """What meson packs is what git knows."""
    git = ["git", "-c", "user.name=sharr", "-c", "user.email=", "-C", sources]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        run(*git, *arguments)
    folder = sources.parent / "dist"
    python = interpreter(OLDEST)
    run(TOOLS / "uv", "build", "-q", "--sdist", "--python", python, "-o", folder, sources)
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def built(sdist):
    """Made of the source distribution, not of the tree, and for systems older than this one."""
    folder = sdist.parent / "built"
    target = f"{platform.machine()}-linux-gnu.{GLIBC}"
    options = ["-q", "--wheel", "--python", interpreter(OLDEST), "-o", folder]
    cc = {"CC": f"python-zig cc -target {target}"}
    run(TOOLS / "uv", "build", *options, sdist, env=cc)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def wheel(built):
    """With the tag of those systems that it runs on."""
    folder = built.parent / "repaired"
    run(TOOLS / "auditwheel", "repair", built, "-w", folder)
    (found,) = folder.glob("*.whl")
    return found


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def test_tag_is_that_of_the_stable_abi(built, wheel):
    assert re.fullmatch(r"sharr-[\d.]+-cp39-abi3-linux_\w+\.whl", built.name)
    assert f"-cp39-abi3-manylinux_{GLIBC.replace('.', '_')}_{platform.machine()}" in wheel.name


def test_wheel_needs_no_library_but_those_of_every_linux(built, wheel):
    """Else auditwheel would have put them into it."""
    assert names_in(wheel) == names_in(built)


def test_wheel_keeps_to_the_stable_abi(wheel):
    told = run(TOOLS / "abi3audit", "--strict", "--verbose", wheel)
    assert "0 ABI version mismatches and 0 ABI violations" in told


def test_wheel_has_the_module_and_nothing_else(wheel):
    package = ROOT / "pymod" / "SharedArray"
    own = {path for path in package.rglob("*") if path.suffix in (".py", ".pyi", ".typed")}
    expected = {f"SharedArray/{path.relative_to(package)}" for path in own}
    expected |= {"SharedArray/_sharr.abi3.so"}
    info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    files = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    assert names_in(wheel) == expected | {f"{info}/{name}" for name in files}


@pytest.mark.parametrize("numpy", NUMPYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_wheel_runs(wheel, store, tmp_path, version, numpy):
    python = environment(tmp_path / "venv", interpreter(version), wheel, *NUMPYS[numpy])
    told, _ = check(python, store)
    assert told == [int(number) for number in version.split(".")]
    assert "x" not in store.names()
    assert run(python.with_name("sharr"), "--version").startswith("sharr ")


def test_what_pip_made_beside_numpy_1_and_kept_serves_numpy_2(sdist, store, tmp_path):
    """Nothing is compiled the second time: there is no compiler any more."""
    python = interpreter("3.12", "3.11", "3.10", OLDEST)
    pip = ["-m", "pip", "install", "-q", "--cache-dir", tmp_path / "cache", "--no-deps"]
    one = environment(tmp_path / "one", python, "pip", "numpy<2")
    run(one, *pip, f"sharr @ {sdist.as_uri()}")
    two = environment(tmp_path / "two", python, "pip", "numpy>=2")
    run(two, *pip, f"sharr @ {sdist.as_uri()}", env={"CC": "no-compiler"})
    assert check(one, store)[1].startswith("1.")
    assert check(two, store)[1].startswith("2.")


def test_without_a_compiler_the_source_distribution_says_so(sdist, tmp_path):
    python = environment(tmp_path / "venv", interpreter(OLDEST), "pip", "numpy")
    pip = [python, "-m", "pip", "install", "--no-cache-dir", sdist]
    done = subprocess.run(
        pip, env={**os.environ, "CC": "no-compiler"}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "this machine lacks a C compiler (no-compiler)" in done.stdout + done.stderr
