# SPDX-License-Identifier: BSD-3-Clause
"""create beyond the original: order, reserve, mode, exist_ok, replace."""

from __future__ import annotations

import os
import resource
import stat

import numpy as np
import pytest


def blocks(path) -> int:
    return os.stat(path).st_blocks * 512


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5,), (), (0, 3), (1, 7)])
def test_fortran_order(sa, shape):
    expected = np.zeros(shape, order="F")
    for a in (sa.create("x", shape, order="F", replace=True), sa.attach("x"), sa.copy("x")):
        assert a.flags.f_contiguous
        assert a.flags.c_contiguous == expected.flags.c_contiguous


def test_order_that_is_none_is_c(sa):
    assert sa.create("x", (3, 4), order=None).flags.c_contiguous


@pytest.mark.parametrize("order", ["A", "K", "c", "", 3, b"C"])
def test_unknown_order_is_a_value_error(sa, store, order):
    with pytest.raises(ValueError, match="order"):
        sa.create("x", 3, order=order)
    assert store.names() == []


def test_space_is_reserved(sa, store):
    sa.create("x", 1 << 20, "u1")
    assert blocks(store / "x") >= 1 << 20


def test_filling_what_is_reserved_costs_no_faults(sa):
    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    for reserve, few in ((True, True), (False, False)):
        a = sa.create("x", 1 << 22, "u1", reserve=reserve, replace=True)
        before = faults()
        a[:: 1 << 12] = 1
        assert (faults() - before < 100) == few


def test_space_is_not_reserved_on_request(sa, store):
    sa.create("x", 1 << 20, "u1", reserve=False)
    assert blocks(store / "x") < 1 << 16


def test_sparse_array_may_be_larger_than_the_store(sa, store):
    a = sa.create("x", 1 << 30, "u1", reserve=False)
    a[-1] = 7
    assert sa.attach("x")[-1] == 7


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444, 0o777])
def test_mode_whatever_the_umask(sa, store, mode):
    sa.create("x", 3, mode=mode)
    assert stat.S_IMODE(os.stat(store / "x").st_mode) == mode
    assert sa.info("x").mode == mode


@pytest.mark.parametrize("mode", [0, -1, 0o1000, 0o4755, 2**70])
def test_impossible_mode_is_a_value_error(sa, store, mode):
    with pytest.raises(ValueError, match="mode"):
        sa.create("x", 3, mode=mode)
    assert store.names() == []


def test_mode_of_a_wrong_type_is_a_type_error(sa):
    with pytest.raises(TypeError):
        sa.create("x", 3, mode="rw")


def test_exist_ok_attaches_what_is_there(sa):
    sa.create("x", (2, 3), "f4")[:] = 7
    a = sa.create("x", (2, 3), np.float32, exist_ok=True)
    assert a.tolist() == [[7] * 3] * 2
    assert a.base.name == "x"


def test_exist_ok_creates_what_is_not(sa):
    assert sa.create("x", 3, exist_ok=True).tolist() == [0, 0, 0]


def test_exist_ok_of_each_dtype(sa):
    for dtype in ("i4,f8", [(("t", "a"), "M8[s]", (2,))], ">U3", np.dtype("u1,f8", align=True)):
        sa.create("x", 3, dtype, replace=True)
        assert sa.create("x", 3, dtype, exist_ok=True).dtype == np.dtype(dtype)


OTHERS = [((3, 2), "f4", "C"), ((2, 3), "i4", "C"), ((2, 3), "f4", "F"), ((6,), "f4", "C")]


@pytest.mark.parametrize(("shape", "dtype", "order"), OTHERS)
def test_exist_ok_refuses_another_array(sa, shape, dtype, order):
    sa.create("x", (2, 3), "f4")[:] = 7
    with pytest.raises(FileExistsError, match="another dtype, shape or order") as error:
        sa.create("x", shape, dtype, order=order, exist_ok=True)
    assert (error.value.errno, error.value.filename) == (17, "x")
    assert sa.attach("x").tolist() == [[7] * 3] * 2


@pytest.mark.parametrize("shape", [(5,), (1, 5), (5, 1), (0, 4), ()])
def test_exist_ok_does_not_mind_an_order_that_means_nothing(sa, shape):
    sa.create("x", shape)
    assert sa.create("x", shape, order="F", exist_ok=True).shape == shape


@pytest.fixture
def existing(python):
    """existing(name): create() there with exist_ok=True, by a process that has 20 seconds."""

    def create(name, uid=None, via=None, **environment):
        code = "sa.create(name, 3, exist_ok=True, via=via).tolist()"
        return python(uid, **environment).run(code, timeout=20, name=name, via=via)

    return create


@pytest.mark.fuse
def test_exist_ok_of_what_a_mount_hides(sa, store, mount, existing):
    (store / "x").write_bytes(b"no array")
    with pytest.raises(FileExistsError, match="no array, which the mount hides") as error:
        existing("x", via="mount", SHARR_MOUNT=str(mount()))
    assert (error.value.errno, error.value.filename) == (17, "x")
    assert (store / "x").read_bytes() == b"no array"


