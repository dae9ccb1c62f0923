# SPDX-License-Identifier: BSD-3-Clause
"""An array as the command sees it: what the library tells of it, its file, and who maps it."""

import os
import pwd
import time
from functools import cache

import SharedArray as sa

from . import mounts, processes, store, text

# What an array may turn into between the listing and a second look.
_PASSING = (FileNotFoundError, PermissionError, sa.NotAnArrayError)


@cache
def owner_name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class Array:
    """The array `name` (bytes); OSError if there is none. attachments: set by look_at_maps()."""

    __slots__ = ("attachments", "file", "info", "inode", "name", "taken_bytes")

    def __init__(self, name):
        self.name = name
        self.info = sa.info(name, attached=False)
        self.file = store.file_of(name)
        found = os.stat(self.file)
        self.inode = found.st_ino
        self.taken_bytes = found.st_blocks * 512
        self.attachments = None

    @property
    def folder(self):
        inside = store.name_in_store(self.name) is not None
        return os.path.dirname(self.file if inside else os.path.realpath(self.file))

    @property
    def owner(self):
        return owner_name(self.info.owner)

    @property
    def age(self):
        created = self.info.created
        return None if created is None else max(time.time() - created, 0)

    @property
    def pids(self):
        return self.attachments.of(self.inode)

    @property
    def attached(self):
        return self.attachments.text(self.inode)

    @property
    def shape(self):
        return str(self.info.shape)

    @property
    def has_creator(self):
        """Does the process that made it run? None if nobody knows who that was."""
        creator = self.info.creator
        return None if creator is None else processes.is_running_since(creator, self.info.created)

    def as_json(self):
        from numpy.lib.format import dtype_to_descr

        info = self.info
        return {
            "name": text.for_json(self.name),
            "file": text.for_json(os.path.abspath(self.file)),
            "dtype": str(info.dtype),
            "descr": dtype_to_descr(info.dtype),
            "shape": list(info.shape),
            "order": info.order,
            "nbytes": info.nbytes,
            "taken_bytes": self.taken_bytes,
            "owner": self.owner,
            "uid": info.owner,
            "gid": info.group,
            "mode": f"{info.mode:04o}",
            "created": info.created,
            "creator": info.creator,
            "creator_running": self.has_creator,
            "attached": self.pids,
            "unreadable_processes": self.attachments.unreadable,
        }


def look_at_maps(arrays):
    """Find out who maps them: every process is looked at once for each file system."""
    folders = {}
    for array in arrays:
        folders.setdefault(array.folder, []).append(array)
    known = {}
    for folder, inside in folders.items():
        devices = frozenset(mounts.family(folder))
        if devices not in known:
            known[devices] = processes.Attachments(devices)
        for array in inside:
            array.attachments = known[devices]


def every(group=None):
    """The arrays of a group of the store, or those of the store, with who maps them."""
    arrays = []
    for name in names(group):
        try:
            arrays.append(Array(name))
        except _PASSING:
            continue
    look_at_maps(arrays)
    return arrays


def names(group=None):
    """Names of the arrays of a group, or of the store."""
    return [item.name for item in sa.list(group)]
