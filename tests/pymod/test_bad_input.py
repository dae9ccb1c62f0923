# SPDX-License-Identifier: BSD-3-Clause
"""What every call does with what it can't use: which exception, which errno, whose name it tells,
and that nothing is left behind.

One table of the calls, one of what may be wrong with the name or the place, and tables of
arguments. Each test is one entry of one table with one of another.
"""

from __future__ import annotations

import errno
import os
import subprocess

import numpy as np
import pytest
from support.unchanged import Unchanged

NOBODY = 65534

MAKERS = {
    "create": "sa.create(name, 3)",
    "create sparse": "sa.create(name, 3, reserve=False)",
    "put": "sa.put(name, np.ones(3))",
    "put gathered": "sa.put(name, np.ones(6)[::2])",
    "building": "with sa.building(name, 3): pass",
}
REPLACERS = {
    "create replacing": "sa.create(name, 3, replace=True)",
    "put replacing": "sa.put(name, np.ones(3), replace=True)",
    "put gathered replacing": "sa.put(name, np.ones(6)[::2], replace=True)",
    "building replacing": "with sa.building(name, 3, replace=True): pass",
}
CREATE_OR_ATTACH = {"create exist_ok": "sa.create(name, 3, exist_ok=True)"}
READERS = {
    "attach ro": "sa.attach(name, ro=True)",
    "copy": "sa.copy(name)",
    "copy out": "sa.copy(name, np.empty(3))",
    "info": "sa.info(name)",
    "attrs": "sa.attrs(name)",
}
WRITERS = {"attach": "sa.attach(name)", "attrs set": "sa.attrs(name).update(a='1')"}
DELETERS = {"delete": "sa.delete(name)"}
USERS = {**READERS, **WRITERS, **DELETERS}
CREATORS = {**MAKERS, **REPLACERS, **CREATE_OR_ATTACH}
ALL = {**CREATORS, **USERS}


def each(*rows):
    """pytest parameters (call, expected) of rows (calls, expected)."""
    pairs = [
        pytest.param(code, expected, id=name)
        for calls, expected in rows
        for name, code in calls.items()
    ]
    return pytest.mark.parametrize(("call", "expected"), pairs)


def run(sa, call, **names):
    exec(call, {"sa": sa, "np": np, **names})


def check(sa, store, call, expected, **names):
    """`expected`: an exception class and its errno; it tells the name as given."""
    with Unchanged(store, os.getpid()):
        kind, number = expected
        with pytest.raises(kind) as error:
            run(sa, call, **names)
        assert (error.value.errno, error.value.filename) == (number, names["name"])
        assert type(error.value) is kind
        del error


TAKEN = FileExistsError, errno.EEXIST
MISSING = FileNotFoundError, errno.ENOENT
FORBIDDEN = PermissionError, errno.EACCES
NOT_OURS = PermissionError, errno.EPERM
INVALID = OSError, errno.EINVAL
READ_ONLY = OSError, errno.EROFS
NO_DIRECTORY = NotADirectoryError, errno.ENOTDIR
TOO_LONG = OSError, errno.ENAMETOOLONG


# Names

every_call = pytest.mark.parametrize("call", ALL.values(), ids=ALL.keys())
WRONG_NAMES = [3, None, 2.5, ["x"], ("x",), {}, object, np.array("x")]
IMPOSSIBLE_NAMES = ["", b"", ".", "..", "../x", "a/../x", "nfs://x", "shm://", "file://", "a//b"]
LONG_NAMES = ["x" * 256, b"x" * 256, "shm://" + "x" * 256, "é" * 128]


@every_call
def test_name_of_a_wrong_type(sa, store, call):
    for name in WRONG_NAMES:
        words = "name must be|a shared array"
        with Unchanged(store, os.getpid()), pytest.raises(TypeError, match=words):
            run(sa, call, name=name)


@every_call
def test_name_with_a_nul(sa, store, call):
    for name in ("a\0b", b"\0", "shm://x\0", "file:///x\0y"):
        with Unchanged(store, os.getpid()), pytest.raises(ValueError, match="null"):
            run(sa, call, name=name)


@each((ALL, INVALID))
def test_name_that_cannot_be(sa, store, call, expected):
    for name in IMPOSSIBLE_NAMES:
        check(sa, store, call, expected, name=name)


