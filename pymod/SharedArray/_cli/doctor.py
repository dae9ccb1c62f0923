# SPDX-License-Identifier: BSD-3-Clause
"""sharr doctor."""

from . import arrays, check_fuse, check_leftovers, check_limits, check_store, listing
from .findings import FAIL, OK, WARN, fail
from .text import coloured

_COLOURS = {OK: 32, WARN: 33, FAIL: 31}


def _findings():
    found = check_store.run()
    present = []
    if found[0].status != FAIL:
        try:
            present = arrays.every()
        except OSError as error:
            found.append(fail("arrays", f"can't be listed: {error.strerror}", None))
        else:
            found += check_leftovers.run(present)
    return found + check_limits.run(len(present)) + check_fuse.run()


def _print(finding):
    mark = coloured(f"{finding.status:<5}", _COLOURS[finding.status])
    print(f"{mark} {finding.check:<12} {finding.text}")
    if finding.mend:
        print(f"{'':<18} -> {finding.mend}")


def run(arguments):
    found = _findings()
    if arguments.json:
        listing.print_json(finding._asdict() for finding in found)
    else:
        for finding in found:
            _print(finding)
    return int(any(finding.status == FAIL for finding in found))
