# SPDX-License-Identifier: BSD-3-Clause
"""sharr list."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import numpy as np
import pytest
from support.wait import wait_for


def lines_of(done):
    return done.out.splitlines()


def test_row_of_an_array(sa, sharr):
    sa.create("pictures", (3, 4), "i2")
    head, row = lines_of(sharr("list"))
    assert head.split() == ["NAME", "DTYPE", "SHAPE", "SIZE", "OWNER", "AGE", "ATTACHED"]
    assert re.fullmatch(r"pictures +int16 +\(3, 4\) +24 B +root +\ds +\d*\+?\??", row)


def test_empty_store_is_a_head_and_an_empty_array(sharr):
    assert len(lines_of(sharr("list"))) == 1
    assert sharr("list", "--json").json == []


def test_foreign_files_are_passed_over(sa, sharr, store):
    (store / "foreign").write_bytes(b"x" * 5000)
    sa.create("x", 1)
    assert [row[0] for row in sharr("list").rows] == ["x"]


def test_json_has_everything(sa, sharr, store):
    a = sa.create("x", (3, 4), "M8[us]", order="F", mode=0o640)
    (item,) = sharr("list", "--json").json
    created = sa.info("x").created
    unreadable = item.pop("unreadable_processes")
    assert unreadable >= 0
    assert item == {
        "name": "x",
        "file": str(store / "x"),
        "dtype": "datetime64[us]",
        "descr": "<M8[us]",
        "shape": [3, 4],
        "order": "F",
        "nbytes": 96,
        "taken_bytes": os.stat(store / "x").st_blocks * 512,
        "owner": "root",
        "uid": os.getuid(),
        "gid": os.getgid(),
        "mode": "0640",
        "created": created,
        "creator": os.getpid(),
        "creator_running": True,
        "attached": [os.getpid()],
    }
    del a


def test_json_descr_of_a_structured_dtype_is_that_of_npy(sa, sharr):
    sa.create("x", 2, [("a", "<i4"), ("b", "<f8", (2, 3))])
    (item,) = sharr("list", "--json").json
    assert item["descr"] == [["a", "<i4"], ["b", "<f8", [2, 3]]]


def test_json_is_one_object_a_line(sa, sharr):
    for name in "abc":
        sa.create(name, 1)
    first, *objects, last = lines_of(sharr("list", "--json"))
    assert (first, last) == ("[", "]")
    assert [json.loads(text.rstrip(","))["name"] for text in objects] == ["a", "b", "c"]


def test_name_that_is_not_utf8_comes_back_from_json(sa, sharr):
    name = b"caf\xe9-\xff"
    sa.create(name, 1)
    (item,) = sharr("list", "--json").json
    assert item["name"] == "caf\udce9-\udcff"
    assert sharr("info", os.fsencode(item["name"])).code == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"two\nlines", r"$'two\nlines'"),
        (b"\x1b[31mred", r"$'\x1b[31mred'"),
        (b"caf\xe9", r"$'caf\xe9'"),
        (b"it's\t", r"$'it\'s\t'"),
        (b"a blank", "'a blank'"),
        ("größe".encode(), "größe"),
        ("\u202eevil".encode(), r"$'\xe2\x80\xaeevil'"),
    ],
    ids=repr,
)
def test_name_is_on_one_line_and_as_a_shell_takes_it(sa, sharr, name, shown):
    sa.create(name, 1)
    _, row = lines_of(sharr("list"))
    assert row.startswith(f"{shown}  ")
    command = ["bash", "-c", f"printf %s {shown}"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == name


def test_group(sa, sharr, store):
    (store / "run1").mkdir()
    sa.create("run1/x", 1)
    sa.create("y", 1)
    assert [row[0] for row in sharr("list", "run1").rows] == ["run1/x"]
    assert [row[0] for row in sharr("list").rows] == ["y"]


@pytest.mark.parametrize("group", ["run1/", "shm://run1", "/run1"])
def test_group_however_it_is_written(sa, sharr, store, group):
    (store / "run1").mkdir()
    sa.create("run1/x", 1)
    assert sharr("list", "-0", group).raw == b"run1/x\0"


def test_missing_group_is_told(sharr):
    done = sharr("list", "nothing")
    assert (done.code, done.out) == (1, "")
    assert done.err == "sharr: nothing: No such file or directory\n"


def test_attached_is_the_number_of_processes(sa, sharr, python):
    sa.put("x", np.zeros(3))
    before = sharr("list", "--json").json[0]["attached"]
    others = [python(), python()]
    for other in others:
        other.run("a = sa.attach('x'); b = sa.attach('x')")
    item = sharr("list", "--json").json[0]
    assert before == []
    assert item["attached"] == sorted(other.pid for other in others)
    assert re.fullmatch(r"2(\+\?)?", sharr("list").rows[0][-1])


@pytest.mark.fuse
def test_attached_through_the_mount_counts(sa, sharr, python, mount):
    sa.put("x", np.zeros(3))
    point = mount()
    other = python()
    other.run("a = sa.attach(f'file://{point}/x', readonly=True)", point=str(point))
    assert sharr("list", "--json").json[0]["attached"] == [other.pid]
    other.run("del a")


def test_same_inode_number_of_another_store_does_not_count(sa, sharr, store, python):
    there = store()
    sa.put("x", np.zeros(3))
    other = python(SHARR_STORE=str(there))
    other.run("sa.put('x', [0.0]); a = sa.attach('x')")
    assert os.stat(there / "x").st_ino == os.stat(store / "x").st_ino
    assert sharr("list", "--json").json[0]["attached"] == []


def test_process_that_may_not_be_looked_at_is_a_question_mark(sa, as_nobody):
    a = sa.create("x", 3)
    code, out, err = as_nobody("list")
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[-1] == "?"
    del a


def test_process_that_may_not_be_looked_at_is_counted_in_json(sa, as_nobody):
    a = sa.create("x", 3)
    _, out, _ = as_nobody("list", "--json")
    (item,) = json.loads(out)
    assert item["attached"] == []
    assert item["unreadable_processes"] > 0
    del a


def test_array_that_may_not_be_read_is_passed_over(sa, as_nobody):
    sa.create("secret", 3, mode=0o600)
    sa.create("open", 3, mode=0o644)
    _, out, _ = as_nobody("list")
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", "open"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("name", ["a", "b", "c"]),
        ("size", ["b", "c", "a"]),
        ("age", ["c", "b", "a"]),
        ("dtype", ["c", "a", "b"]),
    ],
)
def test_sort(sa, sharr, key, expected):
    for name, shape, dtype in (("a", 1, "i2"), ("b", 100, "i4"), ("c", 10, "f8")):
        sa.create(name, shape, dtype)
    assert [row[0] for row in sharr("list", "--sort", key).rows] == expected
    assert [row[0] for row in sharr("list", "--sort", key, "-r").rows] == expected[::-1]


def test_sort_by_attached(sa, sharr):
    for name in "abc":
        sa.put(name, [1.0])
    held = sa.attach("b")
    assert [row[0] for row in sharr("list", "--sort", "attached").rows] == ["b", "a", "c"]
    del held


def test_names_for_xargs(sa, sharr, store, environment, on_path):
    for name in (b"a b", b"c\nd", b"\xff"):
        sa.create(name, 1)
    done = sharr("list", "-0")
    assert done.raw == b"a b\0c\nd\0\xff\0"
    command = [f"{on_path}/sharr list -0 | xargs -0 {on_path}/sharr delete"]
    subprocess.run(["bash", "-c", *command], env=environment, check=True)
    assert store.names() == []


def test_array_of_the_original_has_no_age(sharr, old):
    old.run("sa.create('x', 3)")
    (row,) = sharr("list").rows
    assert row[:2] == ["x", "float64"]
    assert row[-2] == "?"
    assert sharr("list", "--json").json[0]["created"] is None


def test_true_dtype_is_shown_whatever_programs_want(sa, sharr):
    sa.create("x", 2, [("a", "<i4")])
    (item,) = sharr("list", "--json", env={"SHARR_STRUCTURED": "void"}).json
    assert item["descr"] == [["a", "<i4"]]


def test_terminal_narrower_than_the_table(sa, terminal):
    sa.create("n" * 100, (1, 2, 3), [("a", "<i4"), ("b", "<f8", (2, 3))])
    for columns in (120, 80, 40, 20):
        screen = terminal("list", columns=columns)
        assert screen.end() == 0
        head, row = screen.lines
        assert len(head) <= columns
        assert len(row) <= columns
        assert row.startswith("nnnnnnnnnn")
        assert "…" in row


def test_wide_characters_take_two_columns(sa, terminal):
    sa.create("数" * 30, 3)
    sa.create("x", 3)
    screen = terminal("list", columns=60)
    assert screen.end() == 0
    _, plain, wide = screen.lines
    assert wide.count("数") + len(wide) == len(plain)


def test_file_gets_everything(sa, sharr):
    name = "n" * 200
    sa.create(name, 3)
    assert sharr("list", env={"COLUMNS": "40"}).rows[0][0] == name


def test_colour_only_on_a_terminal_that_wants_it(sa, sharr, terminal):
    sa.create("x", 3)
    plain = [terminal("list", env={"NO_COLOR": "1"}), terminal("list", env={"TERM": "dumb"})]
    coloured = terminal("list")
    for screen in (coloured, *plain):
        screen.end()
    assert "\x1b[1m" in coloured.raw
    assert [screen.raw.count("\x1b") for screen in plain] == [0, 0]
    assert "\x1b" not in sharr("list").out


def test_watch_shows_what_comes(sa, terminal):
    screen = terminal("list", "--watch", "0.05")
    screen.expect("0 arrays")
    sa.create("newcomer", 3)
    screen.expect("1 array, 24 B")
    screen.expect("newcomer")
    screen.type("\x03")
    assert screen.end() == 0
    assert "Traceback" not in screen.raw


def test_watch_cuts_what_the_terminal_has_no_lines_for(sa, terminal):
    for i in range(40):
        sa.create(f"x{i:02}", 3)
    screen = terminal("list", "--watch", lines=10)
    screen.expect("… and 33 more")
    screen.type("\x03")
    assert screen.end() == 0
    assert "x06" in screen.raw
    assert "x07" not in screen.raw


def test_watch_into_a_pipe_repeats_the_table(sa, start):
    sa.create("x", 3)
    process = start("list", "--watch", "0.05")
    seen = [process.stdout.readline() for _ in range(8)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert [line.split()[0] for line in seen if line.startswith(b"x")] == [b"x", b"x"]
    assert (process.returncode, err) == (0, b"")


def test_arrays_that_come_and_go_meanwhile(sa, sharr, python, store):
    sa.create("stays", 3)
    other = python()
    other.start(
        "while not os.path.exists(stop): sa.create('x', 3); sa.delete('x')", stop=f"{store}/stop"
    )
    wait_for(lambda: len(store.names()) > 1)
    for _ in range(5):
        done = sharr("list")
        assert (done.code, done.err) == (0, "")
        assert "stays" in [row[0] for row in done.rows]
    (store / "stop").touch()
    other.result()


@pytest.mark.slow
def test_100_000_arrays(sa, sharr, store, monkeypatch, start):
    many = store(size="2g")
    monkeypatch.setenv("SHARR_STORE", str(many))
    for i in range(100_000):
        sa.create(f"x{i:06}", 3, reserve=False)
    where = {"SHARR_STORE": str(many)}
    assert len(sharr("list", env=where).rows) == 100_000
    assert len(sharr("list", "--json", env=where).json) == 100_000
    maps = next(f for f in sharr("doctor", "--json", env=where).json if f["check"] == "maps")
    assert maps["status"] == "WARN"
    assert "vm.max_map_count" in maps["mend"]
