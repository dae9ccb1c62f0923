# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of every kind, saved and restored by the programs that people have for files."""

from __future__ import annotations

import os
import stat
import subprocess

import ml_dtypes
import numpy as np
import pytest
from support.build import native_environment
from support.wait import soon

pytestmark = pytest.mark.fuse

PADDED = np.dtype([("a", "i1"), ("b", "<f8"), ("c", ">u2", (3,)), ("d", "S5")], align=True)
ARRAYS = {
    "C": np.arange(24.0).reshape(2, 3, 4),
    "Fortran": np.asfortranarray(np.arange(24, dtype="<i2").reshape(4, 6)),
    "structured": np.array([(1, 2.5, (3, 4, 5), b"x"), (-1, 7, (8, 9, 1), b"yz")], PADDED),
    "dates": np.array(["2020-01-01T00:00:00.123456789", "NaT"], "<M8[ns]"),
    "bool": np.array([[True, False, True]]),
    "scalar": np.array(7.5),
    "empty": np.zeros((3, 0, 2), "<f4"),
    "big-endian": np.arange(5, dtype=">u8"),
    "text": np.array(["a", "bcd", "é€"]),
    "bfloat16": np.arange(7).astype(ml_dtypes.bfloat16).reshape(1, 7),
    "odd name, [1] é": np.arange(3),
    "large": np.random.default_rng(1).random((301, 1001)),
}
ATTRS = {"units": b"m/s", "axes": b"x,y", "raw": bytes(range(256)), "none": b""}


def fill(sa, store, mounted):
    """All of them, each with a mode, a time and attributes of its own."""
    os.mkdir(store / "group")
    for i, (name, array) in enumerate(ARRAYS.items()):
        sa.put(f"shm://group/{name}", array)
        for attribute, value in ATTRS.items():
            os.setxattr(mounted / "group" / name, f"user.{attribute}", value)
        os.chmod(store / "group" / name, 0o600 + i)
        os.utime(store / "group" / name, ns=(10**18, 10**18 + i * 1_000_000_007))
    # tar looks before and after it reads, and complains if a file has changed meanwhile
    for name in ("", *ARRAYS):
        soon(lambda name=name: changed_ns(mounted, name) == changed_ns(store, name))


def changed_ns(at, name):
    return os.stat(at / "group" / name).st_ctime_ns


def check(sa, store, mounted, kept=True):
    assert set(os.listdir(mounted / "group")) == set(ARRAYS)
    for i, (name, array) in enumerate(ARRAYS.items()):
        found = np.asarray(sa.attach(f"file://{store}/group/{name}"))
        assert (found.dtype, found.shape) == (array.dtype, array.shape), name
        assert found.tobytes("A") == array.tobytes("A"), name
        assert found.flags.c_contiguous == array.flags.c_contiguous, name
        assert found.flags.f_contiguous == array.flags.f_contiguous, name
        shown = {a: os.getxattr(mounted / "group" / name, f"user.{a}") for a in ATTRS}
        assert shown == ATTRS, name
        seen = os.stat(store / "group" / name)
        if kept:
            assert stat.S_IMODE(seen.st_mode) == 0o600 + i, name
            assert seen.st_mtime_ns == 10**18 + i * 1_000_000_007, name


def run(script, folder, **paths):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**native_environment(), **{name: str(path) for name, path in paths.items()}},
    )
    assert (done.returncode, done.stderr) == (0, "")


TAR = "tar --xattrs --xattrs-include='user.*'"
THROUGH_THE_MOUNT = {
    "cp -a": 'cp -a "$from/group" saved; cp -a saved "$to/group"',
    "cp -a of each": 'cp -a "$from"/group .; mkdir "$to/group"; cp -a group/* "$to/group"',
    "cp -a straight": 'cp -a "$from/group" "$to"',
    "rsync": 'rsync -aX "$from/group" saved/; rsync -aX saved/ "$to"',
    "rsync in place": 'rsync -aX "$from/" saved/; rsync -aX --inplace saved/ "$to/"',
    "rsync straight": 'rsync -aX "$from/" "$to/"',
    "rsync again": 'rsync -aX "$from/" "$to/"; rsync -aXc "$from/" "$to"; rsync -aX "$from/" "$to"',
    "tar": f'{TAR} -C "$from" -cf t group; {TAR} -C "$to" -xpf t',
    "tar by a folder": f'{TAR} -C "$from" -cf t .; mkdir saved; {TAR} -C saved -xpf t;'
    f'{TAR} -C saved -cf t2 group; {TAR} -C "$to" -xpf t2',
    "tar in a pipe": f'{TAR} -C "$from" -cz group | {TAR} -C "$to" -xpz',
    "mv": 'cp -a "$from/group" saved; mv saved "$to/group"',
    "mv straight": 'mv "$from/group" "$to/group"',
}


