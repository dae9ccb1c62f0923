# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that are published filled: put, and building in place."""

from __future__ import annotations

import os

import numpy as np
import pytest

DATA = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "array",
    [DATA, DATA.T, DATA[:, ::2], DATA[::-1], np.broadcast_to(DATA[0], (5, 3, 4)), DATA[:0]],
    ids=["C", "F", "strided", "reversed", "broadcast", "empty"],
)
def test_put_any_layout(sa, array):
    sa.put("x", array)
    assert np.array_equal(sa.attach("x"), array)
    assert sa.attach("x").dtype == array.dtype


@pytest.mark.parametrize("value", [3, 2.5, True, 1j, "text", b"bytes", [1, 2], [[1], [2]], ()])
def test_put_what_numpy_takes_for_an_array(sa, value):
    sa.put("x", value)
    assert sa.copy("x").tolist() == np.asarray(value).tolist()
    assert sa.copy("x").dtype == np.asarray(value).dtype


@pytest.mark.parametrize(("order", "is_f"), [(None, True), ("F", True), ("C", False)])
def test_put_in_an_order(sa, order, is_f):
    sa.put("x", DATA.T, order=order)
    assert sa.attach("x").flags.f_contiguous is is_f
    assert np.array_equal(sa.attach("x"), DATA.T)


def test_put_keeps_fortran_order_of_fields_too(sa):
    sa.put("x", np.zeros((3, 4), "i4,f8", order="F"))
    assert sa.info("x").order == "F"


def test_put_returns_nothing_and_keeps_nothing(sa):
    before = len(os.listdir("/proc/self/fd"))
    assert sa.put("x", DATA) is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_put_of_a_taken_name(sa):
    sa.put("x", DATA)
    with pytest.raises(FileExistsError) as error:
        sa.put("x", DATA[0])
    assert error.value.filename == "x"
    assert np.array_equal(sa.copy("x"), DATA)


def test_put_of_a_taken_name_when_not_contiguous(sa, store):
    sa.put("x", DATA)
    with pytest.raises(FileExistsError) as error:
        sa.put("x", DATA[:, ::2])
    assert error.value.filename == "x"
    assert store.names() == ["x"]


def test_put_in_the_place_of_another(sa):
    sa.put("x", DATA)
    a = sa.attach("x")
    sa.put("x", DATA[0].astype("f4"), replace=True)
    assert sa.attach("x").dtype == np.float32
    assert np.array_equal(a, DATA)


def test_put_with_a_mode(sa):
    sa.put("x", DATA, mode=0o600)
    assert sa.info("x").mode == 0o600


@pytest.mark.parametrize("array", [[None], [object()], np.array([1, None]), np.array(["a"], "O")])
def test_put_of_objects_is_a_type_error(sa, store, array):
    with pytest.raises(TypeError, match="pointers"):
        sa.put("x", array)
    assert store.names() == []


def test_put_of_a_shared_array(sa):
    sa.create("x", (3, 4))[:] = 5
    sa.put("y", sa.attach("x", ro=True))
    assert sa.copy("y").tolist() == [[5] * 4] * 3


# building


def test_building_publishes_at_the_end(sa, store):
    with sa.building("x", (3, 4), "i4", order="F") as a:
        assert a.shape == (3, 4)
        assert a.dtype == np.int32
        assert a.flags.f_contiguous
        assert not a.any()
        a[:] = 7
        assert store.names() == []
        assert sa.list() == ()
    assert store.names() == ["x"]
    assert (sa.attach("x") == 7).all()


def test_array_goes_on_being_shared_after_building(sa):
    with sa.building("x", 3) as a:
        pass
    sa.attach("x")[:] = 5
    assert a.tolist() == [5, 5, 5]
    assert a.base.name == "x"


def test_building_that_raises_leaves_nothing(sa, store):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ZeroDivisionError), sa.building("x", 1000) as a:
        a[:] = 1 // 0
    del a
    assert store.names() == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_killed_while_building_leaves_nothing(sa, store, python):
    other = python()
    other.run("b = sa.building('x', 1000); a = b.__enter__(); a[:] = 1")
    other.kill()
    assert store.names() == []


def test_name_taken_while_building(sa):
    with pytest.raises(FileExistsError) as error, sa.building("x", 3):
        sa.create("x", 4)
    assert error.value.filename == "x"
    assert sa.attach("x").tolist() == [0] * 4


def test_building_in_the_place_of_another(sa):
    sa.create("x", 3)[:] = 1
    with sa.building("x", (2, 2), replace=True) as a:
        a[:] = 2
        assert sa.attach("x").tolist() == [1, 1, 1]
    assert sa.attach("x").tolist() == [[2, 2], [2, 2]]


def test_building_with_options(sa, store):
    with sa.building("x", 1 << 20, "u1", mode=0o600, reserve=False):
        pass
    assert sa.info("x").mode == 0o600
    assert os.stat(store / "x").st_blocks * 512 < 1 << 16


def test_building_takes_its_mistakes_at_the_start(sa, store):
    for arguments, expected in (
        (("x", -1), ValueError),
        (("x", 3, object), TypeError),
        (("", 3), OSError),
        (("nogroup/x", 3), FileNotFoundError),
    ):
        with pytest.raises(expected), sa.building(*arguments):  # noqa: PT012
            pytest.fail("entered")
    assert store.names() == []


def test_building_twice_with_one_object(sa):
    block = sa.building("x", 3)
    with block as a:
        a[:] = 1
    sa.delete("x")
    with block as a:
        assert not a.any()
    assert sa.attach("x").tolist() == [0, 0, 0]


def test_building_is_not_entered_twice_at_once(sa):
    block = sa.building("x", 3)
    with block, pytest.raises(RuntimeError, match="entered"):
        block.__enter__()


def test_building_into_a_full_store(sa, store, monkeypatch):
    small = store(size="1m")
    monkeypatch.setenv("SHARR_STORE", str(small))
    with pytest.raises(OSError) as error, sa.building("x", 1 << 20):  # noqa: PT011, PT012
        pytest.fail("entered")
    assert error.value.errno == 28
    assert small.names() == []
