# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: each row with its goal, its two sides and, where there is one, its floor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support.area import Store
from support.build import BUILD, PEERS, PYMOD, SHARRFS
from support.mount import Mount

HERE = Path(__file__).resolve().parent
PYTHON = PEERS / "np2" / "bin" / "python"
FLOOR = BUILD / "tests" / "bench" / "floor"
ARRAYS_LISTED = 10_000

# Processes for each side: one attach differs by a third from that of another process, so that small
# rows take many; where a side is long, or far from the goal, FEW do.
MANY, FEW = 12, 6

Command = list  # of str and os.PathLike


@dataclass
class Row:
    what: str
    goal: float
    ours: Command
    peer: Command
    floor: Command | None = None
    at_least: bool = False  # the goal is a speed to be kept, not a time to be beaten
    within: bool = False  # both sides are this module's
    rounds: int = MANY
    why: str = ""  # the goal is missed, if it is; shown only then

    def ratio(self, ours: float, peer: float) -> float:
        return peer / ours if self.at_least else ours / peer

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.goal if self.at_least else ratio <= self.goal


@dataclass
class Counted:
    """An operation whose system calls and instructions are counted: a row of worker.py."""

    what: str
    row: str
    name: str
    makes: bool = False  # an array of that name

    def command(self, rounds: int, run: int) -> Command:
        """Runs of other numbers may go on meanwhile."""
        return worker(self.row, f"{self.name}{run}" if self.makes else self.name, rounds)


def worker(row: str, name: str | Path, count: int) -> Command:
    return [PYTHON, HERE / "worker.py", row, name, str(count)]


def floor(operation: str, path: str | Path, count: int) -> Command:
    return [FLOOR, operation, path, str(count)]


def both(what: str, goal: float, row: str, name: str, count: int, **more) -> Row:
    command = worker(row, name, count)
    return Row(what, goal, command, command, **more)


COUNTED = [
    Counted("attach + detach", "attach", "x"),
    Counted("create + delete, reserve=False", "create_delete", "n", makes=True),
    Counted("create + fill + delete 80 kB", "create_fill_delete", "n", makes=True),
    Counted("put 80 kB + delete : create + copy + delete", "put_small", "n", makes=True),
    Counted("copy 64 KiB : attach().copy()", "copy", "c64"),
]

WHOLE_AT_ONCE = (
    "The array gets its name when it is whole, by a link of its own, and delete() looks whether it "
    "is an array at all before it removes it: three system calls that SharedArray does not make."
)

ONE_OPEN = "Most of it is the kernel's, to open the file and to map it, which the floor is."

ONE_FAULT = "Half of it is the page fault, which both take."

ONE_COPY = "Most of it is the kernel's copy of the data into new pages, which the floor is."

SIZES_FILLED = (("256 MiB", "fill_256m"), ("1 GiB", "fill_1g"), ("4 GiB", "fill_4g"))

NEW_PAGES = (
    "Nearly all of it is the kernel's, which finds, clears and maps the pages: the floor is that, "
    "and the filling. What that takes differs on a virtual machine from minute to minute, and the "
    "more so the more memory it is."
)

PLACE_OF_COPY = (
    "Large blocks of malloc, as numpy's are, begin 16 bytes behind the start of a page, where the "
    "kernel copies a page's data more than five times slower than to other places (tried on AMD "
    "EPYC). So such an `out` is read into by way of 64 KiB elsewhere, which costs a third more "
    "than the floor, whose memory begins with a page."
)
ONE_READ = "Most of it is the kernel's copy of the data by pread, which the floor is."


