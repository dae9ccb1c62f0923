# SPDX-License-Identifier: BSD-3-Clause
"""Which file is behind a name: what lib/store.c and lib/name.c do, for looking at the file."""

import os


def path():
    """The store's directory, bytes."""
    chosen = os.environb.get(b"SHARR_STORE")
    if chosen:
        return chosen.rstrip(b"/") or b"/"
    if os.path.exists("/dev/shm"):
        return b"/dev/shm"
    runtime = os.environb.get(b"XDG_RUNTIME_DIR", b"")
    return runtime + b"/sharr" if runtime[:1] == b"/" else b"/tmp/sharr-%d" % os.geteuid()


def name_in_store(name):
    """`name` (bytes) without its prefix, or None if it is that of a file elsewhere."""
    if name.startswith(b"file://"):
        return None
    prefix = b"shm://"
    return (name[len(prefix) :] if name.startswith(prefix) else name).lstrip(b"/")


def group_of(text):
    """A group (bytes, or None for the store) as the library takes it, however it was written."""
    if text is None:
        return None
    inside = name_in_store(text)
    return (text if inside is None else inside).rstrip(b"/") or None


def file_of(name):
    inside = name_in_store(name)
    return name[len(b"file://") :] if inside is None else os.path.join(path(), inside)


def is_missing_for(name):
    return name_in_store(name) is not None and not os.path.isdir(path())
