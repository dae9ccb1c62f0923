# SPDX-License-Identifier: BSD-3-Clause
"""What sharr takes against what a user would take instead, side by side in one run.

Only ratios count. One process differs from the next for as long as each lives, so that each side
of a row is run in several processes, in turns, and the median of the ratios is shown. Without
--quick and words it writes docs/bench.md and its picture.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import growth
import report
import rows
from report import Count, Result
from rows import ARRAYS_LISTED, COUNTED, MANY, Counted, Row
from support.area import Store, make_area, remove_area
from support.build import PYMOD, ROOT
from support.counting import instructions, system_calls
from support.mount import Mount
from support.namespace import with_mounts

PROCESSOR = min(os.sched_getaffinity(0))  # any, of those that we may use


class Bench:
    def __init__(self, store: Store) -> None:
        self.store = store

    def environment(self, ours: bool) -> dict[str, str]:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment.update({**growth.HUSHED, "SHARR_STORE": str(self.store)})
        if ours:
            environment["PYTHONPATH"] = str(PYMOD)
        return environment

    def placed(self, command: list) -> list:
        """In a mount namespace where the store is /dev/shm, the original's one place."""
        return with_mounts('mount --bind "$0" /dev/shm && exec "$@"', self.store, *command)

    def run(self, command: list, ours: bool) -> float:
        done = subprocess.run(
            self.placed(command),
            env=self.environment(ours),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        return float(done.stdout)

    def measure(self, row: Row, most_rounds: int) -> Result:
        ours, peer, floor = [], [], []
        for _ in range(min(row.rounds, most_rounds)):
            peer.append(self.run(row.peer, ours=row.within))
            ours.append(self.run(row.ours, ours=True))
            if row.floor:
                floor.append(self.run(row.floor, ours=True))
        ratio = statistics.median(row.ratio(o, p) for o, p in zip(ours, peer, strict=True))
        return Result(row, min(floor, default=None), min(peer), min(ours), ratio)

    def count(self, of: Counted, by_valgrind: bool) -> Count:
        """Counts don't mind what else runs: as many at once as there are CPUs."""
        counters = [system_calls, instructions] if by_valgrind else [system_calls]
        jobs = [(counter, ours) for counter in counters for ours in (False, True)]

        def counted(run: int) -> dict[str, float] | float:
            counter, ours = jobs[run]
            return counter(
                lambda rounds: of.command(rounds, run), self.environment(ours), self.placed
            )

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return Count(of, *pool.map(counted, range(len(jobs))))


def make(store: Store, *shapes: tuple[str, int]) -> None:
    os.environ["SHARR_STORE"] = str(store)
    sys.path.insert(0, str(PYMOD))
    import SharedArray as sa

    for name, elements in shapes:
        sa.create(name, elements)[:] = 1.0


def measure_growth(area: Path, quick: bool) -> list[list[growth.Growth]]:
    """By the number of arrays, and by their size."""
    numbers = growth.NUMBERS[3:5] if quick else growth.NUMBERS
    sizes = growth.SIZES[:4] if quick else growth.SIZES
    measured = []
    for what, counts, measure in (
        ("for one of so many arrays", numbers, growth.of_number),
        ("for an array of so many bytes", sizes, growth.of_size),
    ):
        print(what)
        measured.append([])
        for count in counts:
            measured[-1].append(measure(area, count))
            print(measured[-1][-1].line(), flush=True)
    return measured


def all_rows(
    store: Store, huge: Store, crowd: Store, mounts: list[Mount]
) -> list[tuple[Store, Row]]:
    """Each with the store that is its /dev/shm."""
    of_store = [*rows.module_rows(store), *rows.other_rows(store), *rows.together_rows()]
    of_store += [*rows.sharing_rows(), *rows.mount_rows(store, mounts[0])]
    of_store += [*rows.attach_rows(mounts[0], mounts[2], PROCESSOR), *rows.huge_rows(store, huge)]
    of_store += [rows.watched_row(store, mounts[0])]
    of_crowd = rows.listing_rows(crowd, mounts[1])
    return [(store, row) for row in of_store] + [(crowd, row) for row in of_crowd]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, and no docs/bench.md")
    parser.add_argument("rows", nargs="*", help="only rows that have one of these words")
    return parser.parse_args()


def pinned_mount(store: Store, area: Path) -> Mount:
    """One whose daemon runs on PROCESSOR only, as its maker did."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {PROCESSOR})
    try:
        return Mount(store, area, life_s=growth.MOUNT_LIFE_S)
    finally:
        os.sched_setaffinity(0, processors)


def main() -> int:
    arguments = parsed()
    most_rounds = 3 if arguments.quick else MANY
    by_valgrind = not arguments.quick and bool(shutil.which("valgrind"))
    area = make_area()
    mounts: list[Mount] = []
    results, counts = [], []

    def wanted(what: str) -> bool:
        return not arguments.rows or any(word in what for word in arguments.rows)

    try:
        store, crowd = Store(area, size="6g"), Store(area)
        huge = Store(area, size="6g", options="huge=within_size")
        make(store, ("x", 10_000), ("c64", 2**13), ("c1m", 2**17), ("c4m", 2**19), ("big", 2**25))
        make(store, ("event", 8), ("event2", 8))
        make(crowd, *((f"a{i}", 100) for i in range(ARRAYS_LISTED)))
        mounts = [Mount(of, area, life_s=growth.MOUNT_LIFE_S) for of in (store, crowd)]
        mounts.append(pinned_mount(store, area))
        print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
        print(report.HEADING)
        for of, row in all_rows(store, huge, crowd, mounts):
            if wanted(row.what):
                results.append(Bench(of).measure(row, most_rounds))
                print(results[-1].line(), flush=True)
        print("system calls of one round")
        for of in COUNTED:
            if wanted(of.what):
                counts.append(Bench(store).count(of, by_valgrind))
                print(counts[-1].line(), flush=True)
        grown = measure_growth(area, arguments.quick) if wanted("growth") else [[], []]
        if not arguments.rows and not arguments.quick:
            report.write(ROOT / "docs", results, counts, grown)
    finally:
        for mount in mounts:
            mount.remove()
        remove_area(area)
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