def module_rows(store: Store) -> list[Row]:
    return [
        both(
            "attach + detach",
            0.75,
            "attach",
            "x",
            3000,
            floor=floor("attach", store / "x", 3000),
            why=ONE_OPEN,
        ),
        Row(
            "attach + detach : the floor itself",
            1.25,
            worker("attach", "x", 3000),
            floor("attach", store / "x", 3000),
            why="Python's share: a call, the owner of the map, and an ndarray made and freed.",
        ),
        both(
            "attach + read one",
            0.9,
            "touch",
            "x",
            3000,
            floor=floor("touch", store / "x", 3000),
            why=ONE_FAULT,
        ),
        both(
            "create + delete, reserve=False",
            0.9,
            "create_delete",
            "n",
            2000,
            floor=floor("create", store / "f", 2000),
            why=WHOLE_AT_ONCE,
        ),
        both(
            "create + fill + delete 80 kB",
            1.0,
            "create_fill_delete",
            "n",
            1000,
            why=WHOLE_AT_ONCE,
        ),
        *(
            both(
                f"create + fill {size}",
                0.7,
                row,
                "n",
                1,
                floor=floor("fill", store / "f", 1) if row == "fill_1g" else None,
                rounds=FEW,
                why=NEW_PAGES,
            )
            for size, row in SIZES_FILLED
        ),
        *(
            both(
                f"put {size} : create + copy",
                0.55,
                row,
                "n",
                count,
                floor=floor(row, store / "f", count),
                why=ONE_COPY,
            )
            for size, row, count in (("80 kB", "put_small", 500), ("64 MiB", "put_big", 3))
        ),
        both(
            "copy 64 KiB : attach().copy()",
            0.45,
            "copy",
            "c64",
            2000,
            floor=floor("copy", store / "c64", 2000),
            why="Most of it is the kernel's: to open and close the file, and to copy the data.",
        ),
        *(
            both(
                what,
                goal,
                row,
                name,
                count,
                floor=floor("copy", store / name, count),
                why=why,
            )
            for what, goal, row, name, count, why in (
                ("copy 1 MiB", 0.65, "copy", "c1m", 300, ONE_READ),
                ("copy 4 MiB", 0.65, "copy", "c4m", 100, ONE_READ),
                ("copy 1 MiB, out= : attach().copy()", 0.3, "copy_into", "c1m", 300, PLACE_OF_COPY),
            )
        ),
    ]


def other_rows(store: Store) -> list[Row]:
    """What else Python has for an array of 80 kB that processes share."""
    others = [
        ("multiprocessing.shared_memory", "attach_shared_memory"),
        ("numpy.memmap", "attach_memmap"),
        ("np.load(mmap_mode='r+')", "attach_npy"),
        ("joblib.load(mmap_mode='r')", "attach_joblib"),
        ("pyarrow.ipc.read_tensor", "attach_arrow"),
    ]
    return [
        *(
            Row(
                f"attach + detach : {other}",
                1.0,
                worker("attach", "x", 3000),
                worker(row, "other.npy", 1000),
                floor=floor("attach", store / "x", 3000),
                rounds=FEW,
            )
            for other, row in others
        ),
        Row(
            "create + delete : multiprocessing.shared_memory",
            1.0,
            worker("create_delete", "n", 2000),
            worker("create_shared_memory", "other", 1000),
            floor=floor("create", store / "f", 2000),
            rounds=FEW,
        ),
    ]


def together(what: str, goal: float, row: str, count: int, **more) -> Row:
    command: Command = [PYTHON, HERE / "together.py", row, "event", str(count)]
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
        together("contended by 16 processes : the same", 1.0, "contended_16", 10_000),
        *(
            together(f"{what}, {processes} at once", 1.0, f"{row}_{processes}", count, why=why)
            for what, row, count, why in (
                ("attach + detach", "attach", 1000, ONE_OPEN),
                ("create + delete", "create_delete", 500, WHOLE_AT_ONCE),
                ("copy 64 KiB", "copy", 1000, ONE_READ),
            )
            for processes in (1, 4, 16)
        ),
        together(
            "notify + wait, there and back : pipes",
            1.0,
            "ping_pong",
            10_000,
            floor=floor("ping_pong", "", 10_000),
            why="Both are mostly what the floor is: waking the other process and falling asleep.",
        ),
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
        *(
            Row(
                what,
                goal,
                worker(row, mount / "big", count),
                worker(row, store / "big", count),
                at_least=True,
            )
            for what, goal, row, count in (
                ("memory through the mount : direct", 0.98, "memory", 10),
                ("read() 1 MiB blocks, mount : store", 0.25, "read", 5),
                ("write() 1 MiB blocks, mount : store", 0.25, "write", 5),
            )
        ),
        *(
            Row(
                f"{what} 256 MiB, mount : store",
                4.0,
                worker(row, mount / ours, 3),
                worker(row, store / peer, 3),
                rounds=FEW,
                why="The daemon copies what is asked for between the store and the kernel, and an "
                "npy file once more through the kernel's cache.",
            )
            for what, row, ours, peer in (
                ("cat", "cat", "big", "big"),
                ("dd", "dd", "big", "big"),
                ("cp from", "cp", "big", "big"),
                ("rsync from", "rsync", "big", "big"),
                ("cp to", "copy_in", "", ""),
                ("np.load", "load_npy", ".npy/big.npy", "file.npy"),
            )
        ),
    ]


