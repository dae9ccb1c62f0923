# SPDX-License-Identifier: BSD-3-Clause
"""That something has left nothing behind: no name, no descriptor, no map, no space taken.

with Unchanged(store, pid):
    ...
"""

from __future__ import annotations

import gc
import os
from pathlib import Path

from support.area import Store


class Unchanged:
    def __init__(self, store: Store, pid: int | None = None) -> None:
        """Of the process `pid`, if one is given, as well as of the store."""
        self.store = store
        self.pid = pid

    def seen(self) -> tuple:
        """Names, blocks (nameless files have some too), descriptors, and maps of the store."""
        status = os.statvfs(self.store)
        found = self.store.names(), status.f_blocks - status.f_bfree
        if self.pid is None:
            return found
        maps = Path(f"/proc/{self.pid}/maps").read_text().split("\n")
        here = sorted(line.split("/", 1)[1] for line in maps if f"{self.store}/" in line)
        return *found, len(os.listdir(f"/proc/{self.pid}/fd")), here

    def __enter__(self) -> Unchanged:
        if self.pid == os.getpid():
            gc.collect()  # what earlier tests left, and would go in between
        self.before = self.seen()
        return self

    def __exit__(self, kind, value, traceback) -> None:
        if kind is None:
            assert self.seen() == self.before
