# SPDX-License-Identifier: BSD-3-Clause
"""What the pages for contributors name in backticks is there: functions, files and folders."""

from __future__ import annotations

import re

import pytest
from support.build import ROOT
from support.source import c_files, c_functions, tree_files

PAGES = ["docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md", "docs/reliability.md"]
FUNCTION = re.compile(r"`(\w+)\(\)`")
FILE = re.compile(r"`((?:[\w.@-]+/)*[\w.@-]+\.(?:c|h|py|pyi|in|build|md|toml|8))`")
FOLDER = re.compile(r"`((?:[\w.-]+/)+)`")


@pytest.fixture(scope="module")
def functions():
    sources = [path for folder in ("lib", "fs", "pymod") for path in c_files(folder)]
    return {name for path in sources for name, _ in c_functions(path.read_text())}


@pytest.fixture(scope="module")
def files():
    return {str(path.relative_to(ROOT)) for path in tree_files()}


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page, functions, files):
    text = (ROOT / page).read_text()
    folders = {f"{parent}/" for file in files for parent in (ROOT / file).relative_to(ROOT).parents}
    assert set(FUNCTION.findall(text)) - functions == set()
    assert set(FILE.findall(text)) - files == set()
    assert set(FOLDER.findall(text)) - folders == set()


def test_names_are_found():
    text = (ROOT / PAGES[0]).read_text()
    assert {"sharr_attach", "op_open", "map_file"} <= set(FUNCTION.findall(text))
    assert {"lib/sharr.h", "docs/sharrfs.8"} <= set(FILE.findall(text))
    assert {"lib/", "tests/support/"} <= set(FOLDER.findall(text))