def through(mount: Mount | None, command: Command) -> Command:
    """The same by this module through the mount, or, where there is none, directly."""
    where = ["SHARR_VIA=mount", f"SHARR_MOUNT={mount}"] if mount else ["SHARR_VIA=shm"]
    return ["env", f"PYTHONPATH={PYMOD}", *where, *command]


def attach_rows(mount: Mount, pinned: Mount, processor: int) -> list[Row]:
    """The daemon of `pinned` runs on that processor only."""
    command = worker("attach", "x", 3000)
    there = ["taskset", "-c", str(processor)]
    what = "attach through the mount : direct"
    why = (
        "The floor is an open, a map and their end, nothing else, of a file in the mount: opening "
        "it is a request that the daemon has to answer, and so a switch to another process and "
        "back, whoever opens it. On an idle machine that wakes one processor, and then the other: "
        "what that takes is what the row with both on one processor takes less. sharr also reads "
        "the tail, out of the map."
    )
    return [
        Row(
            words,
            5.0,
            through(of, [*where, *command]),
            through(None, [*where, *command]),
            floor=[*where, *floor("map", of / "x", 3000)],
            why=why,
        )
        for words, of, where in (
            (what, mount, []),
            (f"{what}, daemon and caller on one processor", pinned, there),
        )
    ]


def in_store(store: Store, command: Command) -> Command:
    """The same by this module in another store than the row's."""
    return ["env", f"PYTHONPATH={PYMOD}", f"SHARR_STORE={store}", *command]


def huge_rows(store: Store, huge: Store) -> list[Row]:
    """In a tmpfs that gives huge pages, against one that does not."""
    touch = worker("touch_all", "n", 3)
    why = (
        "A huge page has to be found, and be free: memory in pieces gives fewer. What the first "
        "touch of so much memory takes differs on a virtual machine from minute to minute."
    )
    return [
        *(
            Row(
                f"create + fill {size}, huge pages : 4 KiB",
                0.15,
                in_store(huge, worker(row, "n", 1)),
                worker(row, "n", 1),
                rounds=FEW,
                why=why,
            )
            for size, row in SIZES_FILLED
        ),
        Row(
            "attach + touch 1 GiB, huge pages : 4 KiB",
            0.05,
            in_store(huge, touch),
            in_store(store, touch),
            within=True,
            rounds=FEW,
            why=why,
        ),
    ]


def watched_row(store: Store, mount: Mount) -> Row:
    """Once the mount has been listed, its daemon watches the store; it goes on to."""
    command = worker("attach", "x", 3000)
    return Row(
        "attach + detach, a daemon watching",
        0.75,
        ["sh", "-c", 'ls "$0" >/dev/null && exec "$@"', mount.path, *command],
        command,
        floor=floor("attach", store / "x", 3000),
        why="As without a daemon: it watches for what changes, and attaching changes nothing.",
    )


def listing_rows(crowd: Store, mount: Mount) -> list[Row]:
    """`ls -l`, and before it that of a mount which has not been looked at yet."""
    store = worker("ls_long", crowd.path, 5)
    first = ["env", f"SHARRFS={SHARRFS}", *worker("ls_first", crowd.path, 1)]
    files = floor("list", crowd.path, 5)
    return [
        both(
            f"list {ARRAYS_LISTED}, first",
            1.0,
            "list_first",
            "",
            1,
            floor=files,
            why="Each file is opened and read, which the floor is.",
        ),
        both(
            f"list {ARRAYS_LISTED}, repeated",
            0.3,
            "list",
            "",
            5,
            floor=files,
            why="Each file is asked for its ctime, which tells whether it has changed; the floor "
            "opens and reads each.",
        ),
        Row(
            f"first ls -l of {ARRAYS_LISTED}, mount : store",
            3.0,
            first,
            store,
            floor=files,
            rounds=FEW,
            why="Whether a file is an array, and how long its data are, stands in its tail: the "
            "daemon opens and reads each file once, which ls in the store does not. The floor is "
            "this alone.",
        ),
        Row(
            f"repeated ls -l of {ARRAYS_LISTED}, mount : store",
            1.5,
            worker("ls_long", mount.path, 5),
            store,
            rounds=FEW,
        ),
    ]
