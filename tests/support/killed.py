# SPDX-License-Identifier: BSD-3-Clause
"""Lets processes do everything to arrays of their own, kills each with SIGKILL at a random moment,
and compares what is there with what they had been told.

Started as a script: killed.py STORE MOUNT SEED. For each number on stdin it kills so many, and
prints a JSON object: how many, in which operation, and "gone" if the mount's daemon was. For
"look" it compares the mount with the store.

A victim writes "begin" of an operation into a pipe before it, and "done" after it: so of what is
done all must be there, and of what is not, what was before or what would have been after.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import json
import os
import random
import select
import signal
import sys

import numpy as np
import SharedArray as sa

NAMES = [f"array-{i}" for i in range(4)]
COUNTS = [1, 100, 5000, 60_000]
GONE = {errno.ENOTCONN, errno.ECONNABORTED}
LONGEST_S = 0.03


class Wrong(Exception):
    pass


def filled(version: int) -> np.ndarray:
    return np.full(COUNTS[version % len(COUNTS)], version, np.int64)


class Victim:
    """`before` is what there is: of each name the version that all elements have, or None."""

    def __init__(self, store: str, mount: str, side: str, log: int, seed: int, before: dict):
        self.store, self.mount, self.side, self.log = store, mount, side, log
        self.random = random.Random(seed)
        self.state = dict(before)

    def uri(self, name: str) -> str:
        return name if self.side == "store" else f"file://{self.mount}/{name}"

    def path(self, name: str) -> str:
        return os.path.join(self.store if self.side == "store" else self.mount, name)

    def put(self, name, version):
        sa.put(self.uri(name), filled(version), replace=True)

    def create(self, name, version):
        if self.state[name] is not None:
            self.delete(name, None)
            return
        if self.side == "mount" and not maps_of(self.mount):
            sa.put(self.uri(name), filled(version))
            return
        with sa.building(self.uri(name), len(filled(version)), np.int64) as array:
            array[:] = version

    def delete(self, name, version):
        sa.delete(self.uri(name), missing_ok=True)

    def save(self, name, version):
        """As any program would: by plain files, through the mount."""
        data = filled(version).tobytes()
        part = os.path.join(self.mount, f"{name}.{os.getpid()}")
        with open(part, "xb") as file:
            os.setxattr(file.fileno(), "user.sharr.dtype", b"<i8")
            file.write(data[: len(data) // 2])
            file.flush()
            file.write(data[len(data) // 2 :])
        os.rename(part, os.path.join(self.mount, name))

    def fill(self, name, version):
        """In place, so that a part of it is there if it is killed; of the size that it has."""
        if self.state[name] is None:
            return
        array = sa.attach(self.uri(name) if maps_of(self.mount) else name)
        with sa.lock(array), sa.writing(array):
            array[:] = version

    def annotate(self, name, version):
        if self.state[name] is not None:
            sa.attrs(self.uri(name))["note"] = str(version)

    def attach(self, name, version):
        if self.state[name] is not None:
            array = sa.attach(self.uri(name), ro=True)
            if (array != self.state[name]).any():
                raise Wrong(f"{name}: attached {np.unique(array)}, not {self.state[name]}")

    def ephemeral(self, name, version):
        sa.create(f"passing-{os.getpid()}", 10, ephemeral=True)

    def after(self, operation, name, version):
        if operation in ("put", "save", "create", "fill"):
            emptied = operation == "create" and self.state[name] is not None
            missed = operation == "fill" and self.state[name] is None
            return None if emptied or missed else version
        return None if operation == "delete" else self.state[name]

    def work(self):
        while True:
            operation = self.random.choice(OPERATIONS)
            name = self.random.choice(NAMES)
            version = self.random.randrange(1, 1 << 40) * len(COUNTS)
            version += self.random.randrange(len(COUNTS))
            if operation == "fill" and self.state[name] is not None:
                version += self.state[name] % len(COUNTS) - version % len(COUNTS)
            after = self.after(operation, name, version)
            self.say("begin", operation, name, after)
            getattr(self, operation)(name, version)
            self.say("done", operation, name, after)
            self.state[name] = after

    def say(self, *words):
        os.write(self.log, (json.dumps(words) + "\n").encode())


OPERATIONS = ["put", "create", "delete", "save", "fill", "annotate", "attach", "ephemeral"]


def maps_of(mount):
    return os.getxattr(mount, "user.sharr.io") == b"passthrough"


class Killer:
    def __init__(self, store: str, mount: str, seed: int):
        self.store, self.mount = store, mount
        self.random = random.Random(seed)
        self.state = dict.fromkeys(NAMES)

    def victim(self, log: int) -> None:
        """In the child: does not return."""
        side = self.random.choice(["store", "mount"])
        seed = self.random.getrandbits(32)
        code = 1
        try:
            Victim(self.store, self.mount, side, log, seed, self.state).work()
        except OSError as error:
            code = 7 if error.errno in GONE else 1
            if code == 1:
                os.write(log, (json.dumps(["wrong", repr(error), side, ""]) + "\n").encode())
        except BaseException as error:
            os.write(log, (json.dumps(["wrong", repr(error), side, ""]) + "\n").encode())
        finally:
            os._exit(code)

    def kill_one(self) -> tuple[str, bool]:
        """In which operation, and whether the mount was gone."""
        pause = self.random.random() * LONGEST_S
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            self.victim(writing)
        os.close(writing)
        log = b""
        select.select([reading], [], [])  # from its first word on
        select.select([], [], [], pause)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        with os.fdopen(reading, "rb") as pipe:
            log = pipe.read()
        words = [json.loads(line) for line in log.splitlines()]
        if words and words[-1][0] == "wrong":
            raise Wrong(words[-2:])
        pending = None
        for kind, operation, name, after in words:
            if kind == "done":
                self.state[name], pending = after, None
            else:
                pending = (operation, name, after)
        self.check(pending)
        return pending[0] if pending else "between", os.waitstatus_to_exitcode(status) == 7

    def found(self, name: str):
        """The set of versions in it; None: it is not there."""
        try:
            array = sa.copy(name)
        except FileNotFoundError:
            return None
        if array.dtype != np.int64 or array.ndim != 1:
            raise Wrong(f"{name}: {array.dtype} of {array.shape}")
        versions = set(map(int, np.unique(array)))
        if not versions or len(array) != len(filled(max(versions))):
            raise Wrong(f"{name}: {len(array)} of {versions}")
        return versions

    def check(self, pending) -> None:
        for name, version in self.state.items():
            operation, _, after = pending if pending and pending[1] == name else ("", "", version)
            found = self.found(name)
            allowed = [None if v is None else {v} for v in (version, after)]
            if operation == "fill" and found is not None and version is not None:
                self.take_over(name)
                if not found <= {version, after}:
                    raise Wrong(f"{name}: {found}, not {allowed}")
                if len(found) > 1:  # half of it, as lock and sequence tell
                    sa.put(name, filled(after), replace=True)
                    found = {after}
            if found not in allowed:
                raise Wrong(f"{name}: {found}, not {allowed} by {operation}")
            self.state[name] = next(iter(found)) if found else None
        if pending and pending[0] == "save":
            self.remove_part(pending[1], pending[2])
        sa.reap()
        names = {item.name.decode() for item in sa.list()}
        if names != {n for n, v in self.state.items() if v is not None}:
            raise Wrong(f"{names} are there, and {self.state}")

    def remove_part(self, name: str, version: int) -> None:
        """Closed, and not renamed yet: it must be whole."""
        for item in sa.list():
            part = item.name.decode()
            if part.startswith(f"{name}."):
                if self.found(part) != {version}:
                    raise Wrong(f"{part}: {self.found(part)}, not {version}")
                sa.delete(part)

    def take_over(self, name: str) -> None:
        """The lock of a dead holder is told of once at most, and is free then."""
        array = sa.attach(name)
        for _ in range(2):
            with contextlib.suppress(sa.OwnerDiedError), sa.lock(array, timeout=5):
                return
        raise Wrong(f"{name}: the lock of a dead process is not free")

    def run(self, count: int) -> dict:
        killed = collections.Counter()
        for _ in range(count):
            operation, gone = self.kill_one()
            if gone:
                break
            killed[operation] += 1
        return {"killed": killed, "gone": gone}

    def same_in_mount(self) -> None:
        left = {n: v for n, v in self.state.items() if v is not None}
        if set(os.listdir(self.mount)) != set(left):
            raise Wrong(f"{os.listdir(self.mount)} are in the mount, and {left} in the store")
        for name, version in left.items():
            if np.fromfile(os.path.join(self.mount, name), np.int64).tolist() != [*filled(version)]:
                raise Wrong(f"{name} is not in the mount what it is in the store")


def main(store: str, mount: str, seed: str) -> None:
    killer = Killer(store, mount, int(seed))
    for line in sys.stdin:
        answer = {} if line == "look\n" else killer.run(int(line))
        if not answer:
            killer.same_in_mount()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
