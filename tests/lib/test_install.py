# SPDX-License-Identifier: BSD-3-Clause
"""What `meson install` gives a C program: header, shared library, pkg-config file. And the example
of the docs, built with the flags of pkg-config alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.area import make_area, remove_area
from support.build import BUILD, ROOT

pytestmark = pytest.mark.release_only  # what is installed is not sanitized

EXAMPLE = ROOT / "docs" / "examples" / "share.c"
VERSION = re.search(r'SHARR_VERSION "(.+)"', (ROOT / "lib" / "sharr.h").read_text()).group(1)
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
COMPILERS = {
    "gcc": ["gcc", "-std=gnu99"],
    "g++": ["g++", "-x", "c++", "-std=gnu++11"],
    "clang": ["clang", "-std=gnu99"],
}


def output_of(command, **how) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed():
    """The folder that stands for the root of the file system."""
    folder = make_area()
    meson = Path(sys.executable).with_name("meson")
    command = [meson, "install", "--no-rebuild", "-C", BUILD, "--destdir", folder]
    output_of(command, env={**os.environ, "PATH": f"{meson.parent}:{os.environ['PATH']}"})
    yield folder
    remove_area(folder)


@pytest.fixture(scope="module")
def library(installed):
    (found,) = installed.rglob("libsharr.so.0")
    return found


@pytest.fixture(scope="module")
def pkg_config(installed):
    (folder,) = {path.parent for path in installed.rglob("sharr.pc")}
    places = {"PKG_CONFIG_PATH": str(folder), "PKG_CONFIG_SYSROOT_DIR": str(installed)}

    def ask(*options):
        return output_of(["pkg-config", *options, "sharr"], env={**os.environ, **places}).split()

    return ask


def dynamic(library, tag):
    told = output_of(["readelf", "--dynamic", library])
    return re.findall(rf"\({tag}\).*\[(.+)\]", told)


def test_library_has_a_soversion(library):
    assert dynamic(library, "SONAME") == ["libsharr.so.0"]
    assert library.resolve().name == f"libsharr.so.{VERSION}"
    assert (library.parent / "libsharr.so").resolve() == library.resolve()


def test_library_needs_the_c_library_alone(library):
    needed = [name for name in dynamic(library, "NEEDED") if not name.startswith("ld-linux")]
    assert needed == ["libc.so.6"]


def test_header_is_the_documented_one(installed):
    (header,) = installed.rglob("sharr.h")
    assert header.read_text() == (ROOT / "lib" / "sharr.h").read_text()


def test_pkg_config_knows_the_version(pkg_config):
    assert pkg_config("--modversion") == [VERSION]
    assert pkg_config("--validate") == []


@pytest.mark.parametrize("compiler", [name for name in COMPILERS if shutil.which(name)])
def test_example_runs_with_the_flags_of_pkg_config(
    installed, library, pkg_config, area, store, compiler
):
    program = area / "share"
    flags = pkg_config("--cflags", "--libs")
    output_of([*COMPILERS[compiler], *STRICT, EXAMPLE, "-o", program, *flags])
    places = {"LD_LIBRARY_PATH": str(library.parent), "SHARR_STORE": str(store)}
    for _ in range(2):
        told = output_of([program], env={**os.environ, **places})
        assert told == "example.samples: 8000 bytes, the sum is 332833500\n"
    assert store.names() == []


def test_example_says_what_it_met(library, pkg_config, area, store):
    program = area / "share"
    output_of(["gcc", EXAMPLE, "-o", program, *pkg_config("--cflags", "--libs")])
    places = {"LD_LIBRARY_PATH": str(library.parent), "SHARR_STORE": str(store(size="4k"))}
    done = subprocess.run(
        [program], env={**os.environ, **places}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(r"share: create example\.samples: No space left .* free; asked", done.stderr)


def test_version_of_the_library_is_that_of_its_header(c):
    assert c.c.sharr_version().decode() == VERSION