@each((ALL, TOO_LONG))
def test_name_that_is_too_long(sa, store, call, expected):
    for name in LONG_NAMES:
        check(sa, store, call, expected, name=name)


@each((USERS, MISSING))
def test_name_of_nothing(sa, store, call, expected):
    for name in ("x", b"x", "shm://x", "group/x", "file:///nowhere/x"):
        check(sa, store, call, expected, name=name)


@each((CREATORS, MISSING))
def test_group_that_is_not_there(sa, store, call, expected):
    for name in ("group/x", "file:///nowhere/x", b"shm://group/x"):
        check(sa, store, call, expected, name=name)


@each((ALL, NO_DIRECTORY))
def test_group_that_is_an_array(sa, store, call, expected):
    sa.create("x", 3)
    check(sa, store, call, expected, name="x/y")


@each((MAKERS, TAKEN))
def test_name_of_an_array(sa, store, call, expected):
    sa.put("x", [1, 2])
    for name in ("x", b"x", "shm://x", "/x"):
        check(sa, store, call, expected, name=name)
    assert sa.copy("x").tolist() == [1, 2]


@each((CREATE_OR_ATTACH, TAKEN))
def test_name_of_another_array(sa, store, call, expected):
    sa.put("x", [1, 2])
    check(sa, store, call, expected, name="x")


def foreign_file(path):
    path.write_bytes(b"hello")


def folder(path):
    path.mkdir()


def symlink(path):
    path.symlink_to("elsewhere")


def symlink_to_an_array(path):
    np.save(path.parent / "target.npy", np.ones(3))
    path.symlink_to("target.npy")


FOREIGN = [foreign_file, folder, symlink, symlink_to_an_array, os.mkfifo]


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
@each((MAKERS, TAKEN), (REPLACERS, TAKEN))
def test_name_of_something_foreign(sa, store, call, expected, make):
    make(store / "x")
    check(sa, store, call, expected, name="x")


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
@pytest.mark.parametrize("call", [*USERS.values(), *CREATE_OR_ATTACH.values()])
def test_use_of_something_foreign(sa, store, call, make):
    make(store / "x")
    with Unchanged(store, os.getpid()):
        with pytest.raises(sa.NotAnArrayError, match="No SharedArray") as error:
            run(sa, call, name="x")
        assert (error.value.errno, error.value.filename) == (None, "x")
        del error


# Deleted meanwhile


@each((USERS, MISSING))
def test_array_that_is_deleted_while_attached(sa, store, call, expected):
    a = sa.create("x", 3)
    a[:] = 7
    sa.delete("x")
    check(sa, store, call, expected, name="x")
    assert a.tolist() == [7, 7, 7]
    with pytest.raises(OSError, match="deleted or replaced") as error:
        sa.attrs(a)
    assert (error.value.errno, error.value.filename) == (errno.ESTALE, "x")
    a.base.msync()
    sa.mlock(a)
    sa.munlock(a)


@pytest.mark.parametrize("replace", [False, True])
def test_group_that_is_removed_while_building(sa, store, replace):
    (store / "group").mkdir()
    block = sa.building("group/x", 3, replace=replace)
    a = block.__enter__()
    (store / "group").rmdir()
    with pytest.raises(FileNotFoundError) as error:
        block.__exit__(None, None, None)
    assert error.value.filename == "group/x"
    a[:] = 1  # still memory
    del a, error
    assert store.is_empty()


def test_array_that_is_deleted_while_another_takes_its_place(sa, store):
    sa.put("x", [1])
    with sa.building("x", 3, replace=True):
        sa.delete("x")
    assert sa.copy("x").tolist() == [0, 0, 0]


# Shapes and sizes

WRONG_SHAPES = ["3", b"3", 2.5, None, (2.5,), ("3",), [None], {2}, {1: 2}, (2, (3,)), object()]
IMPOSSIBLE_SHAPES = [-1, (2, -3), (0, -1), -(2**70), 2**63, 2**64, (2**70, 0), (1,) * 65]
OVERFLOWING = [(2**40, 2**40), 2**62, (2**32, 2**31), (2**63 - 1, 1), [2**21] * 3]
SHAPED = {
    "create": "sa.create(name, shape)",
    "create sparse": "sa.create(name, shape, reserve=False)",
    "create exist_ok": "sa.create(name, shape, exist_ok=True)",
    "create replacing": "sa.create(name, shape, replace=True)",
    "building": "with sa.building(name, shape): pass",
}
shaped = pytest.mark.parametrize("call", SHAPED.values(), ids=SHAPED.keys())


