# SPDX-License-Identifier: BSD-3-Clause
"""Completion, in a bash without any configuration, by the tabulator key."""

from __future__ import annotations

import os
import re

import pytest
from support.build import ROOT

# In the place of the command: it tells what it was called with; only its listing is the real one.
STAND_IN = """#!/bin/sh
case $1$2 in list-0) exec {real} "$@" ;; esac
printf 'CALLED'
printf '<%s>' "$@"
echo
"""


@pytest.fixture
def completed(terminal, on_path, files):
    """completed("info pict"): the arguments after the tabulator and return keys."""
    command = on_path / "sharr"
    (on_path / "sharr-real").write_text(command.read_text())
    (on_path / "sharr-real").chmod(0o755)
    command.write_text(STAND_IN.format(real=on_path / "sharr-real"))
    environment = {
        "PATH": f"{on_path}:{os.environ['PATH']}",
        "TERM": "dumb",
        "INPUTRC": "/dev/null",
    }
    shell = terminal(command=["bash", "--norc", "--noprofile", "-i"], env=environment, columns=400)
    shell.type(f"cd '{files}'; . '{ROOT}/pymod/completion/sharr'; PS1=; echo rea''dy\n")
    shell.expect("ready\r\n")

    def complete(line: str) -> list[str]:
        shell.type(f"sharr {line}\t\n")
        return re.findall(r"<(.*?)>", shell.expect(r"CALLED(<.*>)\r\n").group(1), re.S)

    return complete


def test_command(completed):
    assert completed("do") == ["doctor"]


def test_option(completed):
    assert completed("delete --dr") == ["delete", "--dry-run"]


def test_value_of_an_option(completed):
    assert completed("list --sort att") == ["list", "--sort", "attached"]


@pytest.mark.parametrize("command", ["info", "delete", "save"])
def test_name_of_an_array(sa, completed, command):
    sa.create("pictures", 3)
    sa.create("other", 3)
    assert completed(f"{command} pict") == [command, "pictures"]


def test_what_several_begin_with(sa, completed):
    sa.create("pictures-1", 3)
    sa.create("pictures-2", 3)
    assert completed("info pi") == ["info", "pictures-"]


def test_foreign_file_is_not_offered(sa, store, completed):
    (store / "foreign").write_bytes(b"x")
    assert completed("info fore") == ["info", "fore"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("two", "two words"),
        ("two\\ ", "two words"),
        ("a:", "a:b=c"),
        ("a:b=", "a:b=c"),
        ("doll", "doll$HOME'\"`"),
        ("grö", "größe"),
    ],
)
def test_name_that_a_shell_would_cut(sa, completed, typed, name):
    sa.create(name, 3)
    assert completed(f"info {typed}") == ["info", name]


def test_second_name(sa, completed):
    sa.create("pictures", 3)
    sa.create("other", 3)
    assert completed("info pictures oth") == ["info", "pictures", "other"]


def test_name_in_a_group(sa, store, completed):
    (store / "run 1").mkdir()
    sa.create("run 1/pictures", 3)
    assert completed("info ru") == ["info", "run 1/"]
    assert completed("info run\\ 1/pi") == ["info", "run 1/pictures"]


def test_group(sa, store, completed):
    (store / "run1").mkdir()
    sa.create("runner", 3)
    assert completed("list ru") == ["list", "run1/"]


def test_file_to_load(files, completed):
    (files / "two words.npy").touch()
    (files / "two.txt").touch()
    assert completed("load tw") == ["load", "two words.npy"]
