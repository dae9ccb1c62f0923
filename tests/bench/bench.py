# SPDX-License-Identifier: BSD-3-Clause
"""What sharr takes against what a user would take instead, side by side in one run.

Only ratios count. One process differs from the next for as long as each lives, so that each side
of a row is run in several processes, in turns, and the median of the ratios is shown.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.area import Store, make_area, remove_area
from support.build import BUILD, PEERS, PYMOD, SHARRFS
from support.mount import Mount
from support.namespace import with_mounts

HERE = Path(__file__).resolve().parent
PYTHON = PEERS / "np2" / "bin" / "python"
FLOOR = BUILD / "tests" / "bench" / "floor"
ARRAYS_LISTED = 10_000


@dataclass
class Row:
    what: str
    goal: float
    ours: list[str | Path]
    peer: list[str | Path]
    floor: list[str | Path] | None = None
    at_least: bool = False  # the goal is a speed to be kept, not a time to be beaten
    within: bool = False  # both sides are this module's

    def ratio(self, ours: float, peer: float) -> float:
        return peer / ours if self.at_least else ours / peer


class Bench:
    def __init__(self, store: Store) -> None:
        self.store = store

    def environment(self, ours: bool) -> dict[str, str]:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment["SHARR_STORE"] = str(self.store)
        if ours:
            environment["PYTHONPATH"] = str(PYMOD)
        return environment

    def run(self, command: list, ours: bool) -> float:
        """In a mount namespace where the store is /dev/shm, the original's one place."""
        script = 'mount --bind "$0" /dev/shm && exec "$@"'
        done = subprocess.run(
            with_mounts(script, self.store, *command),
            env=self.environment(ours),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        return float(done.stdout)

    def measure(self, row: Row, rounds: int) -> str:
        ours, peer, floor = [], [], []
        for _ in range(rounds):
            peer.append(self.run(row.peer, ours=row.within))
            ours.append(self.run(row.ours, ours=True))
            if row.floor:
                floor.append(self.run(row.floor, ours=True))
        ratio = statistics.median(row.ratio(o, p) for o, p in zip(ours, peer, strict=True))
        met = ratio >= row.goal if row.at_least else ratio <= row.goal
        least = f"{min(floor) / 1e3:12.1f}" if floor else f"{'':12}"
        sign = ">=" if row.at_least else "<="
        return (
            f"{row.what:<44}{least}{min(peer) / 1e3:12.1f}{min(ours) / 1e3:12.1f}"
            f"{ratio:9.2f}  {sign} {row.goal:.2f} {'met' if met else 'MISSED'}"
        )


def worker(row: str, name: str | Path, count: int) -> list[str | Path]:
    return [PYTHON, HERE / "worker.py", row, name, str(count)]


def floor(operation: str, path: str | Path, count: int) -> list[str | Path]:
    return [FLOOR, operation, path, str(count)]


def both(what: str, goal: float, row: str, name: str, count: int, **more) -> Row:
    command = worker(row, name, count)
    return Row(what, goal, command, command, **more)


def module_rows(store: Store) -> list[Row]:
    return [
        both(
            "attach + detach", 0.75, "attach", "x", 3000, floor=floor("attach", store / "x", 3000)
        ),
        both("attach + read one", 0.9, "touch", "x", 3000, floor=floor("touch", store / "x", 3000)),
        both(
            "create + delete, reserve=False",
            0.9,
            "create_delete",
            "n",
            2000,
            floor=floor("create", store / "f", 2000),
        ),
        both("create + fill + delete 80 kB", 1.0, "create_fill_delete", "n", 1000),
        both("create + fill 1 GiB", 0.7, "big_fill", "n", 1),
        both("put 80 kB : create + copy", 0.55, "put_small", "n", 500),
        both("put 64 MiB : create + copy", 0.55, "put_big", "n", 3),
        both("copy 64 KiB : attach().copy()", 0.45, "copy", "c64", 2000),
        both("copy 1 MiB", 0.65, "copy", "c1m", 300, floor=floor("copy", store / "c1m", 300)),
        both("copy 4 MiB", 0.65, "copy", "c4m", 100, floor=floor("copy", store / "c4m", 100)),
    ]


def together(what: str, goal: float, row: str, count: int, **more) -> Row:
    command: list[str | Path] = [PYTHON, HERE / "together.py", row, "event", str(count)]
    return Row(what, goal, command, command, **more)


def together_rows() -> list[Row]:
    semaphore = floor("semaphore", "", 200_000)
    return [
        together("lock + unlock : multiprocessing.Lock", 1.0, "lock", 200_000, floor=semaphore),
        together(
            "the same, with sa.lock(a): each time", 1.5, "lock_anew", 200_000, floor=semaphore
        ),
        together("contended by 2 processes : the same", 1.0, "contended_2", 50_000),
        together("contended by 8 processes : the same", 1.0, "contended_8", 20_000),
        together("notify + wait, there and back : pipes", 1.0, "ping_pong", 10_000),
    ]


def sharing_rows() -> list[Row]:
    return [
        Row(
            f"share() there and back : name by hand, {what}",
            1.3,
            worker("pass_shared", name, 3000),
            worker("pass_name", name, 3000),
            within=True,
        )
        for what, name in (("80 kB", "x"), ("256 MiB", "big"))
    ]


def mount_rows(store: Store, mount: Mount) -> list[Row]:
    return [
        Row(
            "memory through the mount : direct",
            0.98,
            worker("memory", mount / "big", 10),
            worker("memory", store / "big", 10),
            at_least=True,
        ),
        Row(
            "read() 1 MiB blocks, mount : store",
            0.25,
            worker("read", mount / "big", 5),
            worker("read", store / "big", 5),
            at_least=True,
        ),
    ]


def through(mount: Mount, command: list[str | Path]) -> list[str | Path]:
    """The same by this module through the mount, or, where there is none, directly."""
    where = ["SHARR_VIA=mount", f"SHARR_MOUNT={mount}"] if mount else ["SHARR_VIA=shm"]
    return ["env", f"PYTHONPATH={PYMOD}", *where, *command]


def attach_row(mount: Mount) -> Row:
    command = worker("attach", "x", 3000)
    return Row(
        "attach through the mount : direct", 5.0, through(mount, command), through(None, command)
    )


def listing_rows(crowd: Store, mount: Mount) -> list[Row]:
    """`ls -l`, and before it that of a mount which has not been looked at yet."""
    store = worker("ls_long", crowd.path, 5)
    first = ["env", f"SHARRFS={SHARRFS}", *worker("ls_first", crowd.path, 1)]
    return [
        Row(f"first ls -l of {ARRAYS_LISTED}, mount : store", 3.0, first, store),
        Row(
            f"repeated ls -l of {ARRAYS_LISTED}, mount : store",
            1.5,
            worker("ls_long", mount.path, 5),
            store,
        ),
    ]


def resident_bytes(mount: Mount) -> int:
    (pid,) = mount.pids()
    pages = int(Path("/proc", str(pid), "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def daemon_memory(crowd: Store, area: Path) -> str:
    """What the daemon keeps of arrays that the kernel knows, all having been listed."""
    mount = Mount(crowd, area)
    try:
        before = resident_bytes(mount)
        subprocess.run(["ls", "-l", mount], stdout=subprocess.DEVNULL, check=True)
        grown = resident_bytes(mount) - before
    finally:
        mount.remove()
    return f"daemon's memory: {grown / ARRAYS_LISTED:.0f} bytes for each of {ARRAYS_LISTED} arrays"


def make(store: Store, *shapes: tuple[str, int]) -> None:
    os.environ["SHARR_STORE"] = str(store)
    sys.path.insert(0, str(PYMOD))
    import SharedArray as sa

    for name, elements in shapes:
        sa.create(name, elements)[:] = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: under a minute")
    parser.add_argument("rows", nargs="*", help="only rows that have one of these words")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else 12
    area = make_area()
    mounts: list[Mount] = []
    missed = 0
    try:
        store, crowd = Store(area, size="6g"), Store(area)
        make(store, ("x", 10_000), ("c64", 2**13), ("c1m", 2**17), ("c4m", 2**19), ("big", 2**25))
        make(store, ("event", 8), ("event2", 8))
        make(crowd, *((f"a{i}", 100) for i in range(ARRAYS_LISTED)))
        mounts = [Mount(store, area), Mount(crowd, area)]
        listed = both(
            f"list {ARRAYS_LISTED}", 1.0, "list", "", 5, floor=floor("list", crowd.path, 5)
        )
        print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
        print(f"{'what (µs)':<44}{'floor':>12}{'peer':>12}{'sharr':>12}{'ratio':>9}  goal")
        rows = [*module_rows(store), *together_rows(), *sharing_rows()]
        rows += [*mount_rows(store, mounts[0]), attach_row(mounts[0])]
        work = [(store, row) for row in rows]
        work += [(crowd, row) for row in [listed, *listing_rows(crowd, mounts[1])]]
        for of, row in work:
            if arguments.rows and not any(word in row.what for word in arguments.rows):
                continue
            line = Bench(of).measure(row, rounds)
            missed += line.endswith("MISSED")
            print(line, flush=True)
        if not arguments.rows:
            print(daemon_memory(crowd, area))
    finally:
        for mount in mounts:
            mount.remove()
        remove_area(area)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