def test_exist_ok_of_a_symlink_that_leads_nowhere(existing, area):
    (area / "x").symlink_to("nothing")
    with pytest.raises(FileExistsError, match="symlink that leads nowhere"):
        existing(f"file://{area}/x")
    assert not (area / "nothing").exists()


@pytest.mark.root
def test_exist_ok_of_a_leftover_that_is_somebody_elses(sa, store, python, existing):
    owner = python()
    owner.run("a = sa.create('x', 3, ephemeral=True, mode=0o666)")
    owner.kill()
    with pytest.raises(FileExistsError, match="uid 0 that nobody holds.*uid 65534"):
        existing("x", uid=65534)
    assert existing("x") == [0, 0, 0]


def test_exist_ok_of_what_comes_and_goes(sa, python):
    other = python()
    other.start(
        "for _ in range(1000):\n"
        "    sa.put('x', np.zeros(3), replace=True); sa.delete('x', missing_ok=True)"
    )
    while other.is_waiting(0):
        assert sa.create("x", 3, exist_ok=True).shape == (3,)
    other.result()


def test_exist_ok_attaches_an_array_of_the_original(sa, old):
    old.run("sa.create('x', (2, 3))[:] = 5")
    assert sa.create("x", (2, 3), exist_ok=True).tolist() == [[5] * 3] * 2


def test_exist_ok_refuses_what_is_no_array(sa, store):
    (store / "x").write_text("mine")
    with pytest.raises(sa.NotAnArrayError):
        sa.create("x", 3, exist_ok=True)
    assert (store / "x").read_text() == "mine"


def test_exist_ok_while_others_create_and_delete(sa, python):
    other = python()
    other.start(
        "for _ in range(2000):\n"
        "    sa.create('x', 3, exist_ok=True)\n"
        "    sa.delete('x', missing_ok=True)"
    )
    for _ in range(2000):
        assert sa.create("x", 3, exist_ok=True).shape == (3,)
        sa.delete("x", missing_ok=True)
    other.result()


def test_replace_leaves_those_who_have_the_old_one(sa):
    a = sa.create("x", 3)
    a[:] = 1
    b = sa.create("x", (2, 2), "i4", replace=True)
    b[:] = 2
    assert a.tolist() == [1, 1, 1]
    assert sa.attach("x").tolist() == [[2, 2], [2, 2]]


def test_replace_creates_where_nothing_is(sa):
    assert sa.create("x", 3, replace=True).shape == (3,)


def test_replaced_name_is_never_missing(sa, python):
    sa.create("x", 3)
    other = python()
    other.start("for i in range(3000): sa.create('x', 3 + i % 2, replace=True)")
    while other.is_waiting(0):
        assert sa.attach("x").shape in ((3,), (4,))
    other.result()


def test_replace_and_exist_ok_exclude_each_other(sa):
    with pytest.raises(ValueError, match="exclude"):
        sa.create("x", 3, exist_ok=True, replace=True)


def test_path_means_the_file(sa, area):
    a = sa.create(area / "x", 3)
    a[:] = 4
    assert a.base.name == f"file://{area}/x"
    assert sa.attach(f"file://{area}/x").tolist() == sa.attach(area / "x").tolist() == [4, 4, 4]
    assert sa.list() == ()
    sa.delete(area / "x")
    assert not (area / "x").exists()


class BytesPath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fsencode(self.path)


def test_path_of_bytes(sa, area):
    sa.create(BytesPath(area / "x"), 3)
    assert (area / "x").exists()


@pytest.mark.parametrize("call", ["create", "attach", "delete", "info", "put", "copy", "list"])
def test_unknown_keyword_is_a_type_error(sa, call):
    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        getattr(sa, call)(nope=1)


def test_missing_arguments_are_a_type_error(sa):
    for call in (sa.attach, sa.delete, sa.info, sa.copy, lambda: sa.create("x")):
        with pytest.raises(TypeError, match="missing required argument"):
            call()


def test_argument_given_twice_is_a_type_error(sa):
    with pytest.raises(TypeError, match="multiple values"):
        sa.attach("x", name="x")


def test_options_are_by_keyword_only(sa):
    with pytest.raises(TypeError, match="positional"):
        sa.create("x", 3, float, "C")
    with pytest.raises(TypeError, match="positional"):
        sa.attach("x", False, True)


def test_missing_ok(sa):
    sa.delete("x", missing_ok=True)
    sa.create("x", 3)
    sa.delete("x", missing_ok=True)
    assert sa.list() == ()


def test_missing_ok_forgives_nothing_else(sa, store):
    (store / "x").write_text("mine")
    with pytest.raises(sa.NotAnArrayError):
        sa.delete("x", missing_ok=True)
