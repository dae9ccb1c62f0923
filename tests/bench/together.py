# SPDX-License-Identifier: BSD-3-Clause
"""One side of a row about processes that work together: `together.py ROW NAME COUNT` prints
nanoseconds. What the module has against what Python's users take: multiprocessing.Lock, which is a
POSIX semaphore, and pipes. Which of them is measured: the module if this process finds this one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time

import SharedArray as sa

OURS = hasattr(sa, "lock")


def timed(loop, count: int) -> float:
    loop(min(count, 100))
    start = time.perf_counter_ns()
    loop(count)
    return (time.perf_counter_ns() - start) / count


def use(lock):
    def loop(count):
        for _ in range(count):
            with lock:
                pass

    return loop


def use_anew(array):
    def loop(count):
        for _ in range(count):
            with sa.lock(array):
                pass

    return loop


def lock_of(name):
    return sa.lock(sa.attach(name)) if OURS else multiprocessing.Lock()


def lock(name, count):
    return timed(use(lock_of(name)), count)


def lock_anew(name, count):
    return timed(use_anew(sa.attach(name)) if OURS else use(lock_of(name)), count)


def at_once(processes, loop_of):
    """All of them do it all the time: per time that one of them did it. loop_of(i) is what process
    i does."""

    def row(name, count):
        ready, go = os.pipe(), os.pipe()
        pids = []
        for i in range(processes):
            pids.append(os.fork())
            if pids[-1] == 0:
                loop = loop_of(name, i)
                os.close(go[1])
                os.write(ready[1], b".")
                os.read(go[0], 1)
                loop(count)
                os._exit(0)
        for _ in pids:
            os.read(ready[0], 1)
        start = time.perf_counter_ns()
        os.close(go[1])
        for pid in pids:
            os.waitpid(pid, 0)
        return (time.perf_counter_ns() - start) / (count * processes)

    return row


def contended(processes):
    """All want the same lock."""

    def row(name, count):
        loop = use(lock_of(name))
        return at_once(processes, lambda name, i: loop)(name, count)

    return row


def repeat(step):
    """The loop of process i, which does step(name, i)."""

    def loop_of(name, i):
        def loop(count):
            for _ in range(count):
                step(name, i)

        return loop

    return loop_of


def create_delete(name, i):
    """Each its own; of the space nothing is used."""
    sa.create(f"{name}-{i}", 10_000, **({"reserve": False} if OURS else {}))
    sa.delete(f"{name}-{i}")


def copy(name, i):
    return sa.copy("c64") if OURS else sa.attach("c64").copy()


def attach(name, i):
    sa.attach("x")


def ping_pong_by_event(name, count):
    ping, pong = sa.attach(name), sa.attach(f"{name}2")
    first, back = sa.event(ping), sa.event(pong)
    total = count + min(count, 100)
    pid = os.fork()
    if pid == 0:
        for i in range(total):
            sa.wait(ping, (first + i) % 2**32)
            sa.notify(pong)
        os._exit(0)

    def loop(count):
        nonlocal back
        for _ in range(count):
            sa.notify(ping)
            back = sa.wait(pong, back)

    took = timed(loop, count)
    os.waitpid(pid, 0)
    return took


def ping_pong_by_pipe(name, count):
    ping, pong = os.pipe(), os.pipe()
    total = count + min(count, 100)
    pid = os.fork()
    if pid == 0:
        for _ in range(total):
            os.read(ping[0], 1)
            os.write(pong[1], b".")
        os._exit(0)

    def loop(count):
        for _ in range(count):
            os.write(ping[1], b".")
            os.read(pong[0], 1)

    took = timed(loop, count)
    os.waitpid(pid, 0)
    return took


ROWS = {
    "lock": lock,
    "lock_anew": lock_anew,
    "contended_2": contended(2),
    "contended_8": contended(8),
    "contended_16": contended(16),
    **{
        f"{step.__name__}_{processes}": at_once(processes, repeat(step))
        for step in (attach, create_delete, copy)
        for processes in (1, 4, 16)
    },
    "ping_pong": ping_pong_by_event if OURS else ping_pong_by_pipe,
}

if __name__ == "__main__":
    row, name, count = sys.argv[1:]
    print(ROWS[row](name, int(count)))
