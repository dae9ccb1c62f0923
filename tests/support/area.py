# SPDX-License-Identifier: BSD-3-Clause
"""The folder of one test, and the stores in it.

It lies in the temporary folder and not below pytest's tmp_path, which is closed to other users:
tests that act as one of them must get in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.require import lacking

PREFIX = "sharr-test-"


def mounts_below(folder: Path) -> list[str]:
    """Mount points in folder, innermost and newest first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split()[4] for line in lines]
    points = [p.encode("utf-8", "surrogateescape").decode("unicode_escape") for p in points]
    return [p for p in reversed(points) if p.startswith(f"{folder}/")]


def detach_mount(point: str | Path) -> None:
    """Takes a mount away whatever its state, also when nobody serves it or somebody uses it."""
    command = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
    subprocess.run([*command, os.fspath(point)], check=False, capture_output=True)


def remove_area(folder: Path) -> None:
    for point in mounts_below(folder):
        detach_mount(point)
    if not mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned_areas() -> None:
    """Those of runs that were killed: the name has the pid of the run."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = folder.name[len(PREFIX) :].split("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            remove_area(folder)


def make_area() -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)
    return folder


class Store(os.PathLike):
    """A store of its own: a tmpfs. Called, it makes another one: `small = store(size="1m")`."""

    def __init__(self, area: Path, size: str = "256m", options: str = "") -> None:
        self.area = area
        self.path = Path(tempfile.mkdtemp(prefix="store-", dir=area))
        if os.geteuid() == 0:
            wanted = ",".join(filter(None, [f"size={size},mode=1777,nosuid,nodev", options]))
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", wanted, "sharr-test", self.path], check=True
            )
        else:
            lacking("root", "a store of its own is a tmpfs, which only root can mount")

    def __call__(self, size: str = "256m", options: str = "") -> Store:
        return Store(self.area, size, options)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def names(self) -> list[str]:
        """What lies there, foreign files included."""
        return sorted(os.listdir(self.path))

    def is_empty(self) -> bool:
        """No name, and no block taken by a file without one."""
        status = os.statvfs(self.path)
        return not self.names() and status.f_blocks == status.f_bfree
