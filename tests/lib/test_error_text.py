# SPDX-License-Identifier: BSD-3-Clause
"""What sharr_error() says, to whom and how long; and the version."""

from __future__ import annotations

import threading
from errno import EINVAL, ENOSPC

import pytest
from lib.clib import refused
from support.build import ROOT


def fail_with_words(c):
    with refused(ENOSPC):
        c.create("x", dtype="|u1", shape=(1 << 50,))
    assert "asked for were 1.0 PiB" in c.words()


def test_nothing_at_first(other):
    assert other().run("c.words()") == ""


def test_one_line_that_names_no_array(c):
    fail_with_words(c)
    assert "\n" not in c.words()
    assert not c.words().endswith(".")


def test_next_call_clears_it(c):
    fail_with_words(c)
    c.create("y")
    assert c.words() == ""
    fail_with_words(c)
    with pytest.raises(FileNotFoundError):
        c.attach("none")
    assert c.words() == ""


def test_refused_flags_clear_it_too(c):
    fail_with_words(c)
    with refused(EINVAL):
        c.attach("y", 1 << 30)
    assert c.words() == ""


def test_accessors_and_detach_keep_it(c):
    array = c.create("y")
    fail_with_words(c)
    words = c.words()
    c.c.sharr_info(array.handle)
    array.detach()
    assert c.words() == words


def test_is_of_one_thread(c):
    fail_with_words(c)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(c.words()))
    thread.start()
    thread.join()
    assert seen == [""]
    assert c.words() != ""


def test_very_long_store(c, area, monkeypatch):
    deep = area
    for _ in range(15):
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)
    monkeypatch.setenv("SHARR_STORE", str(deep))
    with refused(ENOSPC):
        c.create("x", dtype="|u1", shape=(1 << 50,))
    assert 100 < len(c.words()) < 4096


def test_version(c):
    assert f"version: '{c.c.sharr_version().decode()}'" in (ROOT / "meson.build").read_text()
