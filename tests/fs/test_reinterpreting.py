# SPDX-License-Identifier: BSD-3-Clause
"""Reinterpreting an array is atomic: whoever looks sees the old metadata or the new, whole."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from lib.clib import Library
from support.tracing import traced
from support.wait import wait_for

pytestmark = pytest.mark.fuse

# Of the same 4800 bytes, in words of very different lengths.
SHORT = "{'descr': '<f8', 'fortran_order': False, 'shape': (30, 20), }"
FIELDS = ", ".join(f"('field number {i}', '<u2')" for i in range(24))
LONG = f"{{'descr': [{FIELDS}], 'fortran_order': True, 'shape': (5, 4, 5), }}"

FLIP = """
import itertools
def flip(path):
    for i, text in enumerate(itertools.cycle([short, long])):
        if os.path.exists(stop):
            return i
        os.setxattr(path, "user.sharr.npy", text.encode())
"""
WATCH = {
    "through the mount": 'os.getxattr(path, "user.sharr.npy").decode()',
    "by stat of the view": 'str(os.stat(os.path.dirname(path) + "/.npy/x.npy").st_size)',
    "libsharr": "repr((lambda i: (str(i.dtype), i.shape))(sa.info('x')))",
    "libsharr, attached": "repr((lambda a: (str(a.dtype), a.strides))(sa.attach('x', ro=True)))",
    "libsharr through the mount": "repr((lambda a: (str(a.dtype), a.shape))"
    "(sa.attach(f'file://{path}', ro=True)))",
    "npy file": "repr((lambda a: (str(a.dtype), a.shape))"
    "(np.load(os.path.dirname(path) + '/.npy/x.npy')))",
}


@pytest.fixture
def made(sa):
    sa.put("x", np.zeros((30, 20)))


def rounds(few, many):
    return pytest.mark.parametrize(
        "rounds", [few, pytest.param(many, marks=pytest.mark.slow)], ids=["few", "many"]
    )


@rounds(100, 20_000)
def test_readers_see_one_or_the_other(store, python, either, made, rounds):
    """Each of them looks so often, and until it has seen both."""
    names = {"path": str(either / "x"), "stop": str(store / "stop"), "short": SHORT, "long": LONG}
    judge = python()
    allowed = {}
    for text in (SHORT, LONG):
        os.setxattr(either / "x", "user.sharr.npy", text.encode())
        for how, code in WATCH.items():
            allowed.setdefault(how, set()).add(judge.run(code, **names))
    assert all(len(seen) == 2 for seen in allowed.values())
    writer = python()
    writer.run(FLIP, **names)
    writer.start("flip(path)")
    readers = {how: python() for how in WATCH}
    for how, reader in readers.items():
        code = "seen = {}\nwhile len(seen) < 2 or sum(seen.values()) < rounds:\n"
        code += f"    v = {WATCH[how]}\n    seen[v] = seen.get(v, 0) + 1\nseen"
        reader.start(code, rounds=rounds, **names)
    for how, reader in readers.items():
        assert set(reader.result(1000)) == allowed[how], how
    (store / "stop").touch()
    assert writer.result() > 1


LOOKS = {
    "stat": lambda mounted: os.stat(mounted / "x"),
    "open": lambda mounted: os.close(os.open(mounted / "x", os.O_RDONLY)),
    "getxattr": lambda mounted: os.getxattr(mounted / "x", "user.sharr.nbytes"),
    "ls": lambda mounted: [entry.stat() for entry in os.scandir(mounted)],
    "stat of the view": lambda mounted: os.stat(mounted / ".npy" / "x.npy"),
    "open in the view": lambda mounted: np.load(mounted / ".npy" / "x.npy"),
}


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_tail_that_is_read_late(area, either, made, look, known, nth):
    """The daemon asks for the size, and until it reads the tail there, that is long past."""
    c = Library()
    for _ in range(3):  # away from the page of the data, which stays
        c.set_attrs("x", {"note": bytes(3000)})
    if known:
        look(either)
    trace = area / "trace"
    late = f"inject=pread64:delay_enter=300000:when={nth}"
    with traced(either, trace, "trace=pread64", late), ThreadPoolExecutor() as pool:
        looked = pool.submit(look, either)
        wait_for(lambda: trace.read_text().count("pread64(") >= nth or looked.done())
        for _ in range(40):
            c.set_attrs("x", {"note": bytes(3000)})
        looked.result()


@rounds(6, 60)
def test_killed_daemon_leaves_one_or_the_other(sa, store, mount, python, made, rounds):
    for i in range(rounds):
        mounted = mount(store, ("io=auto", "io=fallback")[i % 2])
        names = {"short": SHORT, "long": LONG, "stop": str(store / "stop")}
        writer = python()
        writer.run(FLIP, **names)
        writer.start("flip(path)", path=str(mounted / "x"))
        before = os.stat(store / "x").st_ctime_ns
        wait_for(lambda before=before: os.stat(store / "x").st_ctime_ns != before)
        wait_for(lambda: random.random() < 0.1)  # a few milliseconds, or none
        mounted.kill()
        with pytest.raises(OSError, match="Errno 1(03|07)"):
            writer.result()
        writer.close()
        assert sa.info("x").shape in ((30, 20), (5, 4, 5))
        mounted.detach()
    mounted = mount(store)
    assert mounted.xattr("npy", "x") in (SHORT, LONG)
    for text in (LONG, SHORT):
        os.setxattr(mounted / "x", "user.sharr.npy", text.encode())
    assert sa.attach("x").tolist() == [[0.0] * 20] * 30


@rounds(5, 200)
def test_killed_process_leaves_one_or_the_other(sa, store, python, either, made, rounds):
    """One that sets user attributes directly, without the daemon."""
    code = (
        "import itertools; sys.path.append(tests)\n"
        "from lib.clib import Library; c = Library()\n"
        "for value in itertools.cycle([b'a', b'b' * 3000]):\n"
        "    c.set_attrs('x', {'one': value, 'two': value[:9]})\n"
    )
    for _ in range(rounds):
        writer = python()
        writer.start(code, tests=str(Path(__file__).parents[1]))
        before = os.stat(store / "x").st_ctime_ns
        wait_for(lambda before=before: os.stat(store / "x").st_ctime_ns != before)
        wait_for(lambda: random.random() < 0.1)
        writer.kill()
        for _ in range(2):  # after the death of the writer its lock is nobody's
            one = os.getxattr(either / "x", "user.one")
            assert os.getxattr(either / "x", "user.two") == one[:9]
            assert one in (b"a", b"b" * 3000)
            os.setxattr(either / "x", "user.three", b"c")
            os.removexattr(either / "x", "user.three")
