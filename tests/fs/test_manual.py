# SPDX-License-Identifier: BSD-3-Clause
"""The manual page says what the program does: options, attributes, capabilities, both ways."""

from __future__ import annotations

import re

import pytest
from support.build import ROOT
from support.manual import each, items, rendered
from support.mount import run_sharrfs

MANUAL = ROOT / "docs" / "sharrfs.8"


def passed_over() -> list[str]:
    (words,) = re.findall("is taken and passed over: (.*)[.]$", rendered(MANUAL), re.M)
    return words.split(", ")


def source_list(name: str) -> str:
    """The initializer of that table or constant of the daemon's."""
    for path in sorted((ROOT / "fs").glob("*.c")):
        found = re.search(rf"\b{name}(?:\[\])? = (.*?);$", path.read_text(), re.M | re.S)
        if found:
            return found[1]
    raise AssertionError(f"no source has {name}")


def test_options_are_those_of_the_help():
    lines = re.findall(r"^  (-\S+(?: \S+)*)", run_sharrfs("--help").stdout, re.M)
    helped = set().union(*(each(line) for line in lines))
    assert items(rendered(MANUAL), "-") == helped
    assert len(helped) > 20


def test_options_that_are_passed_over_are_all_named():
    taken = re.findall(r'"([^"]*)"', source_list("ignored_options"))
    taken += re.findall(r'"([^"]+)"', source_list("ignored_prefixes"))
    assert {re.sub("(NAME|TEXT|WORD)$", "", word) for word in passed_over()} == set(taken) - {""}


@pytest.mark.fuse
def test_options_that_are_passed_over_are_taken(store, mount):
    assert mount(store, *passed_over()).is_mounted()


def test_attributes_are_all_explained():
    tables = source_list("array_attributes") + source_list("root_attributes")
    attributes = {f"user.sharr.{name}" for name in re.findall(r'\{"(\w+)"', tables)}
    assert items(rendered(MANUAL), "user[.]") == attributes | {"user.NAME"}


def test_capabilities_are_those_that_are_kept():
    kept = set(re.findall(r"CAP_\w+", source_list("kept")))
    assert items(rendered(MANUAL), "CAP_") == kept
    unit = (ROOT / "fs" / "sharrfs@.service.in").read_text()
    assert set(re.findall(r"CAP_\w+", unit)) == kept
