# SPDX-License-Identifier: BSD-3-Clause
"""sharr list."""

import json
import shutil
import sys
import time

from . import arrays, errors, store, table, text

COLUMNS = (
    table.Column("NAME", False, 12, 7),
    table.Column("DTYPE", False, 8, 5),
    table.Column("SHAPE", False, 8, 4),
    table.Column("SIZE", True, None, 6),
    table.Column("OWNER", False, 6, 1),
    table.Column("AGE", True, None, 2),
    table.Column("ATTACHED", True, None, 3),
)

_KEYS = {
    "name": lambda a: a.name,
    "size": lambda a: (-a.info.nbytes, a.name),
    "age": lambda a: (-(a.info.created or 0), a.name),
    "owner": lambda a: (a.owner, a.name),
    "dtype": lambda a: (str(a.info.dtype), a.name),
    "attached": lambda a: (-len(a.pids), a.name),
}


def cells(array):
    return (
        text.quoted(array.name),
        str(array.info.dtype),
        array.shape,
        text.size(array.info.nbytes),
        array.owner,
        text.age(array.age),
        array.attached,
    )


def _sorted(arguments):
    found = arrays.every(store.group_of(arguments.group))
    return sorted(found, key=_KEYS[arguments.sort], reverse=arguments.reverse)


def print_json(items):
    """An array of objects, one object a line."""
    separator = "["
    for item in items:
        print(f"{separator}\n  {json.dumps(item)}", end="")
        separator = ","
    print("[]" if separator == "[" else "\n]")


def _print_names(arguments):
    names = sorted(arrays.names(store.group_of(arguments.group)), reverse=arguments.reverse)
    sys.stdout.buffer.writelines(name + b"\0" for name in names)
    sys.stdout.buffer.flush()


def _screen(arguments):
    """The lines that fit onto the terminal, the last one telling what does not."""
    found = _sorted(arguments)
    total = text.size(sum(array.info.nbytes for array in found))
    summary = f"{time.strftime('%H:%M:%S')}  {text.count(len(found), 'array')}, {total}"
    room = len(found)
    if sys.stdout.isatty():
        room = max(shutil.get_terminal_size().lines - 3, 1)
    shown = table.lines(COLUMNS, [cells(array) for array in found[:room]])
    rest = len(found) - room
    return [summary, *shown, *([f"… and {rest} more"] if rest > 0 else [])]


def _draw(lines):
    if not sys.stdout.isatty():
        print("\n".join(lines), end="\n\n", flush=True)
        return
    # Home, each line with what was behind it erased, then all below: nothing flickers.
    body = "\n".join(f"{line}\x1b[K" for line in lines)
    print(f"\x1b[H{body}\x1b[J", end="", flush=True)


def _watch(arguments):
    if sys.stdout.isatty():
        print("\x1b[2J", end="")
    try:
        while True:
            _draw(_screen(arguments))
            time.sleep(arguments.watch)
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            print()
    return 0


def run(arguments):
    try:
        if arguments.watch:
            return _watch(arguments)
        if arguments.null:
            _print_names(arguments)
        elif arguments.json:
            print_json(array.as_json() for array in _sorted(arguments))
        else:
            for line in table.lines(COLUMNS, [cells(array) for array in _sorted(arguments)]):
                print(line)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        errors.tell(arguments.group, error)
        return 1
    return 0
