# SPDX-License-Identifier: BSD-3-Clause
"""The code blocks of a Markdown page, and the process that runs them, as test_docs.py says.

Imported for the parts of a page; started as a script, in a mount namespace and a folder of the
page's own, it runs them in order and ends with 1 at the first that fails.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import tempfile
import traceback
import types
from typing import NamedTuple

FENCE = re.compile(r"^```(.*)$")
INFO = re.compile(r"^(python|sh|c|text|output|)(?: file=([\w.-]+))?$")
NOT_RUN = re.compile(r"^<!-- not run: (.+) -->$")
NEEDS = re.compile(r"^<!-- needs: ([\w, ]+) -->$", re.M)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
COMPILE = (
    "cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror {source} {end} $(pkg-config {what} sharr)"
)


class Block(NamedTuple):
    line: int  # its first, counted from 1
    language: str
    file: str | None
    text: str
    reason: str | None  # why it is not run


def blocks_of(page: str) -> list[Block]:
    """ValueError with the line of a fence that is not understood."""
    found = []
    opened = reason = None
    lines = page.split("\n")
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if opened is None and fence:
            info = INFO.match(fence.group(1))
            if not info:
                raise ValueError(f"line {number}: {line} is none of the blocks that are known")
            opened = number, info.group(1) or "text", info.group(2)
        elif fence:
            start, language, file = opened
            text = "\n".join(lines[start : number - 1]) + "\n"
            found.append(Block(start + 1, language, file, text, reason))
            opened = reason = None
        elif opened is None and line.startswith("    ") and not lines[number - 2].strip():
            raise ValueError(f"line {number}: an indented block would not be run: fence it")
        elif opened is None and line.strip():
            excuse = NOT_RUN.match(line)
            reason = excuse.group(1) if excuse else None
    if opened:
        raise ValueError(f"line {opened[0]}: a fence that nobody closes")
    return found


def needs_of(page: str) -> list[str]:
    return [word for words in NEEDS.findall(page) for word in re.split(r"[, ]+", words)]


class Runner:
    def __init__(self, path: str) -> None:
        self.path = path
        self.printed = ""
        self.main = types.ModuleType("__main__")  # where pickle looks for what a page defines
        sys.modules["__main__"] = self.main

    def python(self, block: Block) -> None:
        if re.search(r"^>>> ", block.text, re.M):
            session = doctest.DocTestParser().get_doctest(
                block.text, vars(self.main), self.path, self.path, block.line - 1
            )
            failed, _ = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(
                session, clear_globs=False
            )
            vars(self.main).update(session.globs)
            assert not failed, "the session gives something else"
        else:
            code = compile("\n" * (block.line - 1) + block.text, self.path, "exec")
            exec(code, vars(self.main))

    def sh(self, block: Block) -> None:
        # A file and no pipe: a daemon that the block starts may keep it open.
        with tempfile.TemporaryFile() as printed:
            done = subprocess.run(
                ["bash", "-eu", "-c", block.text, "bash"],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                check=False,
            )
            printed.seek(0)
            self.printed = printed.read().decode(errors="replace")
        assert done.returncode == 0, f"exit code {done.returncode}\n{self.printed}"

    def c(self, block: Block) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
            source.write("#include <sharr.h>\n" + block.text)
            source.flush()
            whole = re.search(r"^int main\(|^main\(", block.text, re.M)
            what = "--cflags --libs" if whole else "--cflags"
            end = "-o /dev/null" if whole else "-fsyntax-only"
            command = COMPILE.format(source=source.name, end=end, what=what)
            self.sh(block._replace(text=command))

    def output(self, block: Block) -> None:
        same = doctest.OutputChecker().check_output(block.text, self.printed, FLAGS)
        assert same, f"printed was\n{self.printed}"

    def run(self, block: Block) -> None:
        if block.reason or block.language == "text":
            return
        if block.file:
            with open(block.file, "w", encoding="utf-8") as file:
                file.write(block.text)
        else:
            getattr(self, block.language)(block)

    def run_all(self, page: str) -> int:
        for block in blocks_of(page):
            try:
                self.run(block)
            except BaseException:
                traceback.print_exc()
                print(f"--- {self.path}:{block.line}:\n{block.text}", file=sys.stderr, flush=True)
                return 1
        return 0


def unmount_all() -> list[str]:
    """What the page has left mounted, which would keep its namespace and a daemon alive."""
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        points = [line.split()[1] for line in lines if line.split()[2].startswith("fuse.sharr")]
    for point in points:
        subprocess.run(["umount", "-l", point], check=False)
    return points


def main() -> int:
    path = os.path.abspath(sys.argv[1])
    with open(path, encoding="utf-8") as file:
        page = file.read()
    before = set(unmount_all())  # those of the machine, of which the namespace has copies
    code = Runner(path).run_all(page)
    left = set(unmount_all()) - before
    if left:
        print(f"it leaves mounts: {sorted(left)}", file=sys.stderr)
    return code or bool(left)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
