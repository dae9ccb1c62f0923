# SPDX-License-Identifier: BSD-3-Clause
"""sharr reap."""

import sys

import SharedArray as sa

from . import errors, text

_REMOVED = ("removed", "removable")


def _print(found, verbose):
    """Whether one could not be removed."""
    failed = False
    for name, outcome, why in found:
        line = f"{outcome} {text.quoted(name)}: {why}"
        if outcome == "failed":
            errors.say(line)
            failed = True
        elif verbose or outcome in _REMOVED:
            print(line)
    return failed


def _is_wanted(arguments):
    """Shows what would go and asks on the terminal. None: there is nothing."""
    found = sa.reap(dead_creator=True, dry_run=True, group=arguments.group)
    removable = [item for item in found if item.outcome == "removable"]
    _print(found if arguments.verbose else removable, arguments.verbose)
    if not removable:
        return None
    print(f"Remove {text.count(len(removable), 'array')}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def run(arguments):
    if arguments.dead_creator and not (arguments.yes or arguments.dry_run):
        if not sys.stdin.isatty():
            raise errors.Usage(
                "reap: --dead-creator needs --yes where nobody can be asked; "
                "--dry-run shows what it would remove"
            )
        wanted = _is_wanted(arguments)
        if not wanted:
            if wanted is not None:
                errors.say("nothing was removed")
            return int(wanted is not None)
    found = sa.reap(
        dead_creator=arguments.dead_creator, dry_run=arguments.dry_run, group=arguments.group
    )
    return int(_print(found, arguments.verbose))
