# SPDX-License-Identifier: BSD-3-Clause
"""sharr delete."""

import fnmatch
import sys

import SharedArray as sa

from . import arrays, details, errors, listing, store, table, text

# How many a question shows; the rest is counted.
_SHOWN = 20


def _matching(pattern):
    """Names that match; the group in front of the last slash is taken as it is."""
    inside = store.name_in_store(pattern)
    if inside is None:
        raise errors.Usage("--pattern is for arrays of the store, not for file://")
    group, slash, _ = inside.rpartition(b"/")
    names = arrays.names(group if slash else None)
    return sorted(name for name in names if fnmatch.fnmatchcase(name, _literal(group, inside)))


def _literal(group, pattern):
    """The pattern with what is special in its group made plain."""
    plain = b"".join(b"[%c]" % byte if byte in b"*?[" else b"%c" % byte for byte in group)
    return plain + pattern[len(group) :]


def _expand(arguments):
    """(names, each once; whether a pattern failed)."""
    names, failed = list(arguments.names), False
    for pattern in arguments.pattern:
        try:
            matching = _matching(pattern)
        except (OSError, ValueError) as error:
            errors.tell(pattern, error)
            failed = True
            continue
        if not matching:
            errors.say(f"{text.quoted(pattern)}: matches no array")
            failed = True
        names += matching
    return list(dict.fromkeys(names)), failed


def _is_wanted(found):
    """Asks on the terminal."""
    rows = [listing.cells(array) for array in found[:_SHOWN]]
    for line in table.lines(listing.COLUMNS, rows):
        print(line)
    if len(found) > _SHOWN:
        print(f"… and {len(found) - _SHOWN} more")
    total = text.size(sum(array.info.nbytes for array in found))
    print(f"Delete {text.count(len(found), 'array')} ({total})? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _delete(names, sure):
    """Whether one failed. sure: names that were given, and not found by a pattern."""
    failed = False
    for name in names:
        try:
            sa.delete(name, missing_ok=name not in sure)
        except (OSError, ValueError) as error:
            errors.tell(name, error)
            failed = True
    return failed


def run(arguments):
    if not arguments.names and not arguments.pattern:
        raise errors.Usage("delete: give names, or --pattern")
    asks = not arguments.yes and not arguments.dry_run
    terminal = sys.stdin.isatty()
    if asks and arguments.pattern and not terminal:
        raise errors.Usage(
            "delete: --pattern needs --yes where nobody can be asked; "
            "--dry-run shows what it would delete"
        )
    names, failed = _expand(arguments)
    if arguments.dry_run or (asks and terminal and (len(names) > 1 or arguments.pattern)):
        found, missing = details.look_up(names)
        failed = failed or missing
        names = [array.name for array in found]
        if arguments.dry_run:
            for name in names:
                print(f"would delete {text.quoted(name)}")
            return int(failed)
        if names and not _is_wanted(found):
            errors.say("nothing was deleted")
            return 1
    return int(_delete(names, set(arguments.names)) or failed)
