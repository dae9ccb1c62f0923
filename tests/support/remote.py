# SPDX-License-Identifier: BSD-3-Clause
"""Another Python process, kept alive for a whole test, that code is sent to.

    other = python()
    other.run("a = sa.attach(name); a[0] = 7", name="x")
    assert other.run("a.sum()") == 7

The value of the last line, if that is an expression, comes back (arrays as lists, classes
as "numpy.float64"). An exception
comes back as itself where it is a builtin one, with errno and filename, else as RemoteError.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("remote_child.py")


class RemoteError(Exception):
    """An exception of a class that is not builtin; .classes are the names of its bases too."""

    def __init__(self, classes: list[str], args: list) -> None:
        super().__init__(*args)
        self.classes = classes


class RemoteTraceback(Exception):
    """Where it was raised, in the other process."""


class ProcessDied(Exception):
    """The process ended in the middle of an answer; .returncode is negative for a signal."""

    def __init__(self, returncode: int, stderr: str) -> None:
        super().__init__(f"ended with {returncode}: {stderr}")
        self.returncode = returncode


def untag(value: Any) -> Any:
    if isinstance(value, list):
        return [untag(item) for item in value]
    if isinstance(value, dict):
        ((tag, inner),) = value.items()
        if tag == "__bytes__":
            return inner.encode("latin-1")
        if tag == "__complex__":
            return complex(*inner)
        if tag == "__dict__":
            return {untag(k): untag(v) for k, v in inner}
        return tuple(untag(item) for item in inner)
    return value


def rebuild(error: dict) -> Exception:
    known = next((c for c in error["classes"] if hasattr(builtins, c)), "Exception")
    if error["errno"] is not None and "OSError" in error["classes"]:
        filename = untag(error["filename"])
        return OSError(error["errno"], error["strerror"], *([filename] if filename else []))
    if known != error["classes"][0]:
        return RemoteError(error["classes"], error["args"])
    try:
        return getattr(builtins, known)(*error["args"])
    except TypeError:
        return RemoteError(error["classes"], error["args"])


class Remote:
    def __init__(
        self,
        command: list[str | os.PathLike],
        environment: dict[str, str],
        folder: str | os.PathLike | None = None,
    ) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._printed = ""
        self._buffer = b""
        self.process = subprocess.Popen(
            [*command, CHILD],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def run(self, code: str, timeout: float = 60, **names: Any) -> Any:
        self.start(code, **names)
        return self.result(timeout)

    def start(self, code: str, **names: Any) -> None:
        """Without waiting: for code that blocks, or that several processes run at once."""
        line = json.dumps({"code": code, "names": names}).encode() + b"\n"
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def result(self, timeout: float = 60) -> Any:
        answer = json.loads(self._line(time.monotonic() + timeout))
        if "error" in answer:
            raise rebuild(answer["error"]) from RemoteTraceback(answer["error"]["traceback"])
        return untag(answer["value"])

    def is_waiting(self, seconds: float) -> bool:
        """Whether no answer has come for so long: for code that is expected to block."""
        return not select.select([self.process.stdout], [], [], seconds)[0]

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            if self.is_waiting(max(deadline - time.monotonic(), 0)):
                self.kill()
                raise TimeoutError(f"no answer in time; it printed: {self.stderr()}")
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            if not part:
                raise self._died()
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def stderr(self) -> str:
        """What it has printed so far."""
        if not self._errors.closed:
            self._errors.seek(0)
            self._printed = self._errors.read().decode(errors="replace")
        return self._printed

    def _died(self) -> ProcessDied:
        return ProcessDied(self.process.wait(10), self.stderr())

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Sends the signal and waits for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(10)

    def close(self, timeout: float = 10) -> int:
        """Lets it end as a program does that is through; the exit code. Twice is no harm."""
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self.stderr()
            self._errors.close()
