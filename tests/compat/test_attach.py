# SPDX-License-Identifier: BSD-3-Clause
"""C5, C6, C9, C10: attach, delete, and what an array's base tells."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from support.remote import ProcessDied


def test_attached_arrays_are_the_same_memory(sa, python):
    a = sa.create("x", (2, 3))
    other = python()
    other.run("b = sa.attach('x'); b[1, 2] = 7")
    assert a[1, 2] == 7
    a[0, 0] = 5
    assert other.run("b[0, 0]") == 5


READ_ONLY = [((True,), {}), ((), {"ro": 1}), ((), {"readonly": True}), ((False,), {"readonly": 1})]


@pytest.mark.parametrize(("args", "kwargs"), READ_ONLY)
def test_read_only_cannot_be_undone(sa, args, kwargs):
    sa.create("x", 3)
    a = sa.attach("x", *args, **kwargs)
    for view in (a, a[1:], a.view("i8"), a.reshape(3, 1)):
        assert not view.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True
    assert not np.frombuffer(a.base, "u1").flags.writeable


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((True,), {"readonly": False})])
def test_writeable_otherwise(sa, args, kwargs):
    sa.create("x", 3)
    assert sa.attach("x", *args, **kwargs).flags.writeable


def test_read_only_map_is_the_kernels(sa, python):
    sa.create("x", 3)
    other = python()
    other.run("import ctypes; a = sa.attach('x', ro=True)")
    with pytest.raises(ProcessDied) as death:
        other.run("ctypes.memset(a.ctypes.data, 1, 1)")
    assert death.value.returncode < 0


def test_read_only_sees_what_others_write(sa):
    a = sa.create("x", 3)
    b = sa.attach("x", ro=True)
    a[1] = 9
    assert b.tolist() == [0, 9, 0]


@pytest.mark.root
def test_read_only_is_all_that_needs_the_right_to_read(sa, python):
    sa.create("x", 3, mode=0o644)
    nobody = python(uid=65534)
    assert nobody.run("sa.attach('x', True).shape") == (3,)
    with pytest.raises(PermissionError) as refusal:
        nobody.run("sa.attach('x')")
    assert refusal.value.filename == "x"


@pytest.mark.parametrize(("created", "deleted"), [("x", "shm://x"), ("shm://x", "x"), ("x", b"x")])
def test_delete_by_either_spelling(sa, store, created, deleted):
    sa.create(created, 3)
    sa.delete(deleted)
    assert store.names() == []


def test_delete_leaves_those_who_have_it_attached(sa, python):
    a = sa.create("x", 3)
    other = python()
    other.run("b = sa.attach('x')")
    sa.delete("x")
    other.run("b[0] = 4")
    assert a[0] == 4


def test_deleted_name_is_free_at_once(sa):
    a = sa.create("x", 3)
    sa.delete("x")
    b = sa.create("x", (4, 5), "u1")
    b[:] = 1
    assert a.tolist() == [0, 0, 0]
    assert sa.attach("x").shape == (4, 5)


def test_listed_items_can_be_attached_and_deleted(sa):
    for name in ("a", "b"):
        sa.create(name, 3)
    for item in sa.list():
        assert sa.attach(item).shape == item.dims
        sa.delete(item.name)
    assert sa.list() == ()


@pytest.mark.parametrize("name", ["x", "shm://x", "/x", b"x"])
def test_base_tells_the_name_as_given(sa, name):
    assert sa.create(name, 3).base.name == name
    assert sa.attach(name).base.name == name


def test_base_tells_address_and_bytes(sa):
    a = sa.create("x", (100, 100))
    assert a.base.addr == a.__array_interface__["data"][0]
    assert a.nbytes <= a.base.size < a.nbytes + mmap.PAGESIZE


def test_base_of_a_view_of_a_view_is_reachable(sa):
    view = sa.create("x", (10, 10))[2:][:, ::2].T.view("i8")[1:]
    while type(view) is np.ndarray:
        view = view.base
    assert view.name == "x"


def test_array_lives_as_long_as_a_view_of_it(sa):
    view = sa.create("x", 1000)[500:].view("i8")[::-1]
    sa.delete("x")
    for _ in range(10):
        sa.create("y", 1000, replace=True)[:] = 1
    view[:] = 3
    assert set(view.tolist()) == {3}


def test_constants_are_the_systems(sa):
    assert (sa.MS_ASYNC, sa.MS_INVALIDATE, sa.MS_SYNC) == (1, 2, 4)


@pytest.mark.parametrize("flags", [1, 4, 2 | 4])
def test_msync_of_base_module_and_view(sa, area, flags):
    a = sa.create(f"file://{area}/x", 1000)
    a.base.msync(flags)
    sa.msync(a, flags)
    sa.msync(a[1:][::2], flags)


def test_msync_with_wrong_flags_is_einval(sa):
    a = sa.create("x", 3)
    for call in (lambda: a.base.msync(99), lambda: sa.msync(a, 99), lambda: sa.msync(a, 2**40)):
        with pytest.raises(OSError) as error:  # noqa: PT011
            call()
        assert error.value.errno == 22


def test_mlock_and_munlock_of_base_module_and_view(sa):
    a = sa.create("x", 1000)
    a.base.mlock()
    a.base.munlock()
    sa.mlock(a[1:])
    sa.munlock(a[::2])


@pytest.mark.root
@pytest.mark.release_only  # under the sanitizer mlock does nothing
def test_mlock_that_fails_is_an_os_error(sa, python):
    sa.create("x", 100_000, mode=0o666)
    other = python()
    other.run("import resource; resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))")
    other.run("os.setuid(65534)")
    with pytest.raises(OSError) as error:  # noqa: PT011
        other.run("a = sa.attach('x'); a.base.mlock()")
    assert error.value.errno in (1, 12)
    with pytest.raises(OSError):  # noqa: PT011
        other.run("sa.mlock(a)")


@pytest.mark.parametrize("thing", [np.zeros(3), 3, None, b"x", memoryview(b"x")], ids=repr)
def test_msync_of_what_is_not_shared_is_a_type_error(sa, thing):
    for call in (sa.msync, sa.mlock, sa.munlock):
        with pytest.raises(TypeError, match="shared array"):
            call(thing)


def test_arrays_outlive_the_process_that_made_them(sa, python):
    other = python()
    other.run("sa.create('x', 3)[:] = 8")
    assert other.close() == 0
    assert sa.attach("x").tolist() == [8, 8, 8]
