# SPDX-License-Identifier: BSD-3-Clause
"""Private copies, and what info tells."""

from __future__ import annotations

import os
import pickle
import time

import numpy as np
import pytest


@pytest.fixture
def x(sa):
    a = sa.create("x", (3, 4), "i4")
    a[:] = np.arange(12).reshape(3, 4)
    return a


def test_copy_is_private(sa, x):
    copy = sa.copy("x")
    copy[:] = 0
    assert x.sum() == 66
    assert copy.flags.owndata
    assert copy.flags.writeable
    assert copy.base is None


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_copy_of_any_shape(sa, shape, order):
    a = sa.create("x", shape, order=order)
    a[...] = np.random.default_rng(1).random(shape)
    assert np.array_equal(sa.copy("x"), a)
    assert sa.copy("x").flags.f_contiguous == a.flags.f_contiguous


def test_copy_of_an_array_of_the_original(sa, old):
    old.run("sa.create('x', (2, 3))[:] = np.arange(6).reshape(2, 3)")
    assert sa.copy("x").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_copy_of_an_array_that_may_only_be_read(sa, python):
    sa.create("x", 3, mode=0o644)[:] = 2
    assert python(uid=65534).run("sa.copy('x')") == [2, 2, 2]


@pytest.mark.parametrize(
    "out",
    [
        np.ones((3, 4), "i4"),
        np.ones((3, 4), "i4", order="F"),
        np.ones((6, 8), "i4")[::2, ::2],
        np.ones((3, 4), "i4")[::-1],
    ],
    ids=["C", "F", "strided", "reversed"],
)
def test_copy_into_any_layout(sa, x, out):
    assert sa.copy("x", out) is out
    assert np.array_equal(out, x)


def test_copy_into_by_keyword(sa, x):
    out = np.empty((3, 4), "i4")
    assert sa.copy("x", out=out) is out
    assert sa.copy("x", out=None) is not out


def test_copy_into_a_shared_array(sa, x):
    y = sa.create("y", (3, 4), "i4")
    sa.copy("x", y)
    assert np.array_equal(sa.attach("y"), x)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.ones((4, 3), "i4"), "shape"),
        (np.ones(12, "i4"), "shape"),
        (np.ones((3, 4), "f4"), "dtype"),
        (np.ones((3, 4), ">i4"), "dtype"),
    ],
)
def test_copy_into_another_shape_or_dtype_is_a_value_error(sa, x, out, message):
    with pytest.raises(ValueError, match=message):
        sa.copy("x", out)
    assert (out == 1).all()


def test_copy_into_what_may_not_be_written_is_a_value_error(sa, x):
    out = np.ones((3, 4), "i4")
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        sa.copy("x", out)
    assert (out == 1).all()


@pytest.mark.parametrize("out", [[0] * 12, bytearray(48), 3])
def test_copy_into_no_array_is_a_type_error(sa, x, out):
    with pytest.raises(TypeError, match=r"numpy\.ndarray"):
        sa.copy("x", out)


def test_copy_while_the_array_is_made_anew(sa, python):
    """Another dtype, shape and size each time: the copy is always one of them, whole."""
    sa.put("x", np.full(1000, 1, "i4"))
    other = python()
    other.start(
        "for i in range(3000):\n"
        "    sa.put('x', np.full(1000 + i % 2, 1 + i % 2, 'i4' if i % 2 else 'f8'), replace=True)"
    )
    while other.is_waiting(0):
        copy = sa.copy("x")
        value = copy[0]
        assert copy.shape == (999 + value,)
        assert (copy == value).all()
    other.result()


# info


def test_info_tells_all_that_is_known(sa, x):
    before = time.time()
    sa.create("y", (2, 3), "i4,f8", order="F", mode=0o640)
    info = sa.info("y")
    assert type(info) is sa.ArrayInfo
    assert info.name == "y"
    assert info.dtype == np.dtype("i4,f8")
    assert (info.shape, info.order, info.nbytes) == ((2, 3), "F", 72)
    assert (info.owner, info.group, info.mode) == (os.geteuid(), os.getegid(), 0o640)
    assert before - 1 <= info.created <= time.time() + 1
    assert info.creator == os.getpid()


def test_info_tells_who_has_it(sa, x, python):
    info = sa.info("x")
    assert (info.ephemeral, info.attached) == (False, (os.getpid(),))
    other = python(uid=65534)
    other.run("a = sa.attach('x', ro=True)")
    assert set(sa.info("x").attached) == {os.getpid(), other.pid}
    assert other.run("sa.info('x').attached") == (other.pid,)
    assert other.run("sa.info('x').unreadable") > 0


def test_info_without_looking_for_who_has_it(sa, x):
    info = sa.info("x", attached=False)
    assert (info.attached, info.unreadable) == (None, None)


def test_info_of_an_array_that_goes_with_its_last_process(sa, store):
    a = sa.create("e", 3, ephemeral=True)
    assert sa.info("e").ephemeral is True
    assert a.base
    del a
    assert store.names() == []


def test_info_of_an_array_of_the_original(sa, old):
    old.run("sa.create('x', (2, 3), 'i2')")
    info = sa.info("x")
    assert (info.dtype, info.shape, info.created, info.creator) == (np.int16, (2, 3), None, None)


def test_info_of_a_listed_item(sa, x):
    assert sa.info(sa.list()[0]).name == b"x"
    assert sa.attach(sa.info("x")).shape == (3, 4)


def test_info_goes_through_pickle(sa, x):
    info = sa.info("x")
    assert pickle.loads(pickle.dumps(info)) == info


def test_info_needs_permission_to_read_only(sa, x, python):
    os.chmod(os.path.join(os.environ["SHARR_STORE"], "x"), 0o444)
    assert python(uid=65534).run("sa.info('x').nbytes") == 48


def test_info_changes_with_the_file(sa, x, store):
    os.chmod(store / "x", 0o604)
    assert sa.info("x").mode == 0o604


# list of groups


def test_names_in_a_group_can_be_passed_on(sa, store):
    (store / "g").mkdir()
    sa.create("g/x", 3)
    for group in ("g", b"g"):
        (item,) = sa.list(group)
        assert item.name == b"g/x"
        assert sa.attach(item).shape == (3,)


def test_group_that_is_not_there(sa):
    with pytest.raises(FileNotFoundError) as error:
        sa.list("nogroup")
    assert error.value.filename == "nogroup"


def test_group_outside_of_the_store(sa):
    with pytest.raises(OSError) as error:  # noqa: PT011
        sa.list("../other")
    assert error.value.errno == 22
