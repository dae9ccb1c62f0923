# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the library's tests.

`c`      libsharr, with SHARR_STORE set to `store`; what it attached is detached at the end
`other`  other(), other(uid=65534): another process that has its own `c`
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from lib.clib import Library
from support.remote import Remote

NOBODY = 65534


@pytest.fixture
def c(store, monkeypatch):
    monkeypatch.setenv("SHARR_STORE", str(store))
    library = Library()
    yield library
    library.detach_all()


@pytest.fixture
def other(store, remotes):
    def start(uid: int | None = None, **environment: str) -> Remote:
        variables = {"SHARR_STORE": str(store), "PYTHONPATH": str(Path(__file__).parents[1])}
        remotes.append(Remote([sys.executable], {**os.environ, **variables, **environment}))
        remotes[-1].run("import os, signal, numpy as np")
        remotes[-1].run("from lib.clib import *; c = Library()")
        if uid is not None:
            # Only now: the interpreter may lie where that user cannot read.
            remotes[-1].run("os.setgroups([]); os.setgid(uid); os.setuid(uid)", uid=uid)
        return remotes[-1]

    return start
