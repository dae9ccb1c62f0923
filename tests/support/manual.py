# SPDX-License-Identifier: BSD-3-Clause
"""Manual pages as mandoc shows and judges them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def rendered(page: Path) -> str:
    """The page as it is shown, each paragraph and each item of a list on one line."""
    command = ["mandoc", "-T", "ascii", "-O", "width=1000", page]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.sub(".\b", "", shown)


def complaints(page: Path) -> str:
    """What mandoc warns of; empty if the page is well formed."""
    command = ["mandoc", "-T", "lint", "-W", "warning", page]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def sections(text: str) -> dict[str, str]:
    """Of a rendered page: by "NAME", "DESCRIPTION", …, and those within by "DESCRIPTION/list"."""
    found: dict[str, str] = {}
    section = name = ""
    for line in text.split("\n"):
        if heading := re.match(r"(   )?(\S.*)$", line):
            section = section if heading[1] else heading[2]
            name = f"{section}/{heading[2]}" if heading[1] else section
            found[name] = ""
        elif name:
            found[name] += f"{line}\n"
    return found


def items(text: str, first: str) -> set[str]:
    """What lists explain: "-o ro, rw" is "-o ro" and "-o rw"; of those that begin so."""
    found = set()
    for line in re.findall(rf"^     ({first}\S*(?: \S+)*)", text, re.M):
        found |= each(line)
    return found


def each(line: str) -> set[str]:
    first, *others = line.split(", ")
    prefix = "-o " if first.startswith("-o ") else ""
    return {first, *(prefix + other for other in others)}
