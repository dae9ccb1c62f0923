# SPDX-License-Identifier: BSD-3-Clause
"""Which lines of the parsers the corpora reach: what `./dev fuzz --coverage` prints.

Counted are all functions that judge what others have written, by the build `coverage`, whose
programs count the lines that they run.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "coverage"
CORPUS = Path(__file__).parent / "corpus"

# Files that are parsers as a whole; of others the functions that are.
PARSERS: dict[str, list[str]] = {
    "lib/attributes.c": ["pack_one", "attributes_pack", "unpack_one", "attributes_unpack"],
    "lib/attrs.c": [],
    "lib/dtype.c": [],
    "lib/format.c": [],
    "lib/literal.c": [],
    "lib/name.c": [
        *("check_component", "check_components", "walk", "skip_prefix", "skip_scheme"),
        *("init_in_store", "init_file", "name_init"),
    ],
    "lib/npy_header.c": [],
    "lib/reinterpret.c": [],
    "lib/trailer.c": [],
    "fs/draft_attributes.c": [],
    "fs/options.c": [],
}


def replay() -> None:
    for old in BUILD.rglob("*.gcda"):
        old.unlink()
    for corpus in sorted(CORPUS.iterdir()):
        program = BUILD / "tests" / "fuzz" / f"replay_{corpus.name}"
        subprocess.run([program, *sorted(corpus.iterdir())], check=True)


def counts(source: str, functions: list[str]) -> dict[int, int]:
    """How often each line ran."""
    folder, name = source.split("/")
    of_the_library = BUILD.glob(f"lib/*.p/{name}.gcno") if folder == "lib" else []
    (notes,) = of_the_library or BUILD.glob(f"tests/fuzz/*.p/*_{folder}_{name}.gcno")
    command = ["gcov", "--json-format", "--stdout", notes]
    done = subprocess.run(command, cwd=BUILD, stdout=subprocess.PIPE, check=True)
    lines: dict[int, int] = {}
    found = set()
    for file in json.loads(done.stdout)["files"]:
        for line in file["lines"] if file["file"].endswith(source) else []:
            if not functions or line.get("function_name") in functions:
                number = line["line_number"]
                lines[number] = lines.get(number, 0) + line["count"]
                found.add(line.get("function_name"))
    assert found, source
    assert found >= set(functions), f"{source}: {set(functions) - found}"
    return lines


def row(what: str, reached: int, lines: int, missed: list[int]) -> str:
    share = f"{100 * reached / lines:5.1f} %"
    return f"{what:24} {reached:4} of {lines:4}  {share}  {' '.join(map(str, missed))}".rstrip()


def main() -> None:
    replay()
    print(f"{'':24} lines of functions that parse, share, lines that no input reaches")
    every = []
    for source, functions in PARSERS.items():
        lines = counts(source, functions)
        missed = sorted(number for number, count in lines.items() if not count)
        every += lines.values()
        print(row(source, len(lines) - len(missed), len(lines), missed))
    print(row("all", sum(map(bool, every)), len(every), []))


if __name__ == "__main__":
    main()