@shaped
def test_shape_of_a_wrong_type(sa, store, call):
    for shape in WRONG_SHAPES:
        with Unchanged(store, os.getpid()), pytest.raises(TypeError):
            run(sa, call, name="x", shape=shape)


@shaped
def test_shape_that_cannot_be(sa, store, call):
    for shape in [*IMPOSSIBLE_SHAPES, *OVERFLOWING]:
        with Unchanged(store, os.getpid()), pytest.raises(ValueError, match="dimension|bytes"):
            run(sa, call, name="x", shape=shape)


@pytest.mark.parametrize("call", ["create", "create replacing", "create exist_ok", "building"])
@pytest.mark.parametrize("shape", [1 << 30, 1 << 40, 1 << 50, (1 << 20, 1 << 30)], ids=repr)
def test_shape_that_the_store_has_no_room_for(sa, store, call, shape):
    check(sa, store, SHAPED[call], (OSError, errno.ENOSPC), name="x", shape=shape)


@pytest.mark.parametrize(("shape", "number"), [(1 << 50, errno.ENOMEM), (1 << 59, errno.ENOMEM)])
def test_sparse_shape_that_no_process_can_map(sa, store, shape, number):
    check(sa, store, SHAPED["create sparse"], (OSError, number), name="x", shape=shape)


# Dtypes and options

BUILDERS = {
    "create": "sa.create(name, 3, **options)",
    "create exist_ok": "sa.create(name, 3, **options, exist_ok=True)",
    "building": "with sa.building(name, 3, **options): pass",
}
built = pytest.mark.parametrize("call", BUILDERS.values(), ids=BUILDERS.keys())
WRONG_OPTIONS = [
    ({"dtype": "no such"}, TypeError),
    ({"dtype": object}, TypeError),
    ({"dtype": 3}, TypeError),
    ({"dtype": "U"}, ValueError),
    ({"dtype": "S0"}, ValueError),
    ({"dtype": []}, ValueError),
    ({"dtype": ("f8", (2**40, 2**40))}, ValueError),
    ({"order": "A"}, ValueError),
    ({"order": 3}, ValueError),
    ({"mode": "rw"}, TypeError),
    ({"mode": 0}, ValueError),
    ({"mode": -1}, ValueError),
    ({"mode": 2**70}, ValueError),
    ({"mode": 0o4755}, ValueError),
    ({"no_such": 1}, TypeError),
    ({"via": "air"}, ValueError),
    ({"via": 3}, (TypeError, ValueError)),
    ({"attrs": 3}, TypeError),
    ({"attrs": {"a": 3}}, TypeError),
    ({"attrs": {3: "a"}}, TypeError),
    ({"attrs": {"a\0b": "c"}}, ValueError),
    ({"attrs": {"": "c"}}, OSError),
    ({"attrs": {"n" * 251: "c"}}, OSError),
    ({"attrs": {"sharr.x": "c"}}, PermissionError),
    ({"attrs": {"a": bytes(70000)}}, (OSError, ValueError)),
]


@built
def test_option_that_cannot_be(sa, store, call):
    for options, kind in WRONG_OPTIONS:
        with Unchanged(store, os.getpid()), pytest.raises(kind):
            run(sa, call, name="x", options=options)


class Undecided:
    def __bool__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "call",
    [
        *(f"sa.create('x', 3, {option}=wish)" for option in ("reserve", "exist_ok", "replace")),
        *(f"sa.building('x', 3, {option}=wish).__enter__()" for option in ("reserve", "replace")),
        "sa.put('x', [1], replace=wish)",
        "sa.attach('x', wish)",
        "sa.attach('x', ro=wish)",
        "sa.attach('x', readonly=wish)",
        "sa.delete('x', missing_ok=wish)",
    ],
)
def test_truth_that_raises_is_passed_on(sa, store, call):
    with Unchanged(store, os.getpid()), pytest.raises(ZeroDivisionError):
        run(sa, call, wish=Undecided())


