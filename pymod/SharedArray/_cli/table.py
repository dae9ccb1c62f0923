# SPDX-License-Identifier: BSD-3-Clause
"""Rows in columns; on a terminal as wide as that is.

What does not fit is cut, the widest columns first; then columns go, the last in `Column.keep`
first. Into a file or a pipe everything is written.
"""

import shutil
import sys
from collections import namedtuple

from .text import coloured, cut, width

# least: columns below which it is not cut, None: never cut. keep: the higher, the longer kept.
Column = namedtuple("Column", "title right least keep")

_GAP = 2


def _total(widths):
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _cut_to_fit(columns, widths, room):
    while _total(widths) > room:
        able = [i for i in widths if columns[i].least is not None and widths[i] > columns[i].least]
        if not able:
            return False
        widest = max(able, key=widths.get)
        others = [widths[i] for i in able if i != widest]
        goal = max(others + [columns[widest].least])
        excess = _total(widths) - room
        widths[widest] -= min(excess, max(widths[widest] - goal, 1))
    return True


def _widths(columns, rows, room):
    """Columns' numbers and widths, of those that are shown."""
    full = {}
    for i, column in enumerate(columns):
        longest = max((width(row[i]) for row in rows), default=0)
        full[i] = max(longest, len(column.title))
    if room is None:
        return full
    while True:
        widths = dict(full)
        if _cut_to_fit(columns, widths, room) or len(full) == 1:
            return widths
        del full[min(full, key=lambda i: columns[i].keep)]


def _line(columns, widths, cells):
    parts = []
    for i, columns_wide in widths.items():
        text = cut(cells[i], columns_wide)
        blanks = " " * (columns_wide - width(text))
        parts.append(blanks + text if columns[i].right else text + blanks)
    return (" " * _GAP).join(parts).rstrip()


def lines(columns, rows):
    """The table's lines, its head first."""
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    widths = _widths(columns, rows, room)
    yield coloured(_line(columns, widths, [column.title for column in columns]), 1)
    for row in rows:
        yield _line(columns, widths, row)
