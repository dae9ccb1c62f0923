# SPDX-License-Identifier: BSD-3-Clause
"""What was measured, as lines on the terminal, and as docs/bench.md with its picture."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from growth import Growth
from rows import FEW, MANY, PYTHON, Counted, Row
from support.build import SHARRFS

PACKAGES = ("numpy", "SharedArray", "joblib", "pyarrow")
HEADING = f"{'what (µs)':<48}{'floor':>12}{'peer':>12}{'sharr':>12}{'ratio':>9}  goal"
PICTURE = "bench.svg"
BY_NUMBER_PICTURE = "bench-number.svg"
BY_SIZE_PICTURE = "bench-size.svg"
MARKERS = "osDv^x"

PAGE = """\
# Measured

`./dev bench` has measured and written this page.

<!-- not run: it takes minutes, and writes this page -->

```sh
./dev bench
```

On {machine}, {kernel}; {versions}.

Only the ratios count: how long something takes differs between machines, and from one minute to the
next. Both sides of a row are run in turns, {few} or {many} times each, every time in a process of
its own, and the ratio is the median of the ratios of neighbours. The times are the shortest of all.
The floor is what the system calls that cannot be done without take in C.

Where a colon stands, sharr does what is before it, and the peer what is after it; elsewhere both do
the same, and the peer is SharedArray {original}. Where the goal is a speed to be kept (≥), the
ratio is that of speeds.

![The ratio of each row to its goal]({picture})

| what | floor | peer | sharr | ratio | goal |
|---|--:|--:|--:|--:|---|
{table}

## From one array to a million

What one of them takes when there are so many. The daemon's memory is what it has more after the
first `ls -l` of its mount.

![Time for one of so many arrays]({by_number_picture})

{by_number}

## From a KiB to 8 GiB

![Time for an array of so many bytes]({by_size_picture})

{by_size}

## Limits of the kernel

- `vm.max_map_count` (65,530 by default): so many arrays a process can have attached at once, less
  its other maps. attach() says so then.
- `RLIMIT_NOFILE`: an attached array needs no descriptor, but for an ephemeral one. The daemon has
  one for each array that is open through the mount, and says ENFILE where there are no more.
- `fs.inotify.max_user_watches`: the daemon takes one for each directory that is listed. Without it
  `ls -l` asks for each array every time.
- The store's own: size and `nr_inodes` of a tmpfs, which `df` and `df -i` tell.

## What is missed

{missed}

## Counted

System calls of one round and, where valgrind is installed, the processor's instructions outside the
kernel: the difference between N and 2 N rounds, so that starting Python is left out. These hardly
depend on the machine, and not on what else it does.