ARGUMENTS = [
    *("sa.create()", "sa.create('x')", "sa.create('x', 3, float, 'C')", "sa.create('x', shap=3)"),
    *("sa.create('x', 3, name='x')", "sa.attach()", "sa.attach('x', True, True)", "sa.put('x')"),
    *("sa.put()", "sa.put('x', [1], 'C')", "sa.copy()", "sa.copy('x', None, None)", "sa.info()"),
    *("sa.info('x', 'y')", "sa.list('x', 'y')", "sa.delete()", "sa.delete('x', True)"),
    *("sa.delete(name='x', nam='y')", "sa.building()", "sa.building('x')", "sa.mlock()"),
    *("sa.building('x', 3, float, 'C')", "sa.msync()", "sa.mlock(1, 2)", "sa.list(grp='x')"),
]


@pytest.mark.parametrize("call", ARGUMENTS)
def test_arguments_that_are_missing_or_too_many(sa, store, call):
    with Unchanged(store, os.getpid()), pytest.raises(TypeError, match="argument"):
        run(sa, call)


@pytest.mark.parametrize("value", [[None], object(), np.array(["a"], "O"), {}, {1}, len], ids=repr)
def test_put_of_what_is_no_array(sa, store, value):
    with Unchanged(store, os.getpid()), pytest.raises(TypeError):
        sa.put("x", value)


@pytest.mark.parametrize("value", [[[1], [2, 3]], [1, [2]]], ids=repr)
def test_put_of_what_has_no_shape(sa, store, value):
    with Unchanged(store, os.getpid()), pytest.raises(ValueError, match="shape|sequence"):
        sa.put("x", value)


@pytest.mark.parametrize(
    ("out", "kind"),
    [
        (3, TypeError),
        ([0, 0, 0], TypeError),
        (b"12345678" * 3, TypeError),
        (np.empty(4), ValueError),
        (np.empty((3, 1)), ValueError),
        (np.empty(3, "f4"), ValueError),
        (np.empty(3, ">f8"), ValueError),
        (np.broadcast_to(0.0, 3), ValueError),
        (np.frombuffer(bytes(24)), ValueError),
    ],
)
def test_out_that_does_not_fit(sa, store, out, kind):
    sa.create("x", 3)
    with Unchanged(store, os.getpid()), pytest.raises(kind):
        sa.copy("x", out)


@pytest.mark.parametrize("array", [3, "x", None, [1], np.ones(3), memoryview(b"x"), len], ids=repr)
@pytest.mark.parametrize(
    "call", ["msync", "mlock", "munlock", "lock", "writing", "event", "notify", "snapshot", "share"]
)
def test_array_that_is_not_shared(sa, call, array):
    with pytest.raises(TypeError, match="shared array"):
        getattr(sa, call)(array)


@pytest.mark.parametrize("flags", [8, -1, 2**31, 2**62, 5])
def test_flags_that_msync_does_not_know(sa, flags):
    a = sa.create("x", 3)
    with pytest.raises(OSError, match="Invalid argument") as error:
        sa.msync(a, flags)
    assert (error.value.errno, error.value.filename) == (errno.EINVAL, "x")


@pytest.mark.parametrize(
    ("group", "kind", "number"),
    [
        ("none", FileNotFoundError, errno.ENOENT),
        ("x", NotADirectoryError, errno.ENOTDIR),
        ("..", OSError, errno.EINVAL),
        ("a" * 256, OSError, errno.ENAMETOOLONG),
        (b"none", FileNotFoundError, errno.ENOENT),
    ],
)
def test_list_of_no_group(sa, group, kind, number):
    sa.create("x", 3)
    with pytest.raises(kind) as error:
        sa.list(group)
    assert (error.value.errno, error.value.filename) == (number, group)


@pytest.mark.parametrize("group", [3, 2.5, ["x"], object()], ids=repr)
def test_list_of_a_wrong_type(sa, group):
    with pytest.raises(TypeError, match="name must be"):
        sa.list(group)


# The place


def remount(store, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(store)], check=True)


@pytest.fixture
def read_only(sa, store):
    """The store with an array x, mounted read-only."""
    sa.put("x", np.ones(3))
    remount(store, "ro")
    yield store
    remount(store, "rw")


@pytest.mark.root
@each((MAKERS, READ_ONLY), (REPLACERS, READ_ONLY))
def test_new_array_in_a_store_that_is_read_only(sa, read_only, call, expected):
    check(sa, read_only, call, expected, name="y")


