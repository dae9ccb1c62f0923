# SPDX-License-Identifier: BSD-3-Clause
"""The command line. What each command does is imported when it is asked for."""

import argparse
import importlib
import os

from .. import __version__

_NAMES = """Names are those of SharedArray: x, shm://x or group/x for arrays of the store
(SHARR_STORE, by default /dev/shm), file://path for any file. In JSON each byte of a name that is
not UTF-8 is one of the characters \\udc80 to \\udcff, as Python's surrogateescape has it."""

_SORTS = ("name", "size", "age", "owner", "dtype", "attached")


def _seconds(text):
    value = float(text)
    if not 0.05 <= value <= 86400:
        raise ValueError(text)
    return value


_seconds.__name__ = "number of seconds"  # how argparse calls it when it refuses one


def _add_list(commands):
    parser = commands.add_parser(
        "list",
        help="the arrays of the store",
        description="The arrays of the store, or of a group (directory) in it. ATTACHED is the "
        "number of processes that map the array; ? stands for those that could not be looked at, "
        "as those of other users unless root asks.",
    )
    parser.add_argument("group", nargs="?", metavar="GROUP", type=os.fsencode)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="an array of objects, with all there is")
    how.add_argument(
        "-0", "--null", action="store_true", help="names only, each ended by a NUL: for xargs -0"
    )
    how.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=2.0,
        help="again and again, by default every 2 seconds, until Ctrl-C",
    )
    parser.add_argument(
        "--sort",
        choices=_SORTS,
        default="name",
        help="by default name; size and attached: largest first; age: youngest first",
    )
    parser.add_argument("-r", "--reverse", action="store_true", help="in the opposite order")


def _add_info(commands):
    parser = commands.add_parser(
        "info", help="all that is known of arrays", description="All that is known of arrays."
    )
    parser.add_argument("names", nargs="+", metavar="NAME", type=os.fsencode)
    parser.add_argument("--json", action="store_true", help="an array of objects")


def _add_delete(commands):
    parser = commands.add_parser(
        "delete",
        help="delete arrays",
        description="Delete arrays. Processes that have one attached keep it. On a terminal it "
        "asks before it deletes several, or what a pattern matches.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", type=os.fsencode)
    parser.add_argument(
        "--pattern",
        action="append",
        default=[],
        metavar="GLOB",
        type=os.fsencode,
        help="all that match, such as 'run1-*'; with group/ in front, in that group",
    )
    parser.add_argument("-f", "--yes", action="store_true", help="never ask")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")


def _add_save(commands):
    parser = commands.add_parser(
        "save",
        help="store arrays as .npy files",
        description="Store arrays as .npy files, each named as its array. A file of that name is "
        "replaced when the new one is whole.",
    )
    parser.add_argument("names", nargs="+", metavar="NAME", type=os.fsencode)
    parser.add_argument(
        "-o",
        dest="output",
        metavar="DIR|FILE.npy",
        type=os.fsencode,
        default=b".",
        help="the directory; or, for one array, the file",
    )


def _add_load(commands):
    parser = commands.add_parser(
        "load",
        help="make arrays of .npy files",
        description="Make arrays of .npy files, each named as its file is without .npy. No one "
        "sees an array before it is whole.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE.npy", type=os.fsencode)
    parser.add_argument("--name", metavar="NAME", type=os.fsencode, help="of one file: the array's")
    parser.add_argument(
        "--replace", action="store_true", help="take the place of arrays of that name"
    )


def _add_reap(commands):
    parser = commands.add_parser(
        "reap",
        help="remove what dead processes left",
        description="Remove ephemeral arrays that nobody holds any more; with --dead-creator also "
        "arrays whose creator is gone and that no process maps. What is in doubt is kept.",
    )
    parser.add_argument("group", nargs="?", metavar="GROUP", type=os.fsencode)
    parser.add_argument(
        "--dead-creator",
        action="store_true",
        help="also arrays whose creator is gone and that no process maps; asks on a terminal",
    )
    parser.add_argument("-f", "--yes", action="store_true", help="never ask")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of what is kept, too")


def _add_doctor(commands):
    parser = commands.add_parser(
        "doctor",
        help="what limits this machine, and what mends it",
        description="What limits this machine, and the command that mends it. The exit code is 1 "
        "if the store cannot be used.",
    )
    parser.add_argument("--json", action="store_true", help="an array of objects")


# Command: (what adds it, the module of this package whose run(arguments) does it).
_COMMANDS = {
    "list": (_add_list, "listing"),
    "info": (_add_info, "details"),
    "delete": (_add_delete, "deletion"),
    "save": (_add_save, "saving"),
    "load": (_add_load, "loading"),
    "reap": (_add_reap, "reaping"),
    "doctor": (_add_doctor, "doctor"),
}


def _parser():
    parser = argparse.ArgumentParser(
        prog="sharr", description="Shared numpy arrays as files.", epilog=_NAMES
    )
    parser.add_argument("--version", action="version", version=f"sharr {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add, _ in _COMMANDS.values():
        add(commands)
    return parser


def run(argv):
    arguments = _parser().parse_args(argv)
    module = importlib.import_module(f".{_COMMANDS[arguments.command][1]}", __package__)
    return module.run(arguments)
