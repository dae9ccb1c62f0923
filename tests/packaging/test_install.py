# SPDX-License-Identifier: BSD-3-Clause
"""What `meson install` puts in place: each file where it belongs, and nothing else; the example of
the docs is built with the flags of pkg-config alone, and mount(8) finds the daemon."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.area import make_area, remove_area
from support.build import BUILD, ROOT, native_environment
from support.namespace import contained
from support.source import tree_files

pytestmark = pytest.mark.release_only  # what is installed is not sanitized

EXAMPLE = ROOT / "docs" / "examples" / "share.c"
VERSION = re.search(r'SHARR_VERSION "(.+)"', (ROOT / "lib" / "sharr.h").read_text()).group(1)
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
COMPILERS = {
    "gcc": ["gcc", "-std=gnu99"],
    "g++": ["g++", "-x", "c++", "-std=gnu++11"],
    "clang": ["clang", "-std=gnu99"],
}


PREFIX = Path("usr", "local")
PACKAGE = ROOT / "pymod" / "SharedArray"
METADATA = PACKAGE / "METADATA.in"
FILES = """
bin/sharr bin/sharrfs include/sharr.h lib/systemd/system/sharrfs@.service
LIBDIR/libsharr.so LIBDIR/libsharr.so.0 LIBDIR/libsharr.so.VERSION LIBDIR/pkgconfig/sharr.pc
share/bash-completion/completions/sharr share/man/man1/sharr.1 share/man/man3/libsharr.3
share/man/man5/sharr-format.5 share/man/man8/sharrfs.8
"""


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


def names_below(folder: Path) -> set[str]:
    """Of files; what meson compiles for Python is not looked at."""
    found = {p for p in folder.rglob("*") if not p.is_dir() and p.suffix != ".pyc"}
    return {str(path.relative_to(folder)) for path in found}


@pytest.fixture(scope="module")
def module(installed):
    """The folder in which Python is to look."""
    (found,) = installed.rglob("SharedArray")
    return found.parent


@pytest.fixture
def in_place(installed):
    """in_place("script", arguments): a shell that sees what is installed at /usr/local."""

    def run(script, *arguments):
        script = f'mount --bind "$0/{PREFIX}" /usr/local || exit 99\n{script}'
        command = contained(script, installed, *arguments)
        environment = native_environment(LC_ALL="C", PATH="/usr/local/bin:/usr/bin:/bin")
        return output_of(command, env=environment, timeout=60)

    return run


def test_each_file_is_where_it_belongs_and_nothing_else_is_there(installed, library, module):
    libdir = str(library.parent.relative_to(installed / PREFIX))
    system = set(FILES.replace("LIBDIR", libdir).replace("VERSION", VERSION).split())
    own = {path.relative_to(PACKAGE) for path in tree_files() if PACKAGE in path.parents}
    python = {f"SharedArray/{path}" for path in own if path.suffix not in (".build", ".in")}
    python |= {"SharedArray/_sharr.abi3.so", f"sharr-{VERSION}.dist-info/METADATA"}
    assert names_below(module) == python
    below = str(module.relative_to(installed / PREFIX))
    others = {name for name in names_below(installed / PREFIX) if not name.startswith(below)}
    assert others == system
    assert {path.name for path in installed.iterdir()} == {"usr"}


def test_programs_may_be_run_and_nothing_else(installed, library, module):
    may = {p for p in installed.rglob("*") if p.is_file() and p.stat().st_mode & 0o111}
    bin_ = installed / PREFIX / "bin"
    libraries = {library.resolve(), *library.parent.glob("libsharr.so*")}
    assert may - libraries - {*module.rglob("*.so")} == {bin_ / "sharr", bin_ / "sharrfs"}


def test_command_runs_with_the_module_that_it_came_with(installed, module, store):
    command = installed / PREFIX / "bin" / "sharr"
    assert not command.read_text().startswith("#!/usr/bin/env")
    environment = {**os.environ, "PYTHONPATH": str(module), "SHARR_STORE": str(store)}
    assert output_of([command, "--version"], env=environment) == f"sharr {VERSION}\n"
    assert output_of([command, "list", "--json"], env=environment) == "[]\n"


def test_python_knows_what_is_installed(module):
    code = "from importlib.metadata import *; print(version('sharr'), requires('sharr'))"
    told = output_of([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(module)})
    assert told == f"{VERSION} ['numpy>=1.19']\n"


def test_metadata_are_those_of_the_wheel():
    wheel = (ROOT / "pyproject.toml").read_text()
    for key, line in re.findall(r"^(Requires-\w+): (.*)$", METADATA.read_text(), re.M):
        wanted = {"Requires-Python": "requires-python", "Requires-Dist": "dependencies"}[key]
        assert re.search(rf'^{wanted} = \[?"{re.escape(line)}"', wheel, re.M)


@pytest.mark.root
def test_unit_starts_the_daemon_that_it_came_with(in_place):
    script = """
        grep -o '^ExecStart=[^ ]*' /usr/local/lib/systemd/system/sharrfs@.service
        sharrfs --version
    """
    unit, version = in_place(script).splitlines()
    assert (unit, version.split(",")[0]) == (
        "ExecStart=/usr/local/bin/sharrfs",
        f"sharrfs {VERSION}",
    )


@pytest.mark.root
@pytest.mark.fuse
def test_mount_by_type_finds_the_daemon(in_place, store, area):
    (area / "m").mkdir()
    script = """
        mount -t fuse.sharrfs -o nodev "$1" "$2" && umount "$2"
        getfattr -n user.sharr.io "$2" 2>/dev/null || echo unmounted
    """
    assert in_place(script, store, area / "m") == "unmounted\n"


@pytest.mark.root
def test_c_program_builds_by_pkg_config_where_all_is_in_place(in_place, area, store):
    script = """
        cc -Wall -Wextra -Werror "$1" -o "$2/share" $(pkg-config --cflags --libs sharr) &&
        LD_LIBRARY_PATH=$(pkg-config --variable libdir sharr) SHARR_STORE=$3 "$2/share"
    """
    assert in_place(script, EXAMPLE, area, store).startswith("example.samples: 8000 bytes")


@pytest.mark.root
def test_manual_pages_are_found(in_place):
    script = "man -w 1 sharr && man -w 3 libsharr && man -w 5 sharr-format && man -w 8 sharrfs"
    told = in_place(script).splitlines()
    assert [name.rpartition("/")[2] for name in told] == [
        *("sharr.1", "libsharr.3", "sharr-format.5", "sharrfs.8")
    ]


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
