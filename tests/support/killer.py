# SPDX-License-Identifier: BSD-3-Clause
"""Kills a process at its Nth system call from the first request on that it reads.

Started as a script: killer.py PID N. Prints "ready" when all threads of PID are watched. The calls
of all threads are counted together, and the Nth is not made. Ended by SIGTERM it prints how many
there were, and the process goes on unwatched. strace counts for each thread and each call alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys

SYSCALL, SEIZE, INTERRUPT, GET_SYSCALL_INFO = 24, 0x4206, 0x4207, 0x420E
SYSGOOD, FOLLOW_CLONE = 0x1, 0x8
ALL_CHILDREN = 0x40000000
SYSCALL_STOP = signal.SIGTRAP | 0x80
ENTRY, EXIT = 1, 2
READ = 0  # on x86-64

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request: int, thread: int, address: int = 0, data: int | ctypes.Array = 0) -> None:
    """A thread that is gone is none to ask."""
    pointer = data if isinstance(data, int) else ctypes.addressof(data)
    libc.ptrace(request, thread, address, pointer)


def syscall_info(thread: int) -> tuple[int, int]:
    """ENTRY or EXIT; at entry the number of the call, at exit what it returns."""
    info = ctypes.create_string_buffer(88)
    ptrace(GET_SYSCALL_INFO, thread, len(info), info)
    (first,) = struct.unpack_from("q", info, 24)
    return info.raw[0], first


class Counter:
    def __init__(self, process: int, fatal: int) -> None:
        self.process, self.fatal = process, fatal
        self.count = 0
        self.started = False
        self.calls: dict[int, int] = {}

    def attach(self) -> None:
        for thread in map(int, os.listdir(f"/proc/{self.process}/task")):
            ptrace(SEIZE, thread, 0, SYSGOOD | FOLLOW_CLONE)
            ptrace(INTERRUPT, thread)
            os.waitpid(thread, ALL_CHILDREN)
            ptrace(SYSCALL, thread)

    def at_syscall(self, thread: int) -> None:
        where, value = syscall_info(thread)
        if where == ENTRY:
            self.calls[thread] = value
            self.count += self.started
            if self.started and self.count == self.fatal:
                os.kill(self.process, signal.SIGKILL)
        elif self.calls.get(thread) == READ and value > 0:
            self.started = True

    def run(self) -> None:
        while True:
            try:
                thread, status = os.waitpid(-1, ALL_CHILDREN)
            except ChildProcessError:
                return
            if not os.WIFSTOPPED(status):
                continue
            stop = os.WSTOPSIG(status)
            event = status >> 16
            if stop == SYSCALL_STOP:
                self.at_syscall(thread)
            ptrace(SYSCALL, thread, 0, 0 if event or stop == SYSCALL_STOP else stop)


def main(process: str, fatal: str) -> None:
    counter = Counter(int(process), int(fatal))

    def end(*_) -> None:
        os.write(1, b"%d\n" % counter.count)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    counter.attach()
    os.write(1, b"ready\n")
    counter.run()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    end()


if __name__ == "__main__":
    main(*sys.argv[1:])
