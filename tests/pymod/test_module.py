# SPDX-License-Identifier: BSD-3-Clause
"""The module itself: what it offers, its documentation, its import, its owner type."""

from __future__ import annotations

import ast
import gc
import inspect
import os
import pickle
import platform
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from support.build import PYMOD, python_environment

FUNCTIONS = ["attach", "copy", "create", "delete", "info", "list"]
FUNCTIONS += ["mlock", "msync", "munlock", "put", "share"]
FUNCTIONS += ["event", "lock", "notify", "wait", "writing"]


def test_public_names_are_those_of_the_stub(sa):
    tree = ast.parse((PYMOD / "SharedArray" / "__init__.pyi").read_text())
    stub = {node.name for node in tree.body if hasattr(node, "name")}
    stub |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    stub -= {name for name in stub if name.startswith("_") and name != "__version__"}
    assert stub == set(sa.__all__)
    assert all(hasattr(sa, name) for name in sa.__all__)


@pytest.mark.parametrize("name", [*FUNCTIONS, "building", "reap", "snapshot"])
def test_signature_is_that_of_the_stub(sa, name):
    tree = ast.parse((PYMOD / "SharedArray" / "__init__.pyi").read_text())
    (node,) = [n for n in tree.body if getattr(n, "name", None) == name]
    if isinstance(node, ast.ClassDef):
        node = node.body[0]
        node.args.args.pop(0)
    parameters = inspect.signature(getattr(sa, name)).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == [a.arg for a in node.args.args]
    assert [p.name for p in parameters if p.kind is p.KEYWORD_ONLY] == [
        a.arg for a in node.args.kwonlyargs
    ]


@pytest.mark.parametrize("name", [*FUNCTIONS, "reap", "snapshot"])
def test_docstring_has_numpys_sections(sa, name):
    text = inspect.getdoc(getattr(sa, name))
    summary = text.split("\n")[0]
    assert summary.endswith(".")
    assert "\nRaises\n------\n" in text
    if inspect.signature(getattr(sa, name)).parameters and name not in ("mlock", "munlock"):
        assert "\nParameters\n----------\n" in text


def test_hot_functions_are_the_extensions_own(sa):
    for name in set(FUNCTIONS) - {"share"}:
        assert inspect.isbuiltin(getattr(sa, name))


def test_version_is_the_librarys(sa):
    assert sa.__version__.count(".") == 2


def test_typed(sa):
    assert (PYMOD / "SharedArray" / "py.typed").exists()


def run(code: str, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, env=python_environment(), capture_output=True, text=True)


def test_import_without_numpy_says_so():
    done = run("import sys; sys.modules['numpy'] = None; import SharedArray")
    assert done.returncode == 1
    assert "ImportError: SharedArray needs numpy" in done.stderr
    assert "pip install numpy" in done.stderr


@pytest.fixture
def copied(tmp_path):
    """The package in a folder of its own, with whatever stands for its extension."""
    ignored = shutil.ignore_patterns("__pycache__", "*.p")
    shutil.copytree(PYMOD / "SharedArray", tmp_path / "SharedArray", ignore=ignored)
    (extension,) = (tmp_path / "SharedArray").glob("_sharr.*so")
    return extension


IMPORT_COPY = "import sys; sys.path.insert(0, sys.argv[1]); {}import SharedArray"


def import_of(extension: Path, before: str = "") -> str:
    """The last line that an import prints which fails."""
    command = [sys.executable, "-c", IMPORT_COPY.format(before), extension.parents[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_import_without_an_extension_for_this_python_says_so(copied):
    copied.rename(copied.with_name("_sharr.cpython-36m-x86_64-linux-gnu.so"))
    told = import_of(copied)
    assert told.startswith(f"ImportError: SharedArray (of sharr) in {copied.parent} does not run")
    assert f"CPython {platform.python_version()} on linux, {platform.machine()}, glibc" in told
    assert "it was built as _sharr.cpython-36m-x86_64-linux-gnu.so (cannot import name" in told
    assert told.endswith(f"{sys.executable} -m pip install --force-reinstall --no-cache-dir sharr")


def test_import_of_an_extension_of_another_machine_says_so(copied):
    header = bytearray(copied.read_bytes())
    header[18:20] = (243).to_bytes(2, "little")  # e_machine: RISC-V
    copied.write_bytes(header)
    assert f"it was built as {copied.name} ({copied}: " in import_of(copied)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("sys.platform = 'darwin'; ", "runs on Linux only, and this is CPython"),
        (
            "import platform; platform.python_implementation = lambda: 'PyPy'; ",
            "needs CPython from 3.9 on, and this is PyPy",
        ),
    ],
)
def test_import_where_it_can_not_run_says_so(copied, before, words):
    """The interpreter is told that it is another: what it then lacks, it lacks indeed."""
    copied.unlink()
    assert f"ImportError: SharedArray (of sharr) {words}" in import_of(copied, before)


