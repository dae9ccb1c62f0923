# SPDX-License-Identifier: BSD-3-Clause
"""Library, module and mount against a plain model: whatever is done on either side, in any order,
both sides show what the model says."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
from dataclasses import dataclass, field

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

pytestmark = pytest.mark.fuse

NOREPLACE, EXCHANGE = 1, 2
NAMES = st.sampled_from(["a", "b", "g/a", "g/b"])
SIDES = st.sampled_from(["store", "mount", "process"])
BOTH = st.sampled_from(["store", "mount"])
KEYS = st.sampled_from(["units", "axes", "sharrext"])
DTYPES = st.sampled_from(["|u1", "<i2", ">i4", "<f8", "<c16", "|S3", "<M8[s]"])
SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (0, 2), (500,), (40, 30), (64, 16, 2)])


PUT = """
array = np.frombuffer(bytes.fromhex(raw), dtype).reshape(shape, order=order)
a = sa.put(uri, array, replace=replace)
"""


@dataclass
class Array:
    data: bytearray
    dtype: str
    shape: tuple
    order: str
    mode: int
    attrs: dict = field(default_factory=dict)


def filled(dtype: str, shape: tuple, order: str, seed: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
    raw = np.random.default_rng(seed).integers(1, 100, count, np.uint8)
    return raw.view(dtype).reshape(shape, order=order) if count else np.zeros(shape, dtype)


def order_of(array: np.ndarray) -> str:
    return "F" if array.flags.fnc else "C"


class Machine(RuleBasedStateMachine):
    def __init__(self, sa, store, remount, process) -> None:
        super().__init__()
        self.sa, self.store, self.remount, self.process = sa, store, remount, process
        self.mount = remount(None)
        self.arrays: dict[str, Array] = {}
        self.group = False

    # What the model says of a name

    def has_group(self, name: str) -> bool:
        return self.group or not name.startswith("g/")

    def place(self, side: str, name: str) -> str:
        return os.path.join(self.mount if side == "mount" else self.store, name)

    def must(self, number: int, call, *arguments, **keywords) -> bool:
        """Whether it was done, which it must be if number is 0; else it must fail with that."""
        found = 0
        try:
            call(*arguments, **keywords)
        except OSError as error:
            found = error.errno
        assert errno.errorcode.get(found, "done") == errno.errorcode.get(number, "done")
        return found == 0

    def missing(self, name: str) -> int:
        return 0 if name in self.arrays else errno.ENOENT

    def made(self, name: str, array: np.ndarray, data: bytes) -> None:
        mode = os.stat(self.store / name).st_mode & 0o7777
        self.arrays[name] = Array(
            bytearray(data), array.dtype.str, array.shape, order_of(array), mode
        )

    # Making and deleting

    @rule(name=NAMES, side=SIDES, replace=st.booleans(), dtype=DTYPES, shape=SHAPES,
          order=st.sampled_from("CF"), seed=st.integers(0, 99))  # fmt: skip
    def put(self, name, side, replace, dtype, shape, order, seed):
        array = filled(dtype, shape, order, seed)
        due = 0 if self.has_group(name) else errno.ENOENT
        if not due and name in self.arrays and not replace:
            due = errno.EEXIST
        uri = f"file://{self.place(side, name)}"
        if side == "process" and array.size:
            how = {
                "uri": uri,
                "raw": array.tobytes("A").hex(),
                "dtype": dtype,
                "shape": list(shape),
            }
            how = {**how, "order": order, "replace": replace}
            done = self.must(due, self.process.run, PUT, **how)
        else:
            done = self.must(due, self.sa.put, uri, array, replace=replace)
        if done:
            self.made(name, array, array.tobytes("A"))

    @rule(name=NAMES, raw=st.binary(min_size=1, max_size=9000), parts=st.integers(1, 3))
    def write_new_file(self, name, raw, parts):
        def write():
            with open(self.place("mount", name), "xb", buffering=0) as file:
                for i in range(parts):
                    file.write(raw[len(raw) * i // parts : len(raw) * (i + 1) // parts])

        due = errno.EEXIST if name in self.arrays else 0
        if self.must(due if self.has_group(name) else errno.ENOENT, write):
            self.made(name, np.frombuffer(raw, np.uint8), raw)

    @rule(name=NAMES, how=st.sampled_from(["store", "mount", "sa", "sa mount"]))
    def delete(self, name, how):
        side = "mount" if "mount" in how else "store"
        if how.startswith("sa"):
            call, argument = self.sa.delete, f"file://{self.place(side, name)}"
        else:
            call, argument = os.unlink, self.place(side, name)
        if self.must(self.missing(name), call, argument):
            del self.arrays[name]

    @rule(old=NAMES, new=NAMES, side=BOTH, flags=st.sampled_from([0, NOREPLACE, EXCHANGE]))
    def rename(self, old, new, side, flags):
        def call():
            paths = [os.fsencode(self.place(side, name)) for name in (old, new)]
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.renameat2(-100, paths[0], -100, paths[1], flags):
                raise OSError(ctypes.get_errno(), "renameat2")

        if side == "mount" and old not in self.arrays and (old == new or flags == NOREPLACE):
            return  # the kernel may decide by what it knew some milliseconds ago
        due = self.missing(old) or (0 if self.has_group(new) else errno.ENOENT)
        if not due and flags == NOREPLACE and new in self.arrays:
            due = errno.EEXIST
        if not due and flags == EXCHANGE:
            due = self.missing(new)
        if self.must(due, call) and old != new:
            there = self.arrays.pop(new, None)
            self.arrays[new] = self.arrays.pop(old)
            if flags == EXCHANGE:
                self.arrays[old] = there

    @rule(side=BOTH)
    def make_group(self, side):
        self.must(errno.EEXIST if self.group else 0, os.mkdir, self.place(side, "g"))
        self.group = True

    @rule(side=BOTH)
    def remove_group(self, side):
        due = 0 if self.group else errno.ENOENT
        if any(name.startswith("g/") for name in self.arrays):
            due = errno.ENOTEMPTY
        if self.must(due, os.rmdir, self.place(side, "g")):
            self.group = False

    # Changing

    @rule(name=NAMES, side=BOTH, at=st.floats(0, 1), value=st.integers(1, 99),
          count=st.integers(1, 5000))  # fmt: skip
    def write(self, name, side, at, value, count):
        if name not in self.arrays:
            return
        data = self.arrays[name].data
        start = int(at * len(data))
        part = bytes([value]) * min(count, len(data) - start)
        with open(self.place(side, name), "r+b", buffering=0) as file:
            assert os.pwrite(file.fileno(), part, start) == len(part)
        data[start : start + len(part)] = part

    @rule(name=NAMES, side=BOTH, at=st.floats(0, 1), value=st.integers(1, 99))
    def write_by_map(self, name, side, at, value):
        if not self.arrays.get(name, Array(b"", "", (), "", 0)).data:
            return
        if side == "mount" and self.mount.xattr("io") == "fallback":
            side = "store"
        data = self.arrays[name].data
        start = int(at * (len(data) - 1))
        fd = os.open(self.place(side, name), os.O_RDWR)
        with mmap.mmap(fd, len(data)) as view:
            os.close(fd)
            view[start] = value
        data[start] = value

    @rule(name=NAMES, past=st.integers(0, 5000))
    def grow_in_vain(self, name, past):
        if name not in self.arrays:
            return
        size = len(self.arrays[name].data)
        with open(self.place("mount", name), "r+b", buffering=0) as file:
            self.must(errno.EFBIG, os.pwrite, file.fileno(), b"x", size + past)
            self.must(errno.EPERM, os.ftruncate, file.fileno(), size + 1 + past)

    @rule(name=NAMES, itemsize=st.sampled_from([1, 2, 4, 8]), fortran=st.booleans())
    def reinterpret(self, name, itemsize, fortran):
        due = self.missing(name)
        array = self.arrays.get(name)
        if array and (len(array.data) % (itemsize * 2) or not array.data):
            return
        shape = (2, len(array.data) // itemsize // 2) if array else (1, 1)
        text = {"descr": f"<i{itemsize}" if itemsize > 1 else "|i1", "fortran_order": fortran}
        value = repr({**text, "shape": shape}).encode()
        if self.must(due, os.setxattr, self.place("mount", name), "user.sharr.npy", value):
            array.dtype, array.shape = text["descr"], shape
            array.order = "F" if fortran else "C"  # kept, though it may make no difference yet

    @rule(name=NAMES, side=BOTH, key=KEYS, value=st.text("abc\n ", max_size=300))
    def set_attribute(self, name, side, key, value):
        if side == "mount":
            arguments = (self.place(side, name), f"user.{key}", value.encode())
            done = self.must(self.missing(name), os.setxattr, *arguments)
        else:
            uri = f"file://{self.place(side, name)}"
            done = self.must(self.missing(name), lambda: self.sa.attrs(uri).update({key: value}))
        if done:
            self.arrays[name].attrs[key] = value

    @rule(name=NAMES, key=KEYS)
    def remove_attribute(self, name, key):
        due = self.missing(name)
        if not due and key not in self.arrays[name].attrs:
            due = errno.ENODATA
        if self.must(due, os.removexattr, self.place("mount", name), f"user.{key}"):
            del self.arrays[name].attrs[key]

    @rule(name=NAMES, side=BOTH, mode=st.sampled_from([0o600, 0o640, 0o666, 0o444]))
    def chmod(self, name, side, mode):
        if self.must(self.missing(name), os.chmod, self.place(side, name), mode):
            self.arrays[name].mode = mode

    @rule()
    def reap(self):
        assert [found for found in self.sa.reap(dry_run=False) if found] == []

    @precondition(lambda self: self.arrays)
    @rule()
    def kill_the_daemon(self):
        self.mount = self.remount(self.mount)

    # Both sides are as the model says

    def check_through_mount(self, name: str, array: Array) -> None:
        fd = os.open(self.place("mount", name), os.O_RDONLY)
        try:
            status = os.fstat(fd)
            assert (status.st_size, status.st_mode & 0o7777) == (len(array.data), array.mode)
            assert os.pread(fd, len(array.data) + 1, 0) == array.data
            shape = ",".join(map(str, array.shape)).encode()
            assert os.getxattr(fd, "user.sharr.shape") == shape
            assert os.getxattr(fd, "user.sharr.dtype") == array.dtype.encode()
            assert os.getxattr(fd, "user.sharr.order") == array.order.encode()
            for key, value in array.attrs.items():
                assert os.getxattr(fd, f"user.{key}") == value.encode()
        finally:
            os.close(fd)

    def check_array(self, found: np.ndarray, array: Array) -> None:
        assert (found.dtype.str, found.shape) == (array.dtype, array.shape)
        order = array.order if sum(n > 1 for n in array.shape) > 1 else "C"
        assert order_of(found) == (order if found.size else "C")
        assert found.tobytes("A") == array.data

    @invariant()
    def both_sides_are_as_the_model_says(self):
        for group in ("", "g"):
            if group and not self.group:
                continue
            names = {n for n in self.arrays if n.startswith("g/") == bool(group)}
            listed = {
                f"{group}/{n}" if group else n for n in os.listdir(self.place("mount", group))
            }
            assert listed == names | ({"g"} if self.group and not group else set())
            told = [item.name.decode() for item in self.sa.list(group or None)]
            assert sorted(told) == sorted(names)
        for name, array in self.arrays.items():
            self.check_through_mount(name, array)
            self.check_array(self.sa.copy(name), array)
            attached = self.sa.attach(f"file://{self.place('mount', name)}", ro=True)
            self.check_array(np.asarray(attached), array)
            assert dict(self.sa.attrs(attached)) == array.attrs

    def teardown(self):
        for name in self.store.names():
            path = self.store / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("examples", "steps"), [(15, 25), pytest.param(600, 60, marks=pytest.mark.slow)]
)
def test_both_sides_against_the_model(sa, store, mount, python, either, examples, steps):
    io = either.xattr("io")
    process = python()
    current = [either]

    def remount(dead):
        if dead:
            dead.kill()
            dead.detach()
            current[0] = mount(store, f"io={io}")
        return current[0]

    run_state_machine_as_test(
        lambda: Machine(sa, store, remount, process),
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(hypothesis.HealthCheck),
            deadline=None,
            report_multiple_bugs=False,
        ),
    )
