# SPDX-License-Identifier: BSD-3-Clause
"""Rules about the sources that no compiler checks: layers, sizes, the public header, tidiness."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.build import BUILD, ROOT
from support.source import (
    c_files,
    c_functions,
    public_declarations,
    tree_files,
    without_comments,
)

HEADER = ROOT / "lib" / "sharr.h"
SOURCES = [p for folder in ("lib", "fs", "pymod") for p in c_files(folder)]
PROGRAM_SOURCES = [p for p in tree_files() if p.suffix in (".c", ".h", ".py", ".pyi")]
TOP_LEVEL = {
    *("README.md", "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
    *("meson.build", "meson.options", "meson_options.txt", "pyproject.toml", "dev"),
    *(".ci", "debian", "lib", "fs", "pymod", "tests", "docs"),
    *(".gitignore", ".gitattributes", ".clang-format"),
}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=relative)


def includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)', path.read_text(), re.M)


def matching(pattern: str, names: list[str]) -> list[str]:
    return [name for name in names if re.search(pattern, name)]


# Layers: fs -> lib <- pymod


def test_lib_knows_neither_fuse_nor_python_nor_numpy():
    for path in c_files("lib"):
        assert not matching(r"(?i)fuse|python|numpy|\.\./", includes(path)), relative(path)


def test_fs_and_pymod_do_not_know_each_other():
    names = {folder: {p.name for p in c_files(folder)} for folder in ("fs", "pymod")}
    for here, there, foreign in (("fs", "pymod", "python"), ("pymod", "fs", "fuse")):
        for path in c_files(here):
            bad = matching(rf"(?i){foreign}|\.\./|{there}/", includes(path))
            bad += [n for n in includes(path) if n in names[there] - names[here]]
            assert not bad, relative(path)


def test_lib_includes_only_itself_and_the_system():
    own = {p.name for p in c_files("lib")}
    for path in c_files("lib"):
        quoted = re.findall(r'^\s*#\s*include\s*"([^"]+)', path.read_text(), re.M)
        assert set(quoted) <= own, relative(path)


def test_only_backing_knows_passthrough():
    names = (
        r"(FOPEN|FUSE|CAP)_PASSTHROUGH|DEV_IOC_BACKING|fuse_backing_map|fuse_passthrough_|max_stack"
    )
    for path in SOURCES:
        if path.name not in ("backing.c", "backing.h"):
            assert not re.findall(names, without_comments(path.read_text())), relative(path)


# Sizes


@each(SOURCES)
def test_file_has_at_most_600_lines(path):
    assert len(path.read_text().splitlines()) <= 600


@each(SOURCES)
def test_functions_have_at_most_60_lines(path):
    for name, lines in c_functions(path.read_text()):
        limit = 40 if name == "main" else 60
        assert lines <= limit, f"{name} has {lines} lines"


def test_functions_are_found():
    text = "static int\nf(int a,\n  int b)\n{\n\tif (a) {\n\t}\n}\n\nstruct s {\n\tint a;\n};\n"
    assert c_functions(text) == [("f", 4)]


def test_top_meson_build_has_less_than_100_lines():
    assert len((ROOT / "meson.build").read_text().splitlines()) < 100


# The public header


def test_every_public_function_is_documented():
    declared = public_declarations(HEADER.read_text())
    assert declared
    assert [name for name, documented in declared.items() if not documented] == []


@pytest.mark.parametrize(
    "compiler",
    [
        ["gcc", "-x", "c", "-std=c99"],
        ["gcc", "-x", "c", "-std=c11"],
        ["g++", "-x", "c++", "-std=c++98", "-Wno-long-long"],
        ["g++", "-x", "c++", "-std=c++17"],
    ],
    ids=lambda command: command[3].lstrip("-std="),
)
def test_public_header_compiles_alone(compiler):
    strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
    done = subprocess.run(
        [*compiler, *strict, "-include", HEADER, "-"],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def exported(library: Path, *options: str) -> set[str]:
    listing = subprocess.run(
        ["nm", *options, "--defined-only", "--extern-only", "--no-demangle", library],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    symbols = (line.split() for line in listing.splitlines())
    return {words[2] for words in symbols if len(words) == 3 and words[1] in "TDBRVWi"}


def test_library_exports_what_the_header_declares():
    declared = set(public_declarations(HEADER.read_text()))
    assert exported(BUILD / "lib" / "libsharr.so", "-D") == declared


def test_extension_exports_only_its_init_function():
    (library,) = (BUILD / "pymod" / "SharedArray").glob("*.so")
    (symbol,) = exported(library, "-D")
    assert symbol == f"PyInit_{library.name.split('.')[0]}"


def test_extension_is_for_the_stable_abi():
    (library,) = (BUILD / "pymod" / "SharedArray").glob("*.so")
    assert library.name.endswith(".abi3.so")


# Tidiness


@each([p for p in PROGRAM_SOURCES if p.name != "__init__.py" or p.stat().st_size])
def test_source_names_its_licence(path):
    lines = path.read_text().split("\n")
    mark = "SPDX-License-Identifier: BSD-3-Clause"
    if path.suffix in (".c", ".h"):
        assert lines[0] == f"/* {mark} */"
    else:
        assert lines[1 if lines[0].startswith("#!") else 0] == f"# {mark}"


@each([p for p in PROGRAM_SOURCES if p != Path(__file__)])
def test_nothing_is_left_for_later(path):
    assert not re.findall(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text())


@each([p for p in tree_files() if p.suffix == ".py" and "tests" in p.parts])
def test_tests_wait_for_events_instead_of_sleeping(path):
    if relative(path) == "tests/support/wait.py":
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    called = [ast.unparse(call.func) for call in calls]
    assert [name for name in called if name.split(".")[-1] == "sleep"] == []


def test_no_file_names_a_place_of_one_machine():
    for path in tree_files():
        if path != Path(__file__):
            found = re.findall(rb"(?<![\w.])/(?:root|work|home)/\w[^\s\"']*", path.read_bytes())
            assert not found, relative(path)


def test_top_level_has_only_what_belongs_there():
    present = {path.relative_to(ROOT).parts[0] for path in tree_files()}
    assert present <= TOP_LEVEL
    assert {"README.md", "LICENSE", "meson.build", "meson.options", "dev"} <= present


@pytest.mark.parametrize("command", [["check"], ["format", "--check", "--diff"]], ids=" ".join)
def test_ruff_passes(command):
    files = [p for p in tree_files() if p.suffix in (".py", ".pyi")]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@each([ROOT / "dev", ROOT / ".ci" / "run"])
def test_shell_script_is_sound(path):
    assert path.stat().st_mode & 0o111 == 0o111
    checker = shutil.which("shellcheck")
    command = [checker, path] if checker else ["bash", "-n", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_versions_agree():
    (version,) = re.findall(r"version: '([\d.]+)',$", (ROOT / "meson.build").read_text(), re.M)
    assert f'\nversion = "{version}"\n' in (ROOT / "pyproject.toml").read_text()
    assert f'#define SHARR_VERSION "{version}"\n' in HEADER.read_text()
    assert (ROOT / "debian" / "changelog").read_text().startswith(f"sharr ({version}) ")
