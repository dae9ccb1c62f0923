# SPDX-License-Identifier: BSD-3-Clause
"""strace on the daemon of a mount for a while."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

from support.build import native_environment
from support.mount import Mount


@contextlib.contextmanager
def traced(mounted: Mount, trace: str | os.PathLike, *expressions: str) -> Iterator[None]:
    """What the expressions ask for (-e) is written to the file `trace`, calls as they begin."""
    (pid,) = mounted.pids()
    options = [word for expression in expressions for word in ("-e", expression)]
    command = ["strace", "-f", "-o", trace, *options, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=native_environment()) as strace:
        strace.stderr.readline()  # attached
        try:
            yield
        finally:
            strace.terminate()
