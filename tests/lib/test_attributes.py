# SPDX-License-Identifier: BSD-3-Clause
"""User attributes: all of a change or none of it, at once for every reader."""

from __future__ import annotations

import os
from errno import E2BIG, ENODATA, ENOSPC, EPERM, ERANGE

import pytest
from lib.clib import READONLY, REPLACE, lasting, refused
from lib.conftest import NOBODY


def test_given_at_create(c):
    attrs = {"units": b"m/s", "axes": b"x,y", "empty": b"", "raw": bytes(range(256))}
    c.create("x", attrs=attrs)
    assert c.attrs("x") == attrs


def test_none(c):
    c.create("x")
    assert c.attrs("x") == {}


def test_set_change_and_remove_at_once(c):
    c.create("x", attrs={"a": b"1", "b": b"2", "c": b"3"})
    c.set_attrs("x", {"a": b"one", "b": None, "d": b"4"})
    assert c.attrs("x") == {"a": b"one", "c": b"3", "d": b"4"}


def test_no_change_at_all(c):
    c.create("x", attrs={"a": b"1"})
    c.set_attrs("x", {})
    assert c.attrs("x") == {"a": b"1"}


def test_array_is_the_same_before_and_after(c):
    array = c.create(
        "x", dtype=">i2", shape=(3, 5), order="F", dtype_name=b"own", attrs={"a": b"1"}
    )
    array.data[:] = 7
    c.set_attrs("x", {"b": b"2"})
    assert lasting(c.stat("x")) == lasting(array.info)
    assert c.attach("x").bytes.tolist() == array.bytes.tolist()
    array.data[0, 0] = 9
    assert c.attach("x", READONLY).data[0, 0] == 9


def test_times_stay(c, store):
    c.create("x")
    os.utime(store / "x", ns=(10**18 + 1, 10**18 + 3))
    c.set_attrs("x", {"a": b"1"})
    found = os.stat(store / "x")
    assert (found.st_atime_ns, found.st_mtime_ns) == (10**18 + 1, 10**18 + 3)


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"absent": None}, ENODATA),
        ({"sharr.npy": b""}, EPERM),
        ({"": b""}, ERANGE),
        ({"n" * 251: b""}, ERANGE),
        ({"big": bytes(4096)}, ENOSPC),
        ({"huge": bytes(70000)}, ENOSPC),
    ],
    ids=lambda value: str(value)[:20],
)
def test_refused_changes_change_nothing(c, store, change, number):
    c.create("x", attrs={"a": b"1"})
    before = (store / "x").read_bytes()
    with refused(number):
        c.set_attrs("x", {"a": b"2", **change})
    assert (store / "x").read_bytes() == before


def test_refused_at_create_leaves_nothing(c, store):
    for attrs in ({"": b""}, {"sharr.x": b""}, {"a": None}, {"a": bytes(66000)}):
        with refused(ERANGE, EPERM, ENODATA, ENOSPC, E2BIG):
            c.create("x", attrs=attrs)
    assert store.names() == []


def test_longest_name(c):
    c.create("x", attrs={"n" * 250: b"1"})
    assert c.attrs("x") == {"n" * 250: b"1"}


def test_large_attributes_at_create(c):
    c.create("x", attrs={"a": bytes(60000)})
    assert len(c.attrs("x")["a"]) == 60000


def test_array_attached_for_reading_only(c, other):
    c.create("x", mode=0o644, attrs={"a": b"1"})
    nobody = other(uid=NOBODY)
    assert nobody.run("c.attrs('x')") == {"a": b"1"}
    with pytest.raises(PermissionError):
        nobody.run("c.set_attrs('x', {'a': b'2'})")


def test_many_changes_do_not_fill_the_store(c, store):
    c.create("x")
    for i in range(2000):
        c.set_attrs("x", {"count": str(i).encode()})
    assert c.attrs("x") == {"count": b"1999"}
    assert os.stat(store / "x").st_blocks * 512 < 256 * 1024


def test_two_writers_take_turns(c, other):
    c.create("x")
    children = [other(), other()]
    for number, child in enumerate(children):
        child.start(f"for i in range(300): c.set_attrs('x', {{'{number}.%d' % (i % 9): b'1'}})")
    for child in children:
        child.result()
    assert sorted(c.attrs("x")) == sorted(f"{n}.{i}" for n in (0, 1) for i in range(9))


def test_reader_sees_one_state_or_the_other(c, other):
    c.create("x", attrs={"a": b"0", "b": b"0"})
    child = other()
    child.start(
        "for i in range(2000):\n"
        "    v = str(i).encode() * (i % 40 + 1)\n"
        "    c.set_attrs('x', {'a': v, 'b': v})\n"
    )
    while child.is_waiting(0):
        found = c.attrs("x")
        assert found["a"] == found["b"]
        assert c.attach("x", READONLY).info.shape == (3,)
        c.detach_all()
    child.result()


def test_killed_in_the_middle(c, other):
    c.create("x", attrs={"a": b"0", "b": b"0"})
    for i in range(8):
        child = other()
        child.start("while True:\n    v = os.urandom(8)\n    c.set_attrs('x', {'a': v, 'b': v})\n")
        child.is_waiting(0.01 * i)
        child.kill()
        found = c.attrs("x")
        assert found["a"] == found["b"]
        assert c.attach("x").info.foreign == 0


def test_full_store_changes_nothing(c, store, monkeypatch):
    small = store(size="64k")
    monkeypatch.setenv("SHARR_STORE", str(small))
    c.create("x", attrs={"a": b"1"})
    (small / "filler").write_bytes(bytes(os.statvfs(small).f_bfree * 4096))
    with refused(ENOSPC):
        for i in range(40):  # until it needs another page
            last = str(i).encode()
            before = (small / "x").read_bytes()
            c.set_attrs("x", {"a": last})
    assert (small / "x").read_bytes() == before
    assert c.attrs("x") == {"a": str(int(last) - 1).encode()} or last == b"0"
    assert c.attach("x").info.shape == (3,)


def test_arrays_of_the_original(c, old, store):
    old.run("a = sa.create('x', (5,), 'i4'); a[:] = 3")
    c.set_attrs("x", {"units": b"m"})
    assert c.attrs("x") == {"units": b"m"}
    assert c.attach("x").data.tolist() == [3] * 5
    assert old.run("sa.attach('x')") == [3] * 5
    assert old.run("a") == [3] * 5


def test_replaced_array_has_its_own(c):
    c.create("x", attrs={"a": b"1"})
    c.create("x", REPLACE)
    assert c.attrs("x") == {}