@pytest.mark.root
@each((REPLACERS, READ_ONLY), (WRITERS, READ_ONLY), (DELETERS, READ_ONLY))
def test_use_of_an_array_in_a_store_that_is_read_only(sa, read_only, call, expected):
    check(sa, read_only, call, expected, name="x")


@pytest.mark.root
@pytest.mark.parametrize("call", READERS.values(), ids=READERS.keys())
def test_reading_in_a_store_that_is_read_only(sa, read_only, call):
    with Unchanged(read_only, os.getpid()):
        run(sa, call, name="x")
    assert len(sa.list()) == 1


NOWHERE = [(None, MISSING), ("file", NO_DIRECTORY)]


@pytest.mark.parametrize(("kind", "expected"), NOWHERE, ids=["missing", "file"])
@every_call
def test_store_that_is_none(sa, store, monkeypatch, call, kind, expected):
    if kind:
        (store / "place").write_bytes(b"")
    monkeypatch.setenv("SHARR_STORE", str(store / "place"))
    check(sa, store, call, expected, name="x")


@pytest.fixture
def nobody(python):
    other = python(uid=NOBODY)
    other.run("def run(code, **names): exec(code, {'sa': sa, 'np': np, **names})")
    return other


def refused(nobody, store, call, expected, name):
    kind, number = expected
    with Unchanged(store, nobody.pid):
        with pytest.raises(kind) as error:
            nobody.run("run(call, name=name)", call=call, name=name)
        assert (error.value.errno, error.value.filename) == (number, name)


@pytest.mark.root
@each((USERS, FORBIDDEN), (REPLACERS, FORBIDDEN))
def test_array_that_another_user_keeps_private(sa, store, nobody, call, expected):
    sa.put("x", np.ones(3), mode=0o600)
    refused(nobody, store, call, expected, "x")


@pytest.mark.root
@each((REPLACERS, NOT_OURS), (WRITERS, FORBIDDEN), (DELETERS, NOT_OURS))
def test_array_of_another_user_that_may_be_read(sa, store, nobody, call, expected):
    """In a sticky store, as /dev/shm is one."""
    sa.put("x", np.ones(3), mode=0o644)
    refused(nobody, store, call, expected, "x")
    nobody.run("a = sa.attach('x', ro=True), sa.copy('x'), sa.info('x')")


@pytest.mark.root
@each((MAKERS, FORBIDDEN), (REPLACERS, FORBIDDEN))
def test_store_that_this_user_may_not_write(sa, store, nobody, call, expected):
    store.path.chmod(0o755)
    refused(nobody, store, call, expected, "x")


@pytest.mark.root
@each((ALL, FORBIDDEN))
def test_group_that_this_user_may_not_enter(sa, store, nobody, call, expected):
    (store / "group").mkdir(mode=0o700)
    sa.put("group/x", np.ones(3), mode=0o666)
    refused(nobody, store, call, expected, "group/x")


# Limits of the process

LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (count, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
"""


def leave_descriptors(other, spare):
    other.run(LIMIT, count=len(os.listdir(f"/proc/{other.pid}/fd")) + spare)


@pytest.fixture
def other(python):
    other = python()
    other.run("import resource; sa.put('y', [1]); sa.attach('y'); sa.list(); sa.delete('y')")
    other.run("def run(code, **names): exec(code, {'sa': sa, 'np': np, **names})")
    return other


@each(({**MAKERS, **REPLACERS, **CREATE_OR_ATTACH}, "y"), ({**USERS, **REPLACERS}, "x"))
def test_out_of_descriptors(sa, store, other, call, expected):
    sa.put("x", np.ones(3))
    leave_descriptors(other, 0)
    with Unchanged(store, other.pid):
        with pytest.raises(OSError) as error:  # noqa: PT011
            other.run("run(call, name=name)", call=call, name=expected)
        assert (error.value.errno, error.value.filename) == (errno.EMFILE, expected)


@pytest.mark.parametrize("spare", [0, 1])
def test_listing_out_of_descriptors(sa, other, spare):
    sa.put("x", np.ones(3))
    leave_descriptors(other, spare)
    with pytest.raises(OSError) as error:  # noqa: PT011
        other.run("sa.list()")
    assert error.value.errno == errno.EMFILE
