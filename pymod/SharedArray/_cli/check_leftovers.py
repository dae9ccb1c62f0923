# SPDX-License-Identifier: BSD-3-Clause
"""sharr doctor: what lies in the store and may be of no use any more."""

import os
import re
import time

from . import store, text
from .findings import ok, warn

# What a file is called while an array is being made, where the file system knows no O_TMPFILE, or
# takes another's place.
_HIDDEN = re.compile(rb"\.sharr~[0-9a-f]{40}")

# PROC_PID_INIT_INO, the same in every Linux.
_FIRST_PID_NAMESPACE = 0xEFFFFFFC

# Younger ones may be in use.
_YOUNG_S = 60

# Arrays that are to stay when their creator ends are normal; they are worth a warning once they
# take this part of the store.
_MUCH = 0.1


def _hidden_files(folder):
    """(path, bytes) of those that are left over."""
    for where, _, files in os.walk(folder):
        for file in filter(_HIDDEN.fullmatch, files):
            path = os.path.join(where, file)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if time.time() - found.st_mtime > _YOUNG_S:
                yield path, found.st_blocks * 512


def hidden():
    found = list(_hidden_files(store.path()))
    if not found:
        return ok("leftovers", "no half-made array lies about")
    total = text.size(sum(count for _, count in found))
    words = f"{text.count(len(found), 'half-made array')} ({total}) of processes that were killed"
    if len(found) <= 3:
        mend = "rm " + " ".join(text.quoted(path) for path, _ in found)
    else:
        mend = f"find {text.quoted(store.path())} -name '.sharr~*' -mmin +1 -delete"
    return warn("leftovers", words, mend)


def _is_in_container():
    """Are there processes outside that this one can't see?"""
    try:
        return os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE
    except OSError:
        return True


def unused(arrays):
    """Arrays whose creator is gone and that nobody maps."""
    found = [a for a in arrays if a.has_creator is False and not a.pids]
    if not found:
        return ok("unused", "every array has its creator, or somebody who maps it")
    taken = sum(array.taken_bytes for array in found)
    words = f"{text.count(len(found), 'array')} ({text.size(taken)}) without creator and users"
    if found[0].attachments.unreadable or _is_in_container():
        words += ", as far as can be seen from here"
    space = os.statvfs(store.path())
    if taken <= _MUCH * space.f_blocks * space.f_frsize:
        return ok("unused", words)
    largest = max(found, key=lambda array: array.taken_bytes)
    mend = (
        f"if they are not meant to stay: sharr delete {text.quoted(largest.name)} …, "
        "or all of them: sharr reap --dead-creator"
    )
    return warn("unused", words, mend)


def run(arrays):
    return [hidden(), unused(arrays)]
