# SPDX-License-Identifier: BSD-3-Clause
"""Every operation by three users on arrays of every owner and mode in directories of every owner
and mode: the mount answers each with the store's own errno, and leaves what the store would.

Each operation has a directory of its own, twice: one is used in the store, the other in the mount.
The ordinary run takes some of the cases, --slow all of them.
"""

from __future__ import annotations

import itertools
import os
import random
import struct

import numpy as np
import pytest

pytestmark = [pytest.mark.fuse, pytest.mark.root]

ROOT, ANNA, BERT = 0, 20_001, 20_002
USERS = {"root": ROOT, "anna": ANNA, "bert": BERT}

OPERATIONS = {
    "stat": "os.stat(d + '/x')",
    "list": "os.listdir(d)",
    "read": "os.close(os.open(d + '/x', os.O_RDONLY))",
    "write": "os.close(os.open(d + '/x', os.O_WRONLY))",
    "both": "os.close(os.open(d + '/x', os.O_RDWR))",
    "append": "os.close(os.open(d + '/x', os.O_WRONLY | os.O_APPEND))",
    "open or create": "os.close(os.open(d + '/x', os.O_RDWR | os.O_CREAT))",
    "may": "[os.access(d + '/x', how) or raise_(EACCES) for how in (os.R_OK, os.W_OK)]",
    "may execute": "os.access(d + '/x', os.X_OK) or raise_(EACCES)",
    "create": "os.close(os.open(d + '/new', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))",
    "mkdir": "os.mkdir(d + '/made', 0o750)",
    "rmdir": "os.rmdir(d + '/sub')",
    "unlink": "os.unlink(d + '/x')",
    "rename": "os.rename(d + '/x', d + '/z')",
    "rename onto": "os.rename(d + '/y', d + '/x')",
    "rename into": "os.rename(d + '/x', d + '/sub/x')",
    "rename the group": "os.rename(d + '/sub', d + '/bus')",
    "chmod": "os.chmod(d + '/x', 0o604)",
    "chmod of the group": "os.chmod(d, 0o711)",
    "give away": "os.chown(d + '/x', 20_002, -1)",
    "give to a group": "os.chown(d + '/x', -1, 20_001)",
    "touch": "os.utime(d + '/x')",
    "date back": "os.utime(d + '/x', (5, 6))",
    "cut to its size": "os.truncate(d + '/x', os.stat(d + '/x').st_size)",
}

# Owner and mode of the directory; the other array in it, y, is Anna's.
DIRECTORIES = [
    *itertools.product([ROOT, ANNA], [0o1777, 0o777, 0o755, 0o711]),
    *itertools.product([ROOT, ANNA], [0o1775, 0o2775, 0o750, 0o700, 0o733]),
]
# Owner, group and mode of the array.
ARRAYS = list(
    itertools.product(
        [ROOT, ANNA], [ROOT, ANNA, BERT], [0o600, 0o644, 0o640, 0o666, 0o060, 0o006, 0o460, 0o755]
    )
)
# The group of the directory is Bert's where it matters: his is the group's way in.
CASES = [(directory, array) for directory in DIRECTORIES for array in ARRAYS]
FEW = 30

ATTEMPT = """
def raise_(code): raise OSError(code, "")
def attempt(folder, operations):
    told = {}
    for name, statement in operations.items():
        d = f"{folder}-{name}"
        code = None
        try: eval(statement, {**globals(), "d": d})
        except OSError as error: code = errno.errorcode[error.errno]
        told[name] = code
    return told
"""


@pytest.fixture(params=[pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"])
def shared(request, mount, store):
    os.chmod(store, 0o755)
    return mount(store, f"io={request.param}", "allow_other")


@pytest.fixture
def users(python):
    """Of each what it is told of all operations in directories called `folder-OPERATION`."""

    def start(uid):
        process = python(uid=uid or None)
        process.run("import errno\nfrom errno import EACCES\n" + ATTEMPT)
        return lambda folder: process.run(
            "attempt(folder, operations)", folder=str(folder), operations=OPERATIONS
        )

    return {name: start(uid) for name, uid in USERS.items()}


def own(path, uid, gid, mode):
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def set_acl(path, entries):
    """(tag, permissions, id) of each, as the kernel has them; 0xffffffff: none."""
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", packed)


def make(sa, folder, directory, array, acl):
    os.mkdir(folder)
    os.mkdir(folder / "sub")
    os.chown(folder / "sub", ANNA, ANNA)
    sa.put(f"file://{folder}/x", np.arange(3))
    sa.put(f"file://{folder}/y", np.arange(3))
    own(folder / "y", ANNA, ANNA, 0o644)
    own(folder / "x", *array)
    if acl:
        set_acl(folder / "x", acl)
    own(folder, directory[0], BERT, directory[1])


def left(folder):
    """Names, owners, groups, modes, sizes and whether the date was set, as the store has them."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        status = os.stat(path)
        what = (status.st_uid, status.st_gid, oct(status.st_mode), status.st_mtime == 6)
        found["" if path == folder else str(path.relative_to(folder))] = what
    return found


def outcome(sa, shared, user, number, directory, array, acl):
    """Of each operation, (errno, what is left) in the store and in the mount."""
    places = {}
    for side in ("store", "mount"):
        for name in OPERATIONS:
            make(sa, shared.store / f"{side}-{number}-{name}", directory, array, acl)
        told = user((shared.store if side == "store" else shared) / f"{side}-{number}")
        for name in OPERATIONS:
            folder = shared.store / f"{side}-{number}-{name}"
            places.setdefault(name, []).append((told[name], left(folder)))
    return places


def cleared(store):
    for folder in sorted(store.path.iterdir()):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()


def chosen(request, cases):
    return cases if request.config.getoption("--slow") else random.Random(1).sample(cases, FEW)


def test_the_mount_gives_what_the_store_would(request, sa, shared, users):
    wrong, count = [], 0
    for number, (directory, array) in enumerate(chosen(request, CASES)):
        for who, user in users.items():
            places = outcome(sa, shared, user, f"{number}-{who}", directory, array, None)
            count += len(places)
            case = f"{who}: array of {array[:2]} {array[2]:o} in {directory[0]} {directory[1]:o}"
            for name, (store, mount) in places.items():
                if store != mount:
                    wrong.append(f"{case}: {name}: {store} in the store, {mount} in the mount")
        cleared(shared.store)
    assert not wrong, "\n".join([f"{len(wrong)} of {count}", *wrong[:20]])
    print(f"{count} operations alike")


NONE = 0xFFFFFFFF
OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ACLS = [
    [(OWNER, 6, NONE), (USER, b, BERT), (GROUP_OWNER, g, NONE), (MASK, m, NONE), (OTHER, o, NONE)]
    for b, g, m, o in itertools.product([0, 4, 6], [0, 4, 6], [0, 4, 6], [0, 4, 6])
]


def test_with_an_acl_the_mount_grants_nothing_that_the_store_would_not(request, sa, shared, users):
    wrong, count = [], 0
    array = (ANNA, ANNA, 0o666)
    for number, acl in enumerate(chosen(request, ACLS)):
        for who, user in users.items():
            places = outcome(sa, shared, user, f"{number}-{who}", (ROOT, 0o777), array, acl)
            count += len(places)
            for name, (store, mount) in places.items():
                if store != mount and mount[0] is None:
                    wrong.append(f"{who}, {acl}: {name}: {store} and {mount}")
        cleared(shared.store)
    assert not wrong, "\n".join([f"{len(wrong)} of {count}", *wrong[:20]])
    print(f"{count} operations granted nothing more")
