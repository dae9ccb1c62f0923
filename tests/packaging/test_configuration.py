# SPDX-License-Identifier: BSD-3-Clause
"""Building where something is missing: meson says what, and what works without it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support.build import ROOT
from support.namespace import with_mounts

pytestmark = pytest.mark.release_only


def configure(area, *options, within=(), **environment) -> subprocess.CompletedProcess:
    meson = Path(sys.executable).with_name("meson")
    path = os.pathsep.join([str(meson.parent), os.environ["PATH"]])
    return subprocess.run(
        [*within, meson, "setup", area / "build", ROOT, *options],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def summary(done) -> dict[str, str]:
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.partition("What is built\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^    (\w+) *: (.*)$", told, re.M))


def test_without_fuse_the_daemon_is_left_out(area):
    done = configure(area, "-Dpython=disabled", PKG_CONFIG_LIBDIR=str(area))
    assert summary(done) == {
        "libsharr": "yes",
        "sharrfs": "no: fuse3 from 3.14 on is missing. Arrays work without the mount",
        "SharedArray": "no: not asked for. C programs and the mount work without",
    }


def test_without_fuse_a_daemon_that_is_asked_for_is_an_error(area):
    done = configure(area, "-Ddaemon=enabled", PKG_CONFIG_LIBDIR=str(area))
    assert done.returncode == 1
    assert 'ERROR: Dependency "fuse3" not found' in done.stdout


@pytest.mark.root
def test_without_the_headers_of_python_the_module_is_left_out(area):
    headers = Path(sysconfig.get_path("include"))
    hidden = with_mounts('mount -t tmpfs none "$0" && exec "$@"', headers)
    told = summary(configure(area, "-Ddaemon=disabled", within=hidden))
    assert told["sharrfs"].startswith("no: not asked for")
    assert told["SharedArray"] == (
        "no: python3 with Python.h is missing. C programs and the mount work without"
    )


def place_of_module(area, *options, **environment) -> tuple[str, dict[str, str]]:
    """The folder that the module is to be installed in, and the summary."""
    told = summary(configure(area, "-Ddaemon=disabled", *options, **environment))
    meson = Path(sys.executable).with_name("meson")
    command = [meson, "introspect", "--installed", area / "build"]
    plan = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    (found,) = {p for s, p in plan.items() if s.endswith("pymod/SharedArray/__init__.py")}
    return str(Path(found).parents[1]), told


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local"])
def test_python_of_the_system_looks_where_the_module_is_installed(area, prefix):
    place, told = place_of_module(area, f"--prefix={prefix}", PATH="/usr/bin:/bin")
    assert place.startswith(f"{prefix}/lib/")
    code = "import site; print(*site.getsitepackages(), sep='\\n')"
    command = ["/usr/bin/python3", "-c", code]
    looked_at = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert place in looked_at.splitlines()
    assert told["SharedArray"] == "yes"


def test_python_that_does_not_look_below_the_prefix_is_told_of(area):
    place, told = place_of_module(area, f"--prefix={area}/prefix")
    assert place.startswith(f"{area}/prefix/")
    assert told["SharedArray"].startswith(f"yes, in {place}")


WINDOWS = """
[binaries]
c = 'gcc'
[properties]
needs_exe_wrapper = true
[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
"""


def test_for_windows_it_is_told(area):
    (area / "windows.ini").write_text(WINDOWS)
    done = configure(area, "--cross-file", area / "windows.ini")
    assert done.returncode == 1
    assert "ERROR: Problem encountered: sharr needs POSIX" in done.stdout


def test_without_a_compiler_it_is_told(area):
    done = configure(area, CC="no-compiler")
    assert done.returncode == 1
    assert "ERROR: Unknown compiler(s): [['no-compiler']]" in done.stdout


def wheel_by_pip(area, *within, **environment) -> str:
    """What its backend says where it can build none."""
    code = f"import for_this_python; for_this_python.build_wheel({str(area)!r})"
    done = subprocess.run(
        [*within, sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "pymod" / "backend"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.endswith("A wheel or a package of it that was built elsewhere needs neither.")
    return line


def test_older_python_is_told_in_one_line():
    code = "import sys, for_this_python as b; sys.version_info = (3, 8); b.build_wheel('x')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "pymod" / "backend")},
        capture_output=True,
        text=True,
        check=False,
    )
    told = "sharr: it needs Python 3.9 or newer, and this is an older one.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)


def test_without_a_compiler_pip_is_told_in_one_line(area):
    line = wheel_by_pip(area, CC="no-compiler")
    assert "this machine lacks a C compiler (no-compiler)" in line
    assert "Python.h" not in line
    assert "lacks a C compiler (cc, gcc, clang)" in wheel_by_pip(area, CC="", PATH=str(area))


@pytest.mark.root
def test_without_the_headers_of_python_pip_is_told_in_one_line(area):
    headers = Path(sysconfig.get_path("include"))
    hidden = with_mounts('mount -t tmpfs none "$0" && exec "$@"', headers)
    line = wheel_by_pip(area, *hidden, CC="gcc")
    assert f"this machine lacks Python.h in {headers}" in line
    assert "compiler" not in line
