# SPDX-License-Identifier: BSD-3-Clause
"""A program on a terminal of its own, typed to and read from."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    def __init__(self, command, environment, columns: int = 100, lines: int = 30) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.raw = ""
        self._after = 0
        environment = {k: v for k, v in environment.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def _read(self, deadline: float) -> bool:
        """Whether there was something; the end is when nobody has the terminal any more."""
        if not select.select([self._master], [], [], max(deadline - time.monotonic(), 0))[0]:
            raise AssertionError(f"not in time; the terminal shows {self.raw!r}")
        try:
            part = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.raw += part.decode("utf-8", "surrogateescape")
        return bool(part)

    def expect(self, pattern: str, timeout: float = 20) -> re.Match:
        """Waits for what comes after the last thing that was expected."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.compile(pattern).search(self.raw, self._after)
            if match:
                self._after = match.end()
                return match
            assert self._read(deadline), f"ended without {pattern!r}: {self.raw!r}"

    def type(self, text: str) -> None:
        os.write(self._master, text.encode("utf-8", "surrogateescape"))

    def end(self, timeout: float = 30) -> int:
        """Waits for the program's end; its exit code."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        return self.process.wait(max(deadline - time.monotonic(), 1))

    @property
    def lines(self) -> list[str]:
        """What it printed, without colours."""
        return CONTROL.sub("", self.raw).replace("\r\n", "\n").splitlines()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self._master)
