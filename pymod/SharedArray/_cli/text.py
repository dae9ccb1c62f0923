# SPDX-License-Identifier: BSD-3-Clause
"""Sizes, ages and names as people read them."""

import os
import shlex
import sys
import unicodedata

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}

# What means something to a shell anywhere in a word.
_SPECIAL = frozenset(" \"'\\$`*?[]|&;<>()!")


def _escaped(character):
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def quoted(name):
    """A name (bytes) on one line, and as a shell takes it back."""
    text = name.decode("utf-8", "surrogateescape")
    if not text.isprintable():
        return "$'" + "".join(map(_escaped, text)) + "'"
    special = not text or text[0] in "~#" or any(c in _SPECIAL for c in text)
    return shlex.quote(text) if special else text


def for_json(name):
    """A name (bytes) as str: each byte that is not UTF-8 is one of U+DC80 to U+DCFF."""
    return name.decode("utf-8", "surrogateescape")


def size(count):
    """Bytes, in units of 1024."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        value /= 1024
        if value < 999.5 or unit == "EiB":
            break
    return f"{value:.0f} {unit}" if value >= 99.95 else f"{value:.1f} {unit}"


def age(seconds):
    """One number and its unit."""
    if seconds is None:
        return "?"
    for unit, length in (("y", 31557600), ("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(int(seconds), 0)}s"


def count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def width(text):
    """Columns that a terminal needs for it."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def cut(text, columns):
    """At most so many columns of it."""
    if width(text) <= columns:
        return text
    while text and width(text) >= columns:
        text = text[:-1]
    return text + "…"


def has_colour(stream=None):
    stream = stream or sys.stdout
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def coloured(text, code):
    return f"\x1b[{code}m{text}\x1b[0m" if has_colour() else text
