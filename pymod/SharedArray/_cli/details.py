# SPDX-License-Identifier: BSD-3-Clause
"""sharr info."""

import os
import time

from . import arrays, errors, listing, processes, text


def group_name(gid):
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _created(array):
    if array.info.created is None:
        return "unknown: made by SharedArray 3.x"
    moment = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(array.info.created))
    return f"{moment} ({text.age(array.age)} ago)"


def _process(pid):
    command = processes.command(pid)
    return f"{pid} {text.quoted(os.fsencode(command))}" if command else str(pid)


def _creator(array):
    if array.info.creator is None:
        return "unknown"
    if array.has_creator:
        return _process(array.info.creator)
    return f"{array.info.creator} (does not run here any more)"


def _by_root():
    return ": ask as root" if os.geteuid() else ""


def _attached(array):
    lines = [_process(pid) for pid in array.pids]
    if array.attachments.unreadable:
        lines.append("? (not every process may be looked at" + _by_root() + ")")
    return lines or ["by no process"]


def _facts(array):
    info = array.info
    yield "name", text.quoted(array.name)
    yield "file", text.quoted(os.path.abspath(array.file))
    yield "dtype", str(info.dtype)
    yield "shape", array.shape
    yield "order", info.order
    yield "size", f"{text.size(info.nbytes)} ({info.nbytes} bytes)"
    yield "takes", f"{text.size(array.taken_bytes)} of the file system"
    yield "owner", f"{array.owner} ({info.owner})"
    yield "group", f"{group_name(info.group)} ({info.group})"
    yield "mode", f"{info.mode:04o}"
    yield "created", _created(array)
    yield "creator", _creator(array)
    for line in _attached(array):
        yield "attached", line


def look_up(names):
    """(the arrays, whether one of them failed, which has been said then)."""
    found, failed = [], False
    for name in names:
        try:
            found.append(arrays.Array(name))
        except (OSError, ValueError) as error:
            errors.tell(name, error)
            failed = True
    arrays.look_at_maps(found)
    return found, failed


def run(arguments):
    found, failed = look_up(arguments.names)
    if arguments.json:
        listing.print_json(array.as_json() for array in found)
    else:
        for i, array in enumerate(found):
            if i:
                print()
            for title, value in _facts(array):
                print(text.coloured(f"{title + ':':<10}", 1) + value)
    return int(failed)
