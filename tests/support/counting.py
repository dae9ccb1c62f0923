# SPDX-License-Identifier: BSD-3-Clause
"""How many system calls and instructions one round of a program's loop takes.

The program is run twice, with N rounds and with 2 N: the difference is what N of them take, and
starting Python does not count. Neither depends on what else the machine does.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

# What differs between two runs of the same program: the order of sets, and threads that wait.
STEADY = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
SEEN = 0.05  # a call that fewer rounds than this make is not part of the loop

Command = list  # of str and os.PathLike


def report_of(command: Command, environment: dict[str, str]) -> str:
    """What a tool writes into the file whose name takes the place of `REPORT`."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report")
        command = [os.fspath(word).replace("REPORT", str(report)) for word in command]
        subprocess.run(
            command, env={**environment, **STEADY}, stdout=subprocess.DEVNULL, check=True
        )
        return report.read_text()


def calls_in(summary: str) -> dict[str, int]:
    """By name, of what `strace -c` writes: the fourth column and the last."""
    rows = [line.split() for line in summary.splitlines()]
    rows = [words for words in rows if len(words) >= 5 and words[3].isdigit()]
    return {words[-1]: int(words[3]) for words in rows if words[-1] != "total"}


def as_it_is(command: Command) -> Command:
    return command


def system_calls(
    command: Callable[[int], Command],
    environment: dict[str, str],
    placed: Callable[[Command], Command] = as_it_is,
    rounds: int = 200,
) -> dict[str, float]:
    """By name, of one round; command(N) is what runs N rounds, all its processes counted; placed
    puts a command where it shall run."""
    strace = ["strace", "-f", "-c", "-o", "REPORT"]
    once, twice = (
        calls_in(report_of(placed([*strace, *command(n)]), environment))
        for n in (rounds, 2 * rounds)
    )
    each = {name: round((twice[name] - once.get(name, 0)) / rounds, 2) for name in twice}
    return {name: count for name, count in sorted(each.items()) if count >= SEEN}


def instructions(
    command: Callable[[int], Command],
    environment: dict[str, str],
    placed: Callable[[Command], Command] = as_it_is,
    rounds: int = 2000,
) -> float:
    """Of one round in the process that is started, those of the kernel not among them."""
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
    valgrind += ["--log-file=REPORT", "--cachegrind-out-file=/dev/null"]
    counts = []
    for n in (rounds, 2 * rounds):
        report = report_of(placed([*valgrind, *command(n)]), environment)
        (count,) = re.findall(r"I +refs: +([\d,]+)", report)
        counts.append(int(count.replace(",", "")))
    return (counts[1] - counts[0]) / rounds
