# SPDX-License-Identifier: BSD-3-Clause
"""Prints sharr-format(5), in mdoc, made of docs/format.md: so the format is written down once.

It knows the Markdown that this document is written in: headings, paragraphs, fenced blocks, tables
and lists, in whose items there may be paragraphs and lists; in a line code, bold words and links.
"""

import re
import sys

HEAD = """'\\" t
.\\" SPDX-License-Identifier: BSD-3-Clause
.\\" Made of docs/format.md by docs/format_page.py.
.Dd November 28, 2026
.Dt SHARR-FORMAT 5
.Os
.Sh NAME
.Nm sharr-format
.Nd the format of an array's file
.Sh DESCRIPTION"""

TAIL = """.Sh SEE ALSO
.Xr sharr 1 ,
.Xr libsharr 3 ,
.Xr sharrfs 8"""

LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
MARKED = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*)")
SENTENCE_END = re.compile(r"(?<=[.:?]) (?=[A-Z])")
ITEM = re.compile(r"(?:\d+\.|\*) ")


def escaped(text):
    special = {"\\": "\\e", "-": "\\-"}
    return "".join(special.get(c) or (c if c.isascii() else f"\\[u{ord(c):04X}]") for c in text)


def line_of(text):
    """Code and bold words in bold, of links the text."""
    shown = ""
    for part in MARKED.split(LINK.sub(r"\1", text)):
        marked = MARKED.fullmatch(part)
        shown += f"\\fB{escaped(part.strip('`*'))}\\fR" if marked else escaped(part)
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def text(lines):
    yield from map(line_of, SENTENCE_END.split(" ".join(lines)))


def heading(lines):
    marks, title = lines[0].split(" ", 1)
    if marks != "#":  # the document's own, which the page has already
        yield f".Sh {escaped(title.upper())}" if marks == "##" else f".Ss {escaped(title)}"


def fenced(lines):
    yield from (".Bd -literal", *map(escaped, lines[1:-1]), ".Ed")


def table(lines):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    yield ".TS"
    yield "l " * (len(rows[0]) - 1) + "lx."
    for row in rows[:1] + rows[2:]:
        if any(row):
            yield "\t".join(f"T{{\n{line_of(cell)}\nT}}" if cell else "" for cell in row)
    yield ".TE"


def listed(lines):
    """What belongs to an item stands below its first letter."""
    yield ".Bl -bullet" if lines[0].startswith("*") else ".Bl -enum"
    while lines:
        indent = ITEM.match(lines[0]).end()
        count = extent(lines[1:], lambda line: not ITEM.match(line)) + 1
        yield ".It"
        yield from blocks([line[indent:] for line in lines[:count]])
        lines = lines[count:]
    yield ".El"


def extent(lines, belongs):
    return next((n for n, line in enumerate(lines) if not belongs(line)), len(lines))


def block_of(lines):
    """The kind of the first block, and how many lines it has."""
    if lines[0].startswith("```"):
        return fenced, lines.index("```", 1) + 1
    if lines[0].startswith("#"):
        return heading, 1
    if lines[0].startswith("|"):
        return table, extent(lines, lambda line: line.startswith("|"))
    if ITEM.match(lines[0]):
        return listed, extent(lines, lambda line: re.match(f"{ITEM.pattern}| |$", line))
    return text, extent(lines, lambda line: line and not line.startswith("|"))


def blocks(lines):
    before = heading
    while lines:
        kind, count = block_of(lines) if lines[0] else (None, 1)
        if kind:
            if kind in (text, table) and before is not heading:
                yield ".Pp"
            yield from kind(lines[:count])
            before = kind
        lines = lines[count:]


def main():
    with open(sys.argv[1], encoding="utf-8") as document:
        lines = document.read().splitlines()
    print("\n".join((HEAD, *blocks(lines), TAIL)))


if __name__ == "__main__":
    main()
