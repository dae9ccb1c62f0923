# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the command's tests.

`sharr`     sharr("list", "--json"): the command, run to its end; .out, .err, .code and .json
`terminal`  terminal("list", columns=60): the command on a terminal
`program`   how the command is started, and with which environment
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.terminal import Terminal
from support.build import python_environment

COMMAND = [sys.executable, "-m", "SharedArray"]


class Done:
    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.raw = out
        self.out = out.decode("utf-8", "surrogateescape")
        self.err = err.decode("utf-8", "surrogateescape")

    @property
    def json(self):
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line of a table, without its head."""
        return [line.split() for line in self.out.splitlines()[1:]]


@pytest.fixture
def environment(store):
    return python_environment(SHARR_STORE=str(store))


@pytest.fixture
def start(environment, area):
    """start("load", …): the command, while it runs; killed at the end."""
    started = []

    def popen(*arguments, env=None, **kwargs) -> subprocess.Popen:
        for name in ("stdin", "stdout", "stderr"):
            kwargs.setdefault(name, subprocess.DEVNULL if name == "stdin" else subprocess.PIPE)
        command = kwargs.pop("command", COMMAND)
        kwargs.setdefault("cwd", area)
        started.append(
            subprocess.Popen([*command, *arguments], env={**environment, **(env or {})}, **kwargs)
        )
        return started[-1]

    yield popen
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def sharr(start):
    def run(*arguments, input: bytes | None = None, timeout: float = 60, **kwargs) -> Done:
        if input is not None:
            kwargs["stdin"] = subprocess.PIPE
        process = start(*arguments, **kwargs)
        out, err = process.communicate(input, timeout)
        assert b"Traceback" not in (err or b""), err.decode()
        return Done(process.returncode, out or b"", err or b"")

    return run


@pytest.fixture
def terminal(environment):
    terminals = []

    def make(*arguments, command=COMMAND, env=None, **size) -> Terminal:
        terminals.append(Terminal([*command, *arguments], {**environment, **(env or {})}, **size))
        return terminals[-1]

    yield make
    for one in terminals:
        one.close()


# The interpreter may lie where that user cannot read: what the command imports comes in before.
AS_NOBODY = """
import contextlib, io
from SharedArray.__main__ import main

def told(arguments):
    out, err = (io.TextIOWrapper(io.BytesIO()) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    out.seek(0), err.seek(0)
    return code, out.read(), err.read()

told(["list", "--json"])
told(["list", "nothing"])
told(["delete", "nothing"])
told(["doctor"])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
told(arguments)
"""


@pytest.fixture
def as_nobody(python):
    """as_nobody("list"): the command as another user; (exit code, stdout, stderr)."""
    return lambda *arguments: python().run(AS_NOBODY, arguments=arguments)


@pytest.fixture
def on_path(area):
    """A folder with an executable `sharr`."""
    folder = area / "bin"
    folder.mkdir()
    script = folder / "sharr"
    script.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    script.chmod(0o755)
    return folder


@pytest.fixture
def files(area) -> Path:
    """An empty folder."""
    folder = area / "files"
    folder.mkdir()
    return folder


def names_in(folder: os.PathLike) -> list[str]:
    return sorted(os.listdir(folder))
