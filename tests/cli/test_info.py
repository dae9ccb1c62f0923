# SPDX-License-Identifier: BSD-3-Clause
"""sharr info."""

from __future__ import annotations

import os
import re
import time

import numpy as np
import pytest


def facts(done) -> dict[str, str]:
    return {key: value.strip() for key, value in re.findall(r"^(\w+): (.*)$", done.out, re.M)}


def test_everything_one_a_line(sa, sharr, store):
    a = sa.create("x", (3, 4), "i2", order="F", mode=0o640)
    done = sharr("info", "x")
    found = facts(done)
    assert done.code == 0
    assert found.pop("created").startswith(time.strftime("%Y-%m-%d "))
    assert re.match(rf"{os.getpid()} \S*python", found.pop("creator"))
    assert f"attached: {os.getpid()} " in done.out
    del found["attached"], found["owner"], found["group"]
    assert found == {
        "name": "x",
        "file": str(store / "x"),
        "dtype": "int16",
        "shape": "(3, 4)",
        "order": "F",
        "size": "24 B (24 bytes)",
        "takes": "4.0 KiB of the file system",
        "mode": "0640",
    }
    del a


def test_creator_that_ended_is_told(sharr, python):
    other = python()
    other.run("sa.put('x', np.zeros(3))")
    running = facts(sharr("info", "x"))["creator"]
    other.close()
    assert running.startswith(f"{other.pid} ")
    assert facts(sharr("info", "x"))["creator"] == f"{other.pid} (does not run here any more)"
    assert sharr("info", "--json", "x").json[0]["creator_running"] is False


def test_array_of_the_original(sharr, old):
    old.run("sa.create('x', 3)")
    found = facts(sharr("info", "x"))
    assert found["created"] == "unknown: made by SharedArray 3.x"
    assert found["creator"] == "unknown"


def test_missing_one_is_told_and_the_others_shown(sa, sharr):
    sa.create("x", 3)
    done = sharr("info", "nothing", "x")
    assert (done.code, done.err) == (1, "sharr: nothing: No such file or directory\n")
    assert facts(done)["name"] == "x"


def test_file_that_is_no_array_is_told(sharr, store):
    (store / "foreign").write_bytes(b"x" * 5000)
    done = sharr("info", "foreign")
    assert done.code == 1
    assert done.err == "sharr: foreign: there is a file of that name, but it holds no array\n"


def test_name_with_a_newline_stays_on_one_line_of_stderr(sharr):
    done = sharr("info", b"no\nthing")
    assert done.err == "sharr: $'no\\nthing': No such file or directory\n"


def test_prefixes_and_files(sa, sharr, files):
    sa.create("x", 3)
    sa.create(f"file://{files}/y", 3)
    (files / "link").symlink_to("y")
    held = sa.attach(f"file://{files}/y")
    names = ["shm://x", f"file://{files}/y", f"file://{files}/link", "file://y"]
    found = sharr("info", "--json", *names, cwd=files).json
    assert [item["name"] for item in found] == names
    assert [item["attached"] for item in found] == [[]] + [[os.getpid()]] * 3
    del held


def test_group(sa, sharr, store):
    (store / "run1").mkdir()
    sa.put("run1/x", np.zeros(3))
    assert facts(sharr("info", "run1/x"))["file"] == f"{store}/run1/x"


def test_json_of_several_with_one_missing(sa, sharr):
    sa.create("x", 3)
    done = sharr("info", "--json", "x", "nothing")
    assert done.code == 1
    assert done.out.count('"name"') == 1


@pytest.mark.fuse
def test_name_in_a_mount_counts_who_attached_directly(sa, sharr, python, mount):
    sa.put("x", np.zeros(3))
    point = mount()
    other = python()
    other.run("a = sa.attach('x')")
    (item,) = sharr("info", "--json", f"file://{point}/x").json
    assert item["attached"] == [other.pid]
