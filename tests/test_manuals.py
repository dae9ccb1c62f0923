# SPDX-License-Identifier: BSD-3-Clause
"""The manual pages of the command, the library and the format say what these have. sharrfs(8) is
compared with its daemon in fs/test_manual.py."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys

import pytest
from support.build import BUILD, ROOT
from support.manual import complaints, items, rendered, sections
from support.source import c_files, public_declarations, without_comments

DOCS = ROOT / "docs"
HEADER = (ROOT / "lib" / "sharr.h").read_text()
FORMAT = (DOCS / "format.md").read_text()
FORMAT_PAGE = BUILD / "docs" / "sharr-format.5"
PAGES = [*sorted(DOCS.glob("*.[1-8]")), FORMAT_PAGE]


@pytest.fixture(scope="module")
def command():
    """sharr(1), section by section."""
    return sections(rendered(DOCS / "sharr.1"))


@pytest.fixture(scope="module")
def library():
    return sections(rendered(DOCS / "libsharr.3"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_well_formed(page):
    assert complaints(page) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_shown_by_man_without_a_warning(page):
    shown = subprocess.run(
        ["man", "--warnings", "-l", page],
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    assert "SEE ALSO" in re.sub(".\b", "", shown.stdout)


def test_pages_see_each_other():
    names = {f"{page.stem}({page.suffix[1:]})" for page in PAGES}
    for page in PAGES:
        seen = set(re.findall(r"(?:lib)?sharr[\w-]*\(\d\)", sections(rendered(page))["SEE ALSO"]))
        assert seen <= names, page


# The command


def parsers(sa) -> dict[str, argparse.ArgumentParser]:
    """By the section that is about it; the parser of what stands before a command by ""."""
    parser = importlib.import_module("SharedArray._cli.arguments")._parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {"DESCRIPTION": parser, **{f"DESCRIPTION/{n}": p for n, p in commands.choices.items()}}


def test_options_of_the_command_are_all_explained(sa, command):
    for section, parser in parsers(sa).items():
        has = {option for action in parser._actions for option in action.option_strings}
        if section != "DESCRIPTION":
            has -= {"-h", "--help"}
        told = {item.split(" ")[0] for item in items(command[section], "-")}
        assert told == has, section


def test_choices_of_options_are_all_explained(sa, command):
    choices = {
        (section, choice)
        for section, parser in parsers(sa).items()
        for action in parser._actions
        if action.option_strings
        for choice in action.choices or ()
    }
    assert len(choices) == 6
    for section, choice in choices:
        assert re.search(rf"\b{choice}\b", command[section]), choice


def test_synopsis_has_each_command_and_its_options(sa, command):
    synopsis = command["SYNOPSIS"]
    for section, parser in parsers(sa).items():
        name = section.partition("/")[2]
        (line,) = re.findall(rf"^     sharr {name or '--'}.*", synopsis, re.M)
        for action in parser._actions:
            named = [option for option in action.option_strings if option in line]
            assert named or not action.option_strings or {"-h"} & {*action.option_strings}, action


def test_exit_codes_are_those_of_the_command(command):
    sources = [*(ROOT / "pymod" / "SharedArray" / "_cli").glob("*.py")]
    sources.append(ROOT / "pymod" / "SharedArray" / "__main__.py")
    text = "\n".join(path.read_text() for path in sources)
    returned = set(re.findall(r"\breturn (\d+)$", text, re.M))
    assert "sys.exit(128 + number)" in text  # SIGTERM is 15
    assert items(command["EXIT STATUS"], r"\d") == returned | {"143"}


def test_environment_is_that_of_the_sources(command, library):
    c = "".join(path.read_text() for path in c_files("lib"))
    of_library = set(re.findall(r'getenv\("(\w+)"\)', c))
    assert items(library["ENVIRONMENT"], "[A-Z]") == of_library
    folder = ROOT / "pymod" / "SharedArray" / "_cli"
    python = "".join(path.read_text() for path in folder.glob("*.py"))
    of_command = set(re.findall(r'environ\.get\(b?"(\w+)"', python))
    assert items(command["ENVIRONMENT"], "[A-Z]") == of_library | of_command


# The library


def prototypes(text: str) -> set[str]:
    """int f(int a) -> "int f(int a)", whatever the white space."""
    found = re.findall(r"([a-z][\w\s*]*?\b\**sharr_\w+\((?:[^()]|\([^()]*\))*\));", text)
    return {re.sub(r"\s*([(*,])\s*", r"\1", " ".join(one.split())) for one in found}


def test_synopsis_of_the_library_is_its_header(library):
    text = "".join(t for name, t in library.items() if name.startswith("SYNOPSIS"))
    declared = prototypes(without_comments(HEADER).replace("SHARR_PUBLIC", ";"))
    assert len(declared) == len(public_declarations(HEADER))
    assert prototypes(text) == declared


def test_each_function_and_constant_is_described(library):
    text = "".join(t for name, t in library.items() if name.startswith("DESCRIPTION"))
    missing = [name for name in public_declarations(HEADER) if f"{name}()" not in text]
    assert missing == []
    constants = re.findall(r"#define (SHARR_(?!H$|PUBLIC)\w+)", HEADER)
    assert [name for name in constants if name not in text] == []


def errnos_of_the_header() -> dict[str, set[str]]:
    """By function, those in the comment above it; by "" those that any may return."""
    found = {"": set(re.findall(r"-(E[A-Z0-9]+)\b", HEADER.partition("#ifndef")[0]))}
    for comment, code in re.findall(r"/\*(.*?)\*/\n((?:SHARR_PUBLIC.*?;\n)+)", HEADER, re.S):
        above = comment.rpartition("/*")[2]
        for name in re.findall(r"\b(sharr_\w+)\(", code):
            found[name] = set(re.findall(r"-(E[A-Z0-9]+)\b", above))
    return found


# What the page tells together.
GROUPS = {
    "sharr_create": ["sharr_create", "sharr_put", "sharr_prepare", "sharr_publish"],
    "sharr_copy": ["sharr_copy", "sharr_copy_to"],
    "sharr_attached": ["sharr_attached", "sharr_reap"],
    "sharr_attrs_set": ["sharr_attrs_set", "sharr_attrs_list_of", "sharr_attrs_set_of"],
    "sharr_lock": [
        *("sharr_lock", "sharr_unlock", "sharr_event", "sharr_notify", "sharr_wait"),
        *("sharr_write_begin", "sharr_write_end", "sharr_snapshot"),
    ],
}


def test_each_errno_is_explained_with_the_functions_that_return_it(library):
    header = errnos_of_the_header()
    paragraphs = re.split(r"^     (sharr_\w+)\(\).*:$", library["ERRORS"], flags=re.M)
    told = {"": paragraphs[0], **dict(zip(paragraphs[1::2], paragraphs[2::2]))}
    assert told.keys() - {""} == GROUPS.keys()
    named = {n: set(re.findall(r"\bE[A-Z0-9]+\b", text)) for n, text in told.items()}
    assert header[""] <= named[""]
    for first, functions in GROUPS.items():
        missing = set().union(*(header[f] for f in functions)) - named[first] - named[""]
        assert missing == set(), first
    others = header.keys() - {""} - {f for group in GROUPS.values() for f in group}
    assert set().union(*(header[f] for f in others)) <= named[""]
    assert set().union(*named.values()) <= set().union(*header.values())


def test_example_of_the_library_runs(library, area, store):
    page = (DOCS / "libsharr.3").read_text()
    (example,) = re.findall(r"^\.Bd -literal\n(.*?)^\.Ed", page, re.M | re.S)
    source, program = area / "example.c", area / "example"
    source.write_text(example.replace("\\e", "\\"))
    flags = ["-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'lib'}", f"-L{BUILD / 'lib'}", "-lsharr"]
    subprocess.run(["gcc", source, "-o", program, *flags], check=True)
    places = {"SHARR_STORE": str(store), "LD_LIBRARY_PATH": str(BUILD / "lib")}
    subprocess.run([program], env={**os.environ, **places}, check=True)
    assert store.names() == ["prices"]


# The format: made of its document.


def words(text: str) -> list[str]:
    """Without what only Markdown has."""
    return [word for word in re.sub(r"`|\*\*", "", text.lower()).split() if word.strip("|*#")]


def test_page_of_the_format_has_all_words_of_its_document():
    shown = subprocess.run(
        ["mandoc", "-T", "utf8", "-O", "width=1000", FORMAT_PAGE],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    shown = re.sub(".\b", "", shown)
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", FORMAT.partition("\n")[2])
    text = re.sub(r"^(\|-|\|[ |]+$|```).*$", "", text, flags=re.M)
    body = shown.partition("DESCRIPTION\n")[2].partition("SEE ALSO\n")[0]
    assert sorted(words(body.replace("•", ""))) == sorted(words(text))


def test_page_of_the_format_is_made_of_the_document_as_it_is():
    made = subprocess.run(
        [sys.executable, DOCS / "format_page.py", DOCS / "format.md"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert made == FORMAT_PAGE.read_text()
