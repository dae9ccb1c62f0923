# SPDX-License-Identifier: BSD-3-Clause
"""From one array to a million, and from a KiB to 8 GiB: what an operation takes, and what the
daemon keeps. Each number of arrays, and each size, has a store and a mount of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rows import worker
from support.area import Store
from support.build import PYMOD
from support.mount import Mount

NUMBERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
SIZES = [2**10, 2**14, 2**18, 2**22, 2**26, 2**30, 2**33]
MOUNT_LIFE_S = 3600
# The original lies in that environment as well, of which the import warns.
HUSHED = {"PYTHONWARNINGS": "ignore:SharedArray is that of sharr"}


@dataclass
class Growth:
    """Of so many arrays (times for one of them), or of one of so many bytes."""

    count: int
    times_ns: dict[str, float]
    daemon_bytes: int  # that it has more than before

    def line(self) -> str:
        times = ", ".join(f"{what} {ns / 1e3:.1f} µs" for what, ns in self.times_ns.items())
        return f"{self.count:<14,}{times}, daemon {self.daemon_bytes / 2**10:.0f} KiB"


def resident_bytes(mount: Mount) -> int:
    (pid,) = mount.pids()
    pages = int(Path("/proc", str(pid), "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def run(row: str, places: dict[str, str], name: str, number: int) -> float:
    environment = {**os.environ, "PYTHONPATH": str(PYMOD), **HUSHED, **places}
    command = worker(row, name, number)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)


@contextmanager
def places(area: Path, size: str) -> Iterator[tuple[Store, Callable[[], Mount]]]:
    """A store, and what mounts it; both are gone afterwards."""
    store, mounts = Store(area, size=size), []

    def mount() -> Mount:
        mounts.append(Mount(store, area, life_s=MOUNT_LIFE_S))
        return mounts[-1]

    try:
        yield store, mount
    finally:
        for each in mounts:
            each.remove()
        subprocess.run(["umount", store], check=True)


def of_number(area: Path, number: int) -> Growth:
    with places(area, "10g") as (store, mount):
        directly = {"SHARR_STORE": str(store)}
        times = {
            "create": run("create_many", directly, "a", number),
            "attach + detach": run("attach", directly, f"a{number // 2}", 2000),
            "list, first": run("list_first", directly, "", 1) / number,
            "list, again": run("list", directly, "", 3) / number,
        }
        mounted = mount()
        before = resident_bytes(mounted)
        start = time.perf_counter_ns()
        subprocess.run(["ls", "-l", mounted], stdout=subprocess.DEVNULL, check=True)
        times["ls -l of the mount, first"] = (time.perf_counter_ns() - start) / number
        return Growth(number, times, resident_bytes(mounted) - before)


def of_size(area: Path, nbytes: int) -> Growth:
    with places(area, "9g") as (store, mount):
        directly = {"SHARR_STORE": str(store)}
        # A daemon that watches may still look at what is deleted at once.
        made = run("size_create", directly, "x", nbytes)
        mounted = mount()
        through = {**directly, "SHARR_MOUNT": str(mounted), "SHARR_VIA": "mount"}
        before = resident_bytes(mounted)
        few, many = max(3, min(500, 2**28 // nbytes)), 1000
        times = {
            "create + delete": made,
            "create + fill": run("size_fill", directly, "x", nbytes),
            "attach + detach": run("attach", directly, "x", many),
            "attach through the mount": run("attach", through, "x", many),
            "read": run("size_read", directly, "x", few),
        }
        return Growth(nbytes, times, resident_bytes(mounted) - before)
