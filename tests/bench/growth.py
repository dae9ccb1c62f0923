# SPDX-License-Identifier: BSD-3-Clause
"""From a thousand arrays to a hundred thousand: what one of them takes, in time and in the daemon's
memory, each number of them in a store and under a mount of its own."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from rows import worker
from support.area import Store
from support.build import PYMOD
from support.mount import Mount

NUMBERS = [1_000, 10_000, 100_000]
HEADING = (
    f"{'per array, of so many':<24}{'create':>12}{'list':>12}{'ls -l, mount':>14}{'daemon':>14}"
)


@dataclass
class Growth:
    """Times in ns for one array."""

    number: int
    create: float
    list: float
    listed_in_mount: float
    daemon_bytes: float

    def line(self) -> str:
        times = f"{self.create / 1e3:9.1f} µs{self.list / 1e3:9.1f} µs"
        times += f"{self.listed_in_mount / 1e3:11.1f} µs"
        return f"{self.number:<24,}{times}{self.daemon_bytes:8.0f} bytes"

    def of_table(self) -> str:
        times = (self.create, self.list, self.listed_in_mount)
        words = " | ".join(f"{time / 1e3:.1f} µs" for time in times)
        return f"| {self.number:,} | {words} | {self.daemon_bytes:.0f} bytes |"


def resident_bytes(mount: Mount) -> int:
    (pid,) = mount.pids()
    pages = int(Path("/proc", str(pid), "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def run(row: str, store: Store, number: int) -> float:
    environment = {**os.environ, "PYTHONPATH": str(PYMOD), "SHARR_STORE": str(store)}
    command = worker(row, "a", number)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)


def listed(mount: Mount) -> tuple[float, int]:
    """How long the first `ls -l` takes, and what the daemon has more afterwards."""
    before = resident_bytes(mount)
    start = time.perf_counter_ns()
    subprocess.run(["ls", "-l", mount], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter_ns() - start, resident_bytes(mount) - before


def measure(area: Path, number: int) -> Growth:
    store = Store(area, size="2g")
    create = run("create_many", store, number)
    listing = run("list", store, 1) / number
    mount = Mount(store, area)
    try:
        took, grown = listed(mount)
    finally:
        mount.remove()
    subprocess.run(["umount", store], check=True)
    return Growth(number, create, listing, took / number, grown / number)
