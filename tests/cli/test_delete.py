# SPDX-License-Identifier: BSD-3-Clause
"""sharr delete: only what was meant, and never without being asked where that matters."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def arrays(sa):
    for name in ("a1", "a2", "b1"):
        sa.create(name, 3)


def test_one(arrays, sharr, store):
    done = sharr("delete", "a1")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert store.names() == ["a2", "b1"]


def test_several_names_where_nobody_can_be_asked(arrays, sharr, store):
    assert sharr("delete", "a1", "b1").code == 0
    assert store.names() == ["a2"]


def test_who_has_it_attached_keeps_it(sa, sharr):
    a = sa.create("x", 3)
    a[:] = 7
    assert sharr("delete", "x").code == 0
    assert a.tolist() == [7, 7, 7]


def test_name_is_taken_byte_by_byte(sa, sharr, store):
    for name in (b"caf\xe9", b"-x", b" blank\n"):
        sa.create(name, 1)
        assert sharr("delete", "--", name).code == 0
    assert store.names() == []


def test_missing_one_is_told_and_the_others_deleted(arrays, sharr, store):
    done = sharr("delete", "nothing", "a1")
    assert (done.code, done.err) == (1, "sharr: nothing: No such file or directory\n")
    assert store.names() == ["a2", "b1"]


def test_foreign_file_is_left_alone(sharr, store):
    (store / "foreign").write_bytes(b"x" * 5000)
    done = sharr("delete", "foreign")
    assert done.code == 1
    assert "holds no array" in done.err
    assert store.names() == ["foreign"]


def test_pattern(arrays, sharr, store):
    (store / "a-foreign").write_bytes(b"x")
    assert sharr("delete", "--yes", "--pattern", "a*").code == 0
    assert store.names() == ["a-foreign", "b1"]


def test_pattern_in_a_group(arrays, sa, sharr, store):
    (store / "run[1]").mkdir()
    sa.create("run[1]/a1", 3)
    sa.create("run[1]/b1", 3)
    assert sharr("delete", "-f", "--pattern", "run[1]/a*").code == 0
    assert store.names() == ["a1", "a2", "b1", "run[1]"]
    assert os.listdir(store / "run[1]") == ["b1"]


def test_pattern_without_a_match_is_told(arrays, sharr, store):
    done = sharr("delete", "--yes", "--pattern", "z*")
    assert (done.code, done.err) == (1, "sharr: 'z*': matches no array\n")


def test_pattern_is_refused_where_nobody_can_be_asked(arrays, sharr, store):
    done = sharr("delete", "--pattern", "a*")
    assert done.code == 2
    assert "--yes" in done.err
    assert store.names() == ["a1", "a2", "b1"]


def test_dry_run_deletes_nothing(arrays, sharr, store):
    done = sharr("delete", "--dry-run", "b1", "--pattern", "a*")
    assert (done.code, done.out) == (0, "would delete b1\nwould delete a1\nwould delete a2\n")
    assert store.names() == ["a1", "a2", "b1"]


def test_one_name_on_a_terminal_is_not_asked_about(arrays, terminal, store):
    assert terminal("delete", "a1").end() == 0
    assert store.names() == ["a2", "b1"]


@pytest.mark.parametrize("arguments", [["a1", "a2"], ["--pattern", "a*"]], ids=" ".join)
def test_yes_on_a_terminal(arrays, terminal, store, arguments):
    screen = terminal("delete", *arguments)
    screen.expect("a1 .*float64.*24 B")
    screen.expect("a2 .*float64.*24 B")
    screen.expect(r"Delete 2 arrays \(48 B\)\? \[y/N\] ")
    screen.type("y\n")
    assert screen.end() == 0
    assert store.names() == ["b1"]


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "\x03"], ids=repr)
def test_anything_else_deletes_nothing(arrays, terminal, store, answer):
    screen = terminal("delete", "a1", "a2")
    screen.expect(r"\[y/N\] ")
    screen.type(answer)
    assert screen.end() in (1, 130)
    assert store.names() == ["a1", "a2", "b1"]


def test_pattern_that_matches_one_is_asked_about(arrays, terminal, store):
    screen = terminal("delete", "--pattern", "b*")
    screen.expect(r"Delete 1 array \(24 B\)")
    screen.type("n\n")
    assert screen.end() == 1
    assert "b1" in store.names()


@pytest.mark.parametrize("flag", ["-f", "--yes"])
def test_nothing_is_asked_if_told_so(arrays, terminal, store, flag):
    assert terminal("delete", flag, "--pattern", "*").end() == 0
    assert store.names() == []


def test_question_shows_some_and_counts_the_rest(sa, terminal):
    for i in range(50):
        sa.create(f"x{i:02}", 3)
    screen = terminal("delete", "--pattern", "x*")
    screen.expect("x19 ")
    screen.expect("… and 30 more")
    screen.expect(r"Delete 50 arrays \(1\.2 KiB\)")
    screen.type("n\n")
    screen.end()


def test_array_of_somebody_else_is_told(sa, as_nobody):
    sa.create("x", 3)
    code, out, err = as_nobody("delete", "x")
    assert (code, out) == (1, "")
    assert err.startswith("sharr: x: Operation not permitted: in ")
    assert "only uid 0, whose array it is" in err
