# SPDX-License-Identifier: BSD-3-Clause
"""The command as such: how it is called, how it ends."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_version(sharr, sa):
    done = sharr("--version")
    assert (done.code, done.out) == (0, f"sharr {sa.__version__}\n")


def test_help_names_every_command(sharr):
    done = sharr("--help")
    assert done.code == 0
    for command in ("list", "info", "delete", "save", "load", "reap", "doctor"):
        assert f"\n    {command} " in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["list", "--nothing"],
        ["list", "--watch", "0"],
        ["list", "--json", "--watch"],
        ["list", "--sort", "colour"],
        ["info"],
        ["save"],
        ["load"],
        ["load", "a.npy", "b.npy", "--name", "x"],
        ["delete"],
    ],
    ids=" ".join,
)
def test_wrong_call_is_exit_code_2_with_a_word(sharr, arguments):
    done = sharr(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "sharr" in done.err


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["list", "-0"], ["--help"]])
def test_reader_that_went_away_is_no_traceback(sa, start, arguments):
    for i in range(2000):
        sa.create(f"name-{i:04}", 1, reserve=False)
    process = start(*arguments)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) in (0, 141)


def test_head_of_a_list(sa, on_path, environment):
    for i in range(2000):
        sa.create(f"name-{i:04}", 1, reserve=False)
    done = subprocess.run(
        ["bash", "-c", f"'{on_path}/sharr' list | head -n 2"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1].startswith("name-0000 ")
    assert done.stderr == ""


@pytest.mark.parametrize("command", [["list"], ["info", "x"], ["doctor"]], ids=lambda c: c[0])
def test_full_standard_output_is_told(sa, sharr, command):
    sa.create("x", 1)
    with open("/dev/full", "wb") as full:
        done = sharr(*command, stdout=full)
    assert (done.code, done.err) == (1, "sharr: No space left on device\n")


def test_missing_store_is_told_with_what_to_do(sharr):
    for command in (["list"], ["info", "x"]):
        done = sharr(*command, env={"SHARR_STORE": "/nowhere"})
        assert done.code == 1
        assert "there is no store /nowhere: make it, or set SHARR_STORE" in done.err


def test_only_what_is_needed_is_imported(environment):
    code = (
        "import sys, SharedArray.__main__ as m; m.main(['list'])\n"
        "print([n for n in ('tqdm', 'importlib.metadata', 'gzip', 'SharedArray._cli.doctor', "
        "'SharedArray._cli.npy') if n in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
