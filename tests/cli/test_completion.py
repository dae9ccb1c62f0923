# SPDX-License-Identifier: BSD-3-Clause
"""Completion in a bash on a terminal, as it comes with Debian: without any configuration."""

from __future__ import annotations

import os

import pytest
from support.build import ROOT


@pytest.fixture
def bash(terminal, on_path, files):
    """A bash in an empty folder: complete("sharr li") is the line after the tabulator key."""
    path = f"{on_path}:{os.environ['PATH']}"
    environment = {"PATH": path, "PS1": "", "TERM": "dumb", "INPUTRC": "/dev/null"}
    shell = terminal(command=["bash", "--norc", "--noprofile", "-i"], env=environment, columns=400)
    rest = "PS1=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'"
    shell.type(f"cd '{files}'; . '{ROOT}/pymod/completion/sharr'; {rest}; echo rea''dy\n")
    shell.expect("ready\r\n")
    return shell


@pytest.fixture
def words_of(bash):
    """The words that a line has after it was completed and entered."""

    def complete(line: str) -> list[str]:
        bash.type("sharr() { printf 'END'; printf '<%s>' \"$@\"; echo; }\n")
        bash.type("\n".join(["echo sy''nc", ""]))
        bash.expect("sync\r\n")
        # The function above would be asked for the names as well.
        bash.type("unset -f sharr\n")
        bash.type(f"{line}\t")
        bash.type("\x01: ")
        bash.type("\x05; echo END\n")
        return bash.expect(": (sharr .*); echo END\r\n").group(1)

    return complete