| what | peer | sharr | sharr's system calls | peer, instructions | sharr, instructions |
|---|--:|--:|---|--:|--:|
{counts}
"""


@dataclass
class Result:
    """Of a row; times in ns."""

    row: Row
    floor: float | None
    peer: float
    ours: float
    ratio: float

    @property
    def met(self) -> bool:
        return self.row.is_met(self.ratio)

    def line(self) -> str:
        floor = f"{self.floor / 1e3:12.1f}" if self.floor else f"{'':12}"
        return (
            f"{self.row.what:<48}{floor}{self.peer / 1e3:12.1f}{self.ours / 1e3:12.1f}"
            f"{self.ratio:9.2f}  {goal_of(self.row, '>=', '<=')} {'met' if self.met else 'MISSED'}"
        )

    def of_table(self) -> str:
        floor = readable(self.floor) if self.floor else ""
        times = f"{floor} | {readable(self.peer)} | {readable(self.ours)}"
        end = "" if self.met else ", **missed**"
        return f"| {self.row.what} | {times} | {self.ratio:.2f} | {goal_of(self.row)}{end} |"

    def of_missed(self) -> str:
        floor = f", floor {readable(self.floor)}" if self.floor else ""
        return (
            f"- **{self.row.what}**: {self.ratio:.2f}, goal {goal_of(self.row)}"
            f" ({readable(self.ours)}{floor}). {self.row.why or 'The reason is not known.'}"
        )


@dataclass
class Count:
    """Of an operation: calls by name, and instructions if they could be counted."""

    of: Counted
    peer: dict[str, float]
    ours: dict[str, float]
    peer_instructions: float | None = None
    instructions: float | None = None

    def line(self) -> str:
        calls = f"{self.of.what:<48}{'':12}{total(self.peer):>12}{total(self.ours):>12}"
        if self.instructions is None:
            return calls
        return f"{calls}  instructions {self.peer_instructions:.0f} : {self.instructions:.0f}"

    def of_table(self) -> str:
        names = ", ".join(f"{name} {count:g}" for name, count in self.ours.items())
        many = (
            f"{value:.0f}" if value is not None else ""
            for value in (self.peer_instructions, self.instructions)
        )
        totals = f"{total(self.peer)} | {total(self.ours)}"
        return f"| {self.of.what} | {totals} | {names} | {' | '.join(many)} |"


def total(calls: dict[str, float]) -> str:
    return f"{sum(calls.values()):.1f}".removesuffix(".0")


def goal_of(row: Row, at_least: str = "≥", at_most: str = "≤") -> str:
    return f"{at_least if row.at_least else at_most} {row.goal:.2f}"


def readable(ns: float) -> str:
    unit, size = next(
        (u, s) for u, s in (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1)) if ns >= s or s == 1
    )
    value = ns / size
    return f"{value:.{max(0, 3 - len(str(int(value))))}f} {unit}"


def machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGESIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = f" ({names[0]})" if names else ""
    return f"{os.cpu_count()} CPUs{processor}, {memory:.0f} GiB of memory"


def versions() -> dict[str, str]:
    """Of what was measured, as it says itself."""
    code = f"from importlib.metadata import version\nfor p in {PACKAGES}: print(p, version(p))"
    code += "\nimport platform; print('Python', platform.python_version())"
    listed = subprocess.run([PYTHON, "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    built = subprocess.run([SHARRFS, "-V"], stdout=subprocess.PIPE, check=True, text=True)
    words = [line.split() for line in listed.stdout.splitlines()]
    words += [part.split() for part in built.stdout.split(", ")]
    return dict(words)


@contextmanager
def picture(path: Path, height: float):
    """The axes to draw on. Nothing in the file depends on when or where it was drawn."""
    with tempfile.TemporaryDirectory() as caches:
        os.environ["MPLCONFIGDIR"] = caches
        import matplotlib as mpl

        mpl.use("svg")
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sharr", "font.size": 9})
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(figsize=(9, height))
        yield axes
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def draw(results: list[Result], path: Path) -> None:
    """A bar from 1, where both sides are equal, to the ratio; the goal is a mark on its row."""
    with picture(path, 0.8 + 0.27 * len(results)) as axes:
        places = range(len(results))
        for met, colour, hatch in ((True, "0.75", ""), (False, "white", "////")):
            chosen = [(place, r) for place, r in zip(places, results) if r.met == met]
            axes.barh(
                [place for place, _ in chosen],
                [r.ratio - 1 for _, r in chosen],
                left=1,
                height=0.6,
                color=colour,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.6,
                label="goal met" if met else "goal missed",
            )
        for at_least, marker in ((False, "<"), (True, ">")):
            chosen = [
                (r.row.goal, p) for p, r in zip(places, results) if r.row.at_least == at_least
            ]
            if chosen:
                label = f"goal: {'at least' if at_least else 'at most'}"
                axes.plot(*zip(*chosen), f"k{marker}", markersize=5, label=label)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xscale("log")
        ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
        low = min(r.ratio for r in results)
        axes.set_xticks([tick for tick in ticks if tick > low / 2.5], minor=False)
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_yticks(places, [f"{r.row.what}  {r.ratio:.2f}" for r in results])
        axes.invert_yaxis()
        axes.set_xlabel("ratio of sharr to its peer")
        axes.legend(loc="lower left", fontsize=8)


def draw_growth(grown: list[Growth], path: Path, along: str) -> None:
    """A line for each operation, told apart by its marks, and one for the daemon's memory."""
    counts = [one.count for one in grown]
    with picture(path, 4) as axes:
        for marker, what in zip(MARKERS, grown[0].times_ns):
            times = [one.times_ns[what] / 1e3 for one in grown]
            axes.plot(counts, times, f"k-{marker}", markersize=5, linewidth=0.8, label=what)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(along)
        axes.set_ylabel("µs")
        axes.grid(color="0.9")
        memory = axes.twinx()
        mib = [max(one.daemon_bytes, 0) / 2**20 for one in grown]
        memory.plot(counts, mib, ":", color="0.4", label="daemon's memory (right)")
        memory.set_ylabel("MiB")
        memory.set_ylim(bottom=0)
        lines = [*axes.get_lines(), *memory.get_lines()]
        axes.legend(lines, [line.get_label() for line in lines], loc="upper left", fontsize=8)


def growth_table(grown: list[Growth], first: str) -> str:
    names = list(grown[0].times_ns)
    lines = [
        f"| {first} | {' | '.join(names)} | daemon's memory |",
        "|--:" * (len(names) + 2) + "|",
    ]
    for one in grown:
        times = " | ".join(readable(one.times_ns[name]) for name in names)
        lines.append(f"| {one.count:,} | {times} | {one.daemon_bytes / 2**20:.1f} MiB |")
    return "\n".join(lines)


def write(
    folder: Path, results: list[Result], counts: list[Count], grown: list[list[Growth]]
) -> None:
    """bench.md and its pictures. They come first: a page without one would be half of it."""
    found = versions()
    original = found.pop("SharedArray")
    by_number, by_size = grown
    draw(results, folder / PICTURE)
    draw_growth(by_number, folder / BY_NUMBER_PICTURE, "arrays")
    draw_growth(by_size, folder / BY_SIZE_PICTURE, "bytes")
    page = PAGE.format(
        machine=machine(),
        kernel=f"{platform.system()} {platform.release()}",
        versions=", ".join(f"{name} {number}" for name, number in found.items()),
        original=original,
        few=FEW,
        many=MANY,
        picture=PICTURE,
        table="\n".join(result.of_table() for result in results),
        by_number=growth_table(by_number, "arrays"),
        by_size=growth_table(by_size, "bytes"),
        by_number_picture=BY_NUMBER_PICTURE,
        by_size_picture=BY_SIZE_PICTURE,
        missed="\n".join(r.of_missed() for r in results if not r.met) or "Nothing.",
        counts="\n".join(count.of_table() for count in counts),
    )
    (folder / "bench.md").write_text(page)
