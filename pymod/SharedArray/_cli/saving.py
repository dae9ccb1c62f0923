# SPDX-License-Identifier: BSD-3-Clause
"""sharr save: the array's map is written to a hidden file, which gets its name when it is whole."""

import contextlib
import os
import secrets
import signal
import sys

import SharedArray as sa

from . import errors, store
from .npy import header_of
from .progress import bar
from .text import quoted

_STEP_BYTES = 8 << 20


def _write_all(stream, view):
    while view:
        view = view[stream.write(view) :]


def _write(stream, name, array):
    data = memoryview(array.base)
    _write_all(stream, memoryview(header_of(array)))
    with bar(name, len(data)) as advance:
        for start in range(0, len(data), _STEP_BYTES):
            piece = data[start : start + _STEP_BYTES]
            _write_all(stream, piece)
            advance(len(piece))
    os.fsync(stream.fileno())


def _sync_folder(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError:
        pass  # some file systems know no such thing
    finally:
        os.close(fd)


@contextlib.contextmanager
def _beside(target):
    """A new file in the same directory, which becomes `target` if the block does not raise."""
    folder = os.path.dirname(target) or b"."
    hidden = os.path.join(folder, b".sharr-save-" + secrets.token_hex(8).encode())
    try:
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from error
    try:
        with open(fd, "wb", buffering=0) as stream:
            yield stream
        os.replace(hidden, target)
    except OSError as error:
        os.unlink(hidden)
        raise OSError(error.errno, error.strerror, target) from error
    except BaseException:
        os.unlink(hidden)
        raise
    _sync_folder(folder)


def _save(name, target):
    array = sa.attach(name, readonly=True)
    if array.dtype.isbuiltin == 2:  # registered by a package
        errors.say(
            f"{quoted(name)}: an .npy file can't tell {array.dtype}: {quoted(target)} will read "
            f"as {array.dtype.str}, to be viewed as that"
        )
    with _beside(target) as stream:
        _write(stream, name, array)


def _target(name, output, is_file):
    if is_file:
        return output
    inside = store.name_in_store(name)
    leaf = os.path.basename(name if inside is None else inside)
    return os.path.join(output, leaf + b".npy")


def _targets(names, output):
    is_file = not output.endswith(b"/") and not os.path.isdir(output)
    if is_file and len(names) > 1:
        raise errors.Usage(
            f"save: {quoted(output)} is no directory, and {len(names)} arrays do not fit one file"
        )
    targets = {}
    for name in dict.fromkeys(names):
        target = _target(name, output, is_file)
        if target in targets.values():
            raise errors.Usage(f"save: two of these would be {quoted(target)}")
        targets[name] = target
    return targets


def run(arguments):
    # So that what is written half is removed as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    failed = False
    for name, target in _targets(arguments.names, arguments.output).items():
        try:
            _save(name, target)
        except (OSError, ValueError, TypeError, MemoryError) as error:
            errors.tell(name, error)
            failed = True
    return int(failed)