@pytest.mark.parametrize("script", THROUGH_THE_MOUNT.values(), ids=THROUGH_THE_MOUNT)
def test_saved_and_restored_through_the_mount(sa, store, mount, area, either, script):
    other = store()
    restored = mount(other, f"io={either.xattr('io')}")
    (area / "work").mkdir()
    fill(sa, store, either)
    run(script, area / "work", **{"from": either, "to": restored})
    check(sa, other, restored)


# (the commands, whether mode and time are kept)
OF_THE_STORE = {
    "cp": ('cp -r "$from/group" saved; cp -r saved "$to/group"', False),
    "cp -p": ('cp -rp "$from/group" saved; cp -rp saved "$to/group"', True),
    "cp -a": ('cp -a "$from/group" "$to/group"', True),
    "cp sparse": (
        'cp -rp --reflink=auto --sparse=always "$from/group" saved;'
        ' cp -rp --reflink=auto --sparse=always saved "$to/group"',
        True,
    ),
    "mv": ('mv "$from/group" saved; mv saved "$to/group"', True),
    "tar": ('tar --format=posix -C "$from" -cf t group; tar -C "$to" -xpf t', True),
    "tar sparse": ('tar --format=posix -C "$from" -cSf t group; tar -C "$to" -xpf t', True),
    "rsync": ('rsync -a "$from/" saved/; rsync -a saved/ "$to"', True),
    "rsync sparse": ('rsync -aS "$from/" "$to"', True),
    "dd": (
        'mkdir "$to/group"; cd "$from/group";'
        ' for f in *; do dd if="$f" of="$to/group/$f" bs=70001 status=none; done',
        False,
    ),
    "cat": (
        'mkdir "$to/group"; cd "$from/group"; for f in *; do cat "$f" > "$to/group/$f"; done',
        False,
    ),
}


@pytest.mark.parametrize(("script", "kept"), OF_THE_STORE.values(), ids=OF_THE_STORE)
def test_files_of_the_store_saved_and_restored(sa, store, mount, area, either, script, kept):
    other = store()
    restored = mount(other, f"io={either.xattr('io')}")
    (area / "work").mkdir()
    fill(sa, store, either)
    run(script, area / "work", **{"from": store, "to": other})
    check(sa, other, restored, kept)


def test_what_is_only_data_elsewhere_comes_back_as_bytes(sa, store, area, either):
    """Without attributes there is nothing that says what they are."""
    array = np.arange(24.0).reshape(4, 6)
    sa.put("x", array)
    run('cp "$m/x" saved; cp saved "$m/y"', area, m=either)
    found = sa.attach("y")
    assert (found.dtype, found.tobytes()) == (np.uint8, array.tobytes())
    os.setxattr(either / "y", "user.sharr.dtype", b"<f8")
    os.setxattr(either / "y", "user.sharr.shape", b"4,6")
    assert sa.attach("y").tolist() == array.tolist()


def test_name_of_an_extension_dtype_is_an_attribute(sa, either, errno_of):
    sa.put("x", ARRAYS["bfloat16"])
    sa.put("y", np.zeros(7, "V2"))
    sa.put("z", np.zeros(7, "<i2"))
    name = "user.sharr.dtype_name"
    assert os.getxattr(either / "x", name) == b"ml_dtypes.bfloat16"
    assert name in os.listxattr(either / "x")
    assert name not in os.listxattr(either / "y")
    assert errno_of(os.getxattr, either / "y", name) == "ENODATA"
    for value in (b"ml_dtypes.bfloat16", b""):
        os.setxattr(either / "y", name, value)
        assert sa.attach("y").dtype == (ARRAYS["bfloat16"].dtype if value else "V2")
    for value in (b"a b", b"a\0", b"x" * 64, "é".encode()):
        assert errno_of(os.setxattr, either / "y", name, value) == "EINVAL"
    assert errno_of(os.setxattr, either / "z", name, b"ml_dtypes.bfloat16") == "EINVAL"
    assert errno_of(os.removexattr, either / "x", name) == "EPERM"
    os.setxattr(either / "x", "user.sharr.dtype", b"<i2")
    assert name not in os.listxattr(either / "x")
