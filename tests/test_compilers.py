# SPDX-License-Identifier: BSD-3-Clause
"""Other compilers, C libraries and kinds of process than those that the builds are for."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest
from support.build import ROOT, native_environment
from support.compilers import COMPILERS, compiled, sources
from support.require import lacking

pytestmark = [
    pytest.mark.slow,
    pytest.mark.release_only,
]

each_compiler = pytest.mark.parametrize("compiler", COMPILERS)
each_kind = pytest.mark.parametrize("portable", [False, True], ids=["linux", "portable"])


@each_kind
@each_compiler
def test_library_is_plain_c11(area, compiler, portable):
    compiled(compiler, "-fPIC", "-shared", *sources("lib", portable), "-o", area / "library.so")


@each_kind
@each_compiler
def test_daemon_is_plain_c11(area, compiler, portable):
    """Where there is no libfuse for such processes, up to where that would be linked."""
    asked = ["pkg-config", "--cflags", "--libs", "fuse3"]
    fuse = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    fuse.append("-DSHARRFS_FUSE_API=314")
    if compiler in ("gcc", "clang"):
        every = [*sources("lib", portable), *sources("fs", portable)]
        compiled(compiler, *every, "-o", area / "sharrfs", *fuse)
    else:
        compiled(compiler, "-fsyntax-only", *sources("fs", portable), *fuse)


@pytest.mark.parametrize("abi", [[], ["-DPy_LIMITED_API=0x03090000"]], ids=["full", "stable"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_module_is_plain_c11(area, compiler, abi):
    python = f"-I{sysconfig.get_path('include')}"
    every = [*sources("lib"), *sources("pymod")]
    compiled(compiler, python, *abi, "-fPIC", "-shared", *every, "-o", area / "module.so")


def test_library_works_with_musl(area, store):
    """All calls, by many threads: statically, so that its own loader takes no part."""
    program = area / "threads"
    threads = ROOT / "tests" / "lib" / "threads.c"
    compiled("musl-gcc", "-static", *sources("lib"), threads, "-o", program)
    done = subprocess.run(
        [program, "300"],
        env=native_environment(SHARR_STORE=str(store)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_tests_in_c_pass_in_processes_of_32_bits(area):
    build = area / "build"
    tools = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, "CC": "gcc -m32", "PATH": tools, "SHARR_BUILD": str(build)}
    environment["PKG_CONFIG_LIBDIR"] = str(area)  # there is no libfuse for them

    def run(*command) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if "ERROR: Executables created by c compiler gcc -m32 are not runnable" in done.stdout:
            lacking("gcc -m32", "no programs of 32 bits here (gcc-multilib)")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    options = ["-Dtests=true", "-Dwerror=true", "-Ddaemon=disabled", "-Dpython=disabled"]
    run("meson", "setup", build, *options)
    run("ninja", "-C", build, "-j2")
    faults = "tests/lib/test_faults.py::test_each_call_fails_once"
    threads = "tests/lib/test_threads.py::test_16_threads_do_everything_at_once"
    runner = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # Those that are linked with libfuse are left out.
    told = run(
        *runner, faults, threads, "tests/fuzz/test_corpus.py", "-k", "not draft and not options"
    )
    assert " passed" in told
    assert "skipped" not in told
