# SPDX-License-Identifier: BSD-3-Clause
"""C18: where the original crashes, hangs, or leaves something behind."""

from __future__ import annotations

import os
import random
import threading

import numpy as np
import pytest
from support.wait import wait_for


def test_create_above_the_file_size_limit_leaves_nothing(sa, store, python):
    other = python()
    other.run(
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    )
    for reserve in (True, False):
        with pytest.raises(OSError) as error:  # noqa: PT011
            other.run("sa.create('x', 10_000, reserve=reserve)", reserve=reserve)
        assert error.value.errno == 27
    assert store.names() == []


@pytest.mark.release_only
def test_create_that_cannot_be_mapped_leaves_nothing(store, python):
    other = python()
    other.run("import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))")
    with pytest.raises(OSError) as error:  # noqa: PT011
        other.run("sa.create('x', 1 << 30, reserve=False)")
    assert error.value.errno == 12
    assert store.names() == []


def test_full_store_is_an_error_and_never_a_signal(sa, store, python):
    other = python(SHARR_STORE=str(store(size="4m")))
    other.run("sa.create('a', (2 << 20), 'u1')[:] = 1")
    with pytest.raises(OSError) as error:  # noqa: PT011
        other.run("sa.create('b', (3 << 20), 'u1')[:] = 1")
    assert error.value.errno == 28
    assert other.run("[item.name for item in sa.list()]") == [b"a"]
    assert other.run("int(sa.create('c', 1 << 20, 'u1').sum())") == 0


def test_put_into_a_full_store_leaves_nothing(sa, store, python):
    small = store(size="1m")
    other = python(SHARR_STORE=str(small))
    with pytest.raises(OSError) as error:  # noqa: PT011
        other.run("sa.put('x', np.ones(1 << 20))")
    assert error.value.errno == 28
    assert small.names() == []


@pytest.mark.parametrize("round_", range(5))
def test_killed_creator_leaves_whole_arrays_only(sa, store, python, round_):
    other = python()
    other.start(
        "i = 0\n"
        "while True:\n"
        "    i += 1\n"
        "    sa.delete(f'x{i % 50}', missing_ok=True)\n"
        "    sa.create(f'x{i % 50}', (100, i % 7))"
    )
    wait_for(lambda: len(store.names()) >= 49 - round_)
    other.kill()
    assert {item.name.decode() for item in sa.list()} == set(store.names())
    for item in sa.list():
        assert sa.attach(item).shape == item.dims


@pytest.mark.parametrize("call", ["attach", "delete", "info", "copy"])
def test_fifo_does_not_hang(sa, store, call):
    os.mkfifo(store / "x")
    with pytest.raises(sa.NotAnArrayError):
        getattr(sa, call)("x")


def test_symlink_is_not_followed(sa, store, area):
    sa.create(f"file://{area}/target", 3)
    (store / "x").symlink_to(area / "target")
    with pytest.raises(OSError):  # noqa: PT011
        sa.attach("x")
    assert sa.list() == ()


def test_damaged_tails_are_no_array_or_a_sound_one(sa, store):
    """Whatever a tail says, the array lies within its file."""
    a = sa.create("x", (5, 7), [("a", "i4"), ("b", "M8[s]")])
    a["a"] = 1
    whole = (store / "x").read_bytes()
    chance = random.Random(3)
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(a.nbytes, len(whole))] = chance.randrange(256)
        (store / "y").write_bytes(damaged)
        try:
            b = sa.attach("y")
        except (OSError, ValueError):
            continue
        assert b.nbytes <= len(whole)
        assert len(b.tobytes()) == b.nbytes
        assert len(sa.list()) in (1, 2)


def test_truncated_tails_are_no_array(sa, store):
    sa.create("x", (5, 7))
    whole = (store / "x").read_bytes()
    for size in range(0, len(whole), 7):
        (store / "y").write_bytes(whole[:size])
        with pytest.raises(sa.NotAnArrayError):
            sa.attach("y")


def test_races_of_create_attach_delete_and_list(sa):
    """Every answer is one that some order of the calls explains."""
    shapes = {(4,): "f8", (2, 3): "i2"}
    wrong: list[str] = []
    expected = (FileExistsError, FileNotFoundError)

    def create(name, shape):
        sa.create(name, shape, shapes[shape])

    def attach(name, shape):
        a = sa.attach(name)
        if shapes.get(a.shape) != a.dtype.str[1:]:
            wrong.append(f"attach: {a.shape} {a.dtype}")

    def delete(name, shape):
        sa.delete(name)

    def list_(name, shape):
        wrong.extend(str(i) for i in sa.list() if np.dtype(shapes.get(i.dims)) != i.dtype)

    calls = (create, attach, delete, list_)

    def work(seed):
        chance = random.Random(seed)
        for _ in range(1500):
            name = f"x{chance.randrange(3)}"
            shape = chance.choice([*shapes])
            try:
                chance.choice(calls)(name, shape)
            except expected:
                pass
            except Exception as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
