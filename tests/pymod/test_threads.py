# SPDX-License-Identifier: BSD-3-Clause
"""Every call from sixteen threads at once, on the same few names and on the same arrays.

What one of them finds is what some order of the calls explains: an array is whole, and the errors
are those of names that come and go.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

THREADS = 16
ROUNDS = 400
NAMES = [f"x{i}" for i in range(4)]
DTYPES = ["f8", ">i4", "u1", "i4,f8", "S7", "M8[ms]", [("a", "u1"), ("b", ("<f4", (2,)))]]


class Calls:
    """Each method makes one public call, or what belongs together, and checks what it gets."""

    def __init__(self, sa, seed):
        self.sa = sa
        self.chance = random.Random(seed)
        self.turns = sa.attach("turns")
        self.marked = sa.attach("marked")
        self.private = np.empty(1000, "i8")

    def name(self):
        return self.chance.choice(NAMES)

    def array(self):
        """One value all over, as many bytes as it has elements of a byte."""
        dtype = np.dtype(self.chance.choice([*DTYPES, f"S{self.chance.randrange(1, 900)}"]))
        a = np.ndarray(self.chance.randrange(1, 300), dtype)
        a.view(f"V{dtype.itemsize}").view("u1")[:] = self.chance.randrange(256)
        return a

    def check_whole(self, a):
        flat = np.frombuffer(a.tobytes(), "u1") if a.dtype.names is None else a.view("u1")
        assert (flat == flat[0]).all()

    def reap(self):
        """All creators live: this process."""
        for name, outcome, why in self.sa.reap(dead_creator=self.chance.random() < 0.5):
            assert outcome != "removed", (name, why)

    def create(self):
        self.sa.create(self.name(), self.chance.randrange(1, 300), self.chance.choice(DTYPES))

    def create_replacing(self):
        self.sa.create(self.name(), (2, 3), "f4", order="F", replace=True)

    def create_or_attach(self):
        a = self.sa.create(self.name(), 3, "i4,f8", exist_ok=True)
        assert (a.shape, a.dtype) == ((3,), np.dtype("i4,f8"))

    def put(self):
        self.sa.put(self.name(), self.array(), replace=self.chance.random() < 0.5)

    def put_gathered(self):
        self.sa.put(self.name(), self.array()[::2], replace=True)

    def building(self):
        value = self.array()
        with self.sa.building(self.name(), value.shape, value.dtype, replace=True) as a:
            a[...] = value

    def building_in_vain(self):
        try:
            with self.sa.building(self.name(), 1000) as a:
                a[:] = 1
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass

    def attach(self):
        self.check_whole(self.sa.attach(self.name(), ro=True))

    def keep(self):
        a = self.sa.attach(self.name())
        self.sa.msync(a, self.sa.MS_ASYNC)
        self.sa.mlock(a[:1])
        self.sa.munlock(a)
        base = a.base
        del a
        assert base.name in NAMES
        assert base.size > memoryview(base).nbytes
        assert str(base.size) in repr(base)

    def copy(self):
        self.check_whole(self.sa.copy(self.name()))

    def copy_out(self):
        self.sa.copy("marked", self.private)

    def list(self):
        for item in self.sa.list():
            assert pickle.loads(pickle.dumps(item)) == item
            assert item.nbytes == item.descr.itemsize * np.prod(item.dims, dtype=int)

    def info(self):
        info = self.sa.info(self.name())
        assert info.nbytes == info.dtype.itemsize * np.prod(info.shape, dtype=int)

    def delete(self):
        self.sa.delete(self.name(), missing_ok=True)

    def lock(self):
        seen = self.sa.event(self.turns)
        with self.sa.lock(self.turns, 60):
            count = int(self.turns[0])
            self.turns[0] = count + 1
            self.turns[1] = count + 1
        self.sa.notify(self.turns)
        assert self.sa.wait(self.turns, seen, 60) != seen

    def write(self):
        try:
            with self.sa.writing(self.marked):
                self.marked[:] = self.chance.randrange(1, 100)
        except OSError as error:
            if error.errno != 16:  # EBUSY: another one is writing
                raise

    def snapshot(self):
        self.check_whole(self.sa.snapshot(self.marked, 60).view("i8").astype("u1"))

    def attrs(self):
        """Two at once, by name and by array: nobody sees one without the other."""
        target = self.chance.choice([self.name(), self.turns])
        attrs = self.sa.attrs(target)
        if self.chance.random() < 0.5:
            attrs.update(dict.fromkeys("ab", str(self.chance.random())))
        else:
            found = attrs.copy()
            assert found.get("a") == found.get("b")

    def share(self):
        there = pickle.loads(pickle.dumps(self.sa.share(self.marked)[10:20]))
        assert there.shape == (10,)
        assert there.base is not None

    def holders(self):
        if self.chance.random() < 0.05:
            assert os.getpid() in self.sa.info("turns").attached

    def mistake(self):
        for wrong in ((3, 3), ("x0", -1), ("x0", 3, object), ("", 3), ("x0", 3, "S0")):
            with pytest.raises((TypeError, ValueError, OSError)):
                self.sa.create(*wrong)


EXPECTED = (FileExistsError, FileNotFoundError)


@pytest.fixture
def hurried():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work, count=THREADS):
    """Runs work(number) in so many threads; what they raised."""
    start = threading.Barrier(count)
    raised = []

    def run(number):
        start.wait()
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_every_call_at_once(sa, store, hurried):
    sa.create("turns", 2, int)
    sa.put("marked", np.ones(1000, int))
    before = len(os.listdir("/proc/self/fd"))
    locked = [0] * THREADS

    def work(number):
        calls = Calls(sa, number)
        kinds = [n for n, f in vars(Calls).items() if callable(f) and n not in HELPERS]
        for _ in range(ROUNDS):
            kind = calls.chance.choice(kinds)
            try:
                getattr(calls, kind)()
            except EXPECTED:
                continue
            locked[number] += kind == "lock"

    raised = at_once(work)
    if raised:
        raise raised[0]
    assert sa.attach("turns").tolist() == [sum(locked)] * 2
    assert len(os.listdir("/proc/self/fd")) == before
    for item in sa.list():
        sa.delete(item)
    assert store.is_empty()


HELPERS = ("__init__", "name", "array", "check_whole")


def test_every_call_is_among_them(sa):
    made = Path(__file__).read_text()
    calls = [name for name in sa.__all__ if callable(getattr(sa, name)) and name.islower()]
    assert [name for name in calls if f"self.sa.{name}(" not in made] == []


def test_dtype_is_read_again_where_threads_disturb_each_other(sa, monkeypatch):
    """It was void then, since whatever ast raised was taken for a fault of the text."""
    dtypes = sys.modules["SharedArray._dtypes"]
    literal_eval, failures = dtypes.ast.literal_eval, [SystemError("depth mismatch")] * 3

    def disturbed(text):
        if failures:
            raise failures.pop()
        return literal_eval(text)

    monkeypatch.setattr(dtypes.ast, "literal_eval", disturbed)
    text = "[('only_here', '<i4'), ('b', '<f8')]"
    assert dtypes.from_text(text)[1] == np.dtype([("only_here", "<i4"), ("b", "<f8")])
    failures.extend([SystemError("depth mismatch")] * 1000)
    with pytest.raises(SystemError, match="depth mismatch"):
        dtypes.from_text(text)


def test_one_array_is_published_once(sa, hurried):
    """By two threads that come to the end of the same block."""
    for number in range(100):
        array = sa._sharr._prepare(f"x{number}", 3)
        raised = at_once(lambda _, a=array: sa._sharr._publish(a), count=4)
        assert [type(error) for error in raised] == [OSError] * 3
        assert {error.errno for error in raised} <= {16, 22}
        array[:] = number
        assert sa.attach(f"x{number}").tolist() == [number] * 3


def test_last_reference_goes_in_another_thread(sa, store, hurried):
    """Attached here, dropped there, in sixteen threads at once; large ones wait without the GIL."""
    for length in (10, 1 << 20):
        arrays = [sa.create(f"x{i}", length, "u1", replace=True) for i in range(THREADS)]
        views = [[a[:5] for _ in range(20)] for a in arrays]
        del arrays
        assert at_once(lambda number, v=views: v[number].clear()) == []
    for i in range(THREADS):
        sa.delete(f"x{i}")
    assert store.is_empty()


def test_new_dtypes_at_once(sa, hurried):
    """All of them want to be the first to remember one."""
    for size in range(700, 760):
        sa.put("x", np.zeros(2, [("a", f"S{size}"), ("b", "i4")]), replace=True)
        expected = np.dtype([("a", f"S{size}"), ("b", "i4")])
        found = []
        assert at_once(lambda _, f=found: f.append(sa.attach("x").dtype)) == []
        assert found == [expected] * THREADS
