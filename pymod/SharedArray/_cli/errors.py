# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong, said in one line on stderr."""

import os
import sys

from .. import NotAnArrayError
from . import store
from .text import quoted


class Usage(Exception):
    """The command was called wrongly: exit code 2."""


def say(text):
    print(f"sharr: {text}", file=sys.stderr)


def _words(error, about):
    if isinstance(error, MemoryError):
        return str(error) or "out of memory"
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    if isinstance(error, NotAnArrayError):
        return "there is a file of that name, but it holds no array"
    words = error.strerror or str(error)
    if error.filename is not None and os.fsencode(error.filename) != about:
        words = f"{quoted(os.fsencode(error.filename))}: {words}"
    return words


def tell(name, error):
    """Say what was wrong with `name` (bytes, or None)."""
    words = _words(error, name)
    if isinstance(error, FileNotFoundError) and store.is_missing_for(name or b""):
        words = f"there is no store {quoted(store.path())}: make it, or set SHARR_STORE"
    say(words if name is None else f"{quoted(name)}: {words}")
