# SPDX-License-Identifier: BSD-3-Clause
"""A progress bar for what takes long: by tqdm, on a terminal, where it is installed."""

import sys
from contextlib import contextmanager

from .text import quoted

_LARGE_BYTES = 64 << 20


@contextmanager
def bar(name, total_bytes):
    """A function to be called with the number of bytes that have been done since."""
    tqdm = None
    if total_bytes >= _LARGE_BYTES and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            tqdm = None
    if tqdm is None:
        yield lambda count: None
        return
    with tqdm(
        total=total_bytes, desc=quoted(name), unit="B", unit_scale=True, unit_divisor=1024
    ) as shown:
        yield shown.update
