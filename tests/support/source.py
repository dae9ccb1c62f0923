# SPDX-License-Identifier: BSD-3-Clause
"""What test_tree.py asks about the sources: which there are, and the size of each function."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from support.build import ROOT

KEYWORDS = ("if", "for", "while", "switch", "do", "else")


def tree_files() -> list[Path]:
    """What a clone has: tracked files, and new ones that are not ignored. For an unpacked archive
    without git: everything but what ./dev makes."""
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(
        [*command, "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
    )
    if listed.returncode == 0:
        files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        made = {".dev", "build", ".git", "__pycache__"}
        files = [p for p in ROOT.rglob("*") if not made & {*p.relative_to(ROOT).parts}]
    return sorted(path for path in files if path.is_file())


def copy_tree(to: Path) -> None:
    """As a clone has it, links as links: meson has none but the same file twice."""
    for path in tree_files():
        copy = to / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy, follow_symlinks=False)


def c_files(folder: str) -> list[Path]:
    return [p for p in tree_files() if p.suffix in (".c", ".h") and p.parent == ROOT / folder]


def without_comments(text: str) -> str:
    """The same lines, with comments and the insides of literals blanked out."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match: re.Match) -> str:
        found = match.group()
        if found[0] in "\"'":
            return found[0] * 2
        return "\n" * found.count("\n") or " "

    return pattern.sub(blank, text)


def c_functions(text: str) -> list[tuple[str, int]]:
    """(name, lines from the opening brace to the closing one) of each function.

    In kernel shape the body of a function, and of nothing else but a type or an initializer,
    stands between braces in column 0.
    """
    lines = without_comments(text).split("\n")
    found = []
    opening = None
    for number, line in enumerate(lines):
        if line == "{":
            opening = number
        elif line.startswith("}") and opening is not None:
            if line == "}":
                found.append((function_name(lines, opening), number - opening + 1))
            opening = None
    return found


def function_name(lines: list[str], opening: int) -> str:
    """The last word before the parameters, in the lines that lead up to the brace."""
    head = ""
    for line in reversed(lines[max(0, opening - 12) : opening]):
        if not line.strip() or line.startswith("}") or line.rstrip().endswith(";"):
            break
        head = f"{line} {head}"
    names = [name for name in re.findall(r"(\w+)\s*\(", head) if not name.startswith("__")]
    return names[0] if names else head.strip()


def public_declarations(header: str) -> dict[str, bool]:
    """Functions that a header declares, each with whether a comment stands right above it.

    Declarations without a blank line between them form a group, which one comment describes.
    """
    found = {}
    documented = False
    in_comment = False
    for line in header.split("\n"):
        text = line.strip()
        if in_comment or text.startswith("/*"):
            in_comment = "*/" not in text
            documented = True
        elif not text:
            documented = False
        elif match := re.match(r"SHARR_PUBLIC\b.*?(\w+)\s*\(", line):
            found[match.group(1)] = documented
    return found
