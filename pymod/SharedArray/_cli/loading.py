# SPDX-License-Identifier: BSD-3-Clause
"""sharr load: the file is read into an array that gets its name when it is whole."""

import os

import SharedArray as sa

from . import errors, store
from .npy import read_header
from .progress import bar
from .text import quoted

_STEP_BYTES = 8 << 20


def _fill(data, stream, file):
    with bar(file, len(data)) as advance:
        done = 0
        while done < len(data):
            count = stream.readinto(data[done : done + _STEP_BYTES])
            if not count:
                raise ValueError(f"it ends after {done} of {len(data)} bytes of data")
            done += count
            advance(count)


def _load(file, name, replace):
    with open(file, "rb") as stream:
        dtype, shape, order = read_header(stream)
        with sa.building(name, shape, dtype, order=order, replace=replace) as array:
            _fill(memoryview(array.base), stream, file)


def _name_of(file):
    leaf = os.path.basename(file)
    return leaf[:-4] if leaf.endswith(b".npy") else leaf


def _refuse_taken(name):
    """At once, and not after all has been read; that it is free still is found at the end."""
    if os.path.lexists(store.file_of(name)):
        raise FileExistsError(f"there is {quoted(name)} already: --replace takes its place")


def run(arguments):
    if arguments.name is not None and len(arguments.files) > 1:
        raise errors.Usage("load: --name is for one file")
    failed = False
    for file in arguments.files:
        name = _name_of(file) if arguments.name is None else arguments.name
        try:
            if not arguments.replace:
                _refuse_taken(name)
            _load(file, name, arguments.replace)
        except (OSError, ValueError, TypeError, MemoryError) as error:
            errors.tell(file, error)
            failed = True
    return int(failed)
