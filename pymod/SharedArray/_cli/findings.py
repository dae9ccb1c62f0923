# SPDX-License-Identifier: BSD-3-Clause
"""What the checks of `sharr doctor` find."""

from collections import namedtuple

OK, WARN, FAIL = "OK", "WARN", "FAIL"

# mend: the command that helps, or None.
Finding = namedtuple("Finding", "check status text mend")


def ok(check, text):
    return Finding(check, OK, text, None)


def warn(check, text, mend):
    return Finding(check, WARN, text, mend)


def fail(check, text, mend):
    return Finding(check, FAIL, text, mend)


def read(path):
    """The text of a small file of the system, without the newline; None if it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return None
