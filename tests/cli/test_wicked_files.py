# SPDX-License-Identifier: BSD-3-Clause
"""The command in a store that has files of people who mean no good."""

from __future__ import annotations

import os

import pytest
from support.wicked import fill


@pytest.fixture
def names(sa, store):
    return fill(sa, store)


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--sort", "dtype"], ["reap"], ["doctor"]], ids=" ".join
)
def test_none_breaks_what_is_said_of_all(sharr, names, arguments):
    done = sharr(*arguments)
    assert done.err == ""
    assert done.out.replace("\n", "").isprintable()
    assert done.out.count("good") == (arguments[0] == "list")


def test_list_tells_of_each(sharr, names):
    told = sharr("list", "--json").json
    assert {os.fsencode(item["name"]) for item in told} == names
    assert sorted(sharr("list", "--null").raw.split(b"\0")[:-1]) == sorted(names)


def test_info_of_each(sharr, names):
    done = sharr("info", *map(os.fsdecode, names))
    assert (done.code, done.err) == (0, "")
    assert done.out.count("dtype:") == len(names)
    assert len(sharr("info", "--json", *map(os.fsdecode, names)).json) == len(names)