def test_import_imports_little():
    code = (
        "import sys, numpy; before = set(sys.modules)\n"
        "import SharedArray; before |= set(sys.builtin_module_names)\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    assert run(code).stdout.split() == [
        "SharedArray",
        "SharedArray._attributes",
        "SharedArray._building",
        "SharedArray._dtypes",
        "SharedArray._errors",
        "SharedArray._lost",
        "SharedArray._platform",
        "SharedArray._reap",
        "SharedArray._share",
        "SharedArray._sharr",
        "SharedArray._snapshot",
    ]


def test_import_again_after_a_purge(store):
    """A second copy of the module has a state of its own."""
    code = (
        "import sys, SharedArray as one; a = one.create('x', 3)\n"
        "for name in [n for n in sys.modules if 'SharedArray' in n]: del sys.modules[name]\n"
        "import SharedArray as two; assert one is not two\n"
        "b = two.attach('x'); b[:] = 5; assert a.tolist() == [5, 5, 5]; one.delete('x')"
    )
    command = [sys.executable, "-c", code]
    environment = python_environment(SHARR_STORE=str(store))
    subprocess.run(command, env=environment, check=True, capture_output=True)


# The owner


def test_owner_is_not_made_by_hand(sa):
    with pytest.raises(TypeError, match="cannot create"):
        type(sa.create("x", 3).base)()


def test_owner_tells_what_it_is(sa):
    base = sa.create("x", 3).base
    assert type(base).__name__ == "map_owner"
    assert repr(base).startswith("<SharedArray.map_owner of 'x', ")


@pytest.mark.parametrize("attribute", ["name", "addr", "size", "new"])
def test_owner_cannot_be_changed(sa, attribute):
    with pytest.raises(AttributeError):
        setattr(sa.create("x", 3).base, attribute, 1)


def test_owner_is_a_buffer_of_the_data(sa):
    a = sa.create("x", 3, "u1")
    a[:] = [1, 2, 3]
    view = memoryview(a.base)
    assert (view.format, view.ndim, view.readonly, view.tobytes()) == ("B", 1, False, b"\1\2\3")
    view[0] = 9
    assert a[0] == 9
    assert memoryview(sa.attach("x", ro=True).base).readonly


def test_buffer_keeps_the_map(sa):
    view = memoryview(sa.create("x", 1000, "u1").base)
    gc.collect()
    view[999] = 1
    assert view.tobytes().count(1) == 1


def mapped(store) -> int:
    with open("/proc/self/maps") as lines:
        return sum(str(store) in line for line in lines)


def test_map_goes_with_the_last_view(sa, store):
    a = sa.create("x", 1000)
    view = a[5:]
    del a
    assert mapped(store) == 1
    del view
    assert mapped(store) == 0


def test_array_may_be_referred_to_weakly(sa):
    a = sa.create("x", 3)
    reference = weakref.ref(a)
    del a
    assert reference() is None


def test_pickle_of_an_array_is_a_copy_of_its_own(sa):
    a = sa.create("x", (2, 3))
    a[:] = 4
    b = pickle.loads(pickle.dumps(a))
    a[:] = 0
    assert b.tolist() == [[4] * 3] * 2


@pytest.mark.release_only  # the sanitizer keeps what is freed for a while
def test_nothing_leaks(sa, store):
    """References and memory: every path once, then many times, with nothing left over."""

    def round_():
        sa.create("x", (3, 4), "i4,f8", replace=True)
        for call in (sa.attach, sa.copy, sa.info, sa.list, lambda n: sa.put(n, [1], replace=True)):
            call("x") if call is not sa.list else call()
        for wrong in ((sa.attach, "y"), (sa.attach, 3), (sa.attach, "a\0b"), (sa.create, "x", 3)):
            with pytest.raises((OSError, TypeError, ValueError)):
                wrong[0](*wrong[1:])
        for dtype in (object, "U", {"names": ["a"] * 2, "formats": ["i4"] * 2}):
            with pytest.raises((TypeError, ValueError)):
                sa.create("y", 3, dtype)
        sa.msync(sa.attach("x"))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    for _ in range(200):
        round_()
    gc.collect()
    counts = [sys.getrefcount(o) for o in (None, np.dtype("f8"), np.ndarray, sa.ArrayDesc)]
    before = resident()
    for _ in range(1500):
        round_()
    gc.collect()
    after = [sys.getrefcount(o) for o in (None, np.dtype("f8"), np.ndarray, sa.ArrayDesc)]
    assert all(abs(x - y) < 200 for x, y in zip(counts, after))
    assert resident() - before < 250
    assert mapped(store) == 0
    assert os.listdir(store) == ["x"]
