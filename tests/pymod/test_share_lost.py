# SPDX-License-Identifier: BSD-3-Clause
"""share(): arrays that can't be attached where they arrive, and those that can't be shared."""

from __future__ import annotations

import copy
import errno
import operator
import os
import pickle
import shutil
import sys

import numpy as np
import pytest
from support.build import python_environment
from support.namespace import with_mounts
from support.remote import Remote


@pytest.fixture
def data(sa):
    """What travels of the array x, which this process has not attached any more."""
    a = sa.create("x", (2, 3), "f8")
    a[:] = 7
    return pickle.dumps(sa.share(a)[1:])


def error_of(sa, array) -> OSError:
    assert type(array) is sa.LostArray
    return array.error


def test_array_that_is_gone(sa, data):
    sa.delete("x")
    error = error_of(sa, pickle.loads(data))
    assert type(error) is FileNotFoundError
    assert (error.errno, error.filename) == (errno.ENOENT, "shm://x")
    assert "is gone, or this process does not see it" in str(error)


@pytest.mark.parametrize("way", ["made again", "replaced", "moved", "copied", "file of its own"])
def test_other_array_of_that_name(sa, store, data, way):
    other = {"shape": (2, 3), "dtype": "f8"}
    if way == "made again":
        sa.delete("x")
        sa.create("x", **other)
    elif way == "replaced":
        sa.create("x", **other, replace=True)
    elif way == "moved":
        sa.create("y", **other)
        os.replace(store / "y", store / "x")
    elif way == "copied":
        shutil.copy2(store / "x", store / "y")
        os.replace(store / "y", store / "x")
    else:
        sa.delete("x")
        shutil.copy2(sys.executable, store / "x")
    error = error_of(sa, pickle.loads(data))
    if way == "file of its own":
        assert type(error) is sa.NotAnArrayError
    else:
        assert (error.errno, error.filename) == (errno.ESTALE, "shm://x")
        assert "another file has its name" in str(error)


def test_thousand_that_are_made_again_at_once_are_told_apart(sa):
    """Inodes come again, and times are near to each other."""
    for _ in range(1000):
        data = pickle.dumps(sa.share(sa.create("x", 1)))
        sa.delete("x")
        sa.create("x", 1)
        assert error_of(sa, pickle.loads(data)).errno == errno.ESTALE
        sa.delete("x")


def test_array_of_the_original_that_was_made_again(sa, old):
    old.run("a = sa.create('x', 3)")
    data = pickle.dumps(sa.share(sa.attach("x")))
    old.run("sa.delete('x'); b = sa.create('x', 3)")
    assert error_of(sa, pickle.loads(data)).errno == errno.ESTALE


def test_array_of_the_original_whose_file_was_changed(sa, old, store):
    """It does not say when it was made: the time of the last change has to do."""
    old.run("a = sa.create('x', 3)")
    data = pickle.dumps(sa.share(sa.attach("x")))
    (store / "x").chmod(0o600)
    assert error_of(sa, pickle.loads(data)).errno == errno.ESTALE


@pytest.mark.root
def test_without_permission(sa, data, store, python):
    (store / "x").chmod(0o600)
    other = python(uid=65534)
    other.run("import pickle; a = pickle.loads(bytes.fromhex(s))", s=data.hex())
    with pytest.raises(PermissionError):
        other.run("a.sum()")


@pytest.mark.root
def test_to_write_is_more_than_to_read(sa, data, store, python):
    (store / "x").chmod(0o644)
    other = python(uid=65534)
    with pytest.raises(PermissionError):
        other.run("import pickle; pickle.loads(bytes.fromhex(s)).sum()", s=data.hex())


@pytest.fixture
def elsewhere(store, remotes):
    """A process that sees another tmpfs where the store is: as on another host."""
    script = 'mount -t tmpfs none "$0" && exec "$@"'
    environment = python_environment(SHARR_STORE=str(store))
    remotes.append(Remote(with_mounts(script, store, sys.executable), environment))
    remotes[-1].run("import numpy as np, SharedArray as sa, pickle")
    return remotes[-1]


@pytest.mark.root
def test_another_host(data, elsewhere):
    with pytest.raises(FileNotFoundError, match="is it on another host"):
        elsewhere.run("pickle.loads(bytes.fromhex(s)).sum()", s=data.hex())


@pytest.mark.root
def test_another_host_with_an_array_of_that_name(data, elsewhere):
    elsewhere.run("sa.create('x', (2, 3)); a = pickle.loads(bytes.fromhex(s))", s=data.hex())
    with pytest.raises(OSError, match="another file has its name") as caught:
        elsewhere.run("a.sum()")
    assert caught.value.errno == errno.ESTALE


@pytest.mark.root
def test_another_host_hands_the_reference_on(sa, data, elsewhere):
    elsewhere.run("a = pickle.loads(bytes.fromhex(s))", s=data.hex())
    again = bytes.fromhex(elsewhere.run("pickle.dumps([a]).hex()"))
    assert pickle.loads(again)[0].tolist() == [[7, 7, 7]]


def test_out_of_descriptors(python, data):
    other = python()
    other.run("import pickle, resource; a = pickle.loads(bytes.fromhex(s)); del a", s=data.hex())
    other.run("resource.setrlimit(resource.RLIMIT_NOFILE, (0, 4096))")
    other.run("a = pickle.loads(bytes.fromhex(s))", s=data.hex())
    other.run("resource.setrlimit(resource.RLIMIT_NOFILE, (100, 4096))")
    with pytest.raises(OSError, match="RLIMIT_NOFILE|Too many open files") as caught:
        other.run("a[0]")
    assert caught.value.errno == errno.EMFILE


# What stands in its place


USES = {
    "attribute": lambda a: a.shape,
    "method": lambda a: a.sum(),
    "element": lambda a: a[0],
    "store": lambda a: operator.setitem(a, 0, 1),
    "len": len,
    "iteration": list,
    "contains": lambda a: 1 in a,
    "truth": bool,
    "int": int,
    "float": float,
    "arithmetic": lambda a: a + 1,
    "reflected": lambda a: 1 - a,
    "in place": lambda a: operator.iadd(a, 1),
    "comparison": lambda a: a == 1,
    "with an array": lambda a: np.ones(3) * a,
    "matmul": lambda a: np.ones(3) @ a,
    "ufunc": np.sin,
    "function": np.sum,
    "stack": lambda a: np.stack([a, a]),
    "asarray": np.asarray,
    "array": np.array,
    "out": lambda a: np.add(1, 1, out=a),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_any_use_raises_the_reason(sa, data, use):
    sa.delete("x")
    lost = pickle.loads(data)
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="the shared array is gone"):
            use(lost)


def test_it_can_be_looked_at(sa, data):
    sa.delete("x")
    lost = pickle.loads(data)
    assert repr(lost) == str(lost)
    assert repr(lost).startswith("<SharedArray.LostArray: [Errno 2] the shared array is gone")
    assert not hasattr(lost, "__dask_graph__")
    assert lost is not None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_the_reference_when_it_is_pickled(sa, store, data, protocol):
    os.rename(store / "x", store / "y")
    lost = pickle.loads(data)
    again = pickle.dumps(lost, protocol)
    assert len(again) <= 250
    assert type(copy.copy(lost)) is sa.LostArray
    os.rename(store / "y", store / "x")
    assert pickle.loads(again).tolist() == [[7, 7, 7]]


# At the sender's end


def test_share_of_a_deleted_array(sa):
    a = sa.create("x", 3)
    sa.delete("x")
    with pytest.raises(FileNotFoundError, match="the shared array is gone") as caught:
        sa.share(a)
    assert caught.value.filename == "shm://x"


def test_share_of_a_replaced_array(sa):
    a = sa.create("x", 3)
    sa.create("x", 3, replace=True)
    with pytest.raises(OSError, match="another file has its name") as caught:
        sa.share(a)
    assert caught.value.errno == errno.ESTALE


def test_share_in_another_working_directory(sa, area, monkeypatch):
    monkeypatch.chdir(area)
    a = sa.create("file://x", 3)
    monkeypatch.chdir("/")
    with pytest.raises(FileNotFoundError) as caught:
        sa.share(a)
    assert caught.value.filename == "file:///x"


def test_share_of_what_is_being_built(sa):
    with sa.building("x", 3) as a, pytest.raises(FileNotFoundError):
        sa.share(a)
    assert pickle.loads(pickle.dumps(sa.share(a))).tolist() == [0, 0, 0]


def test_view_without_share_of_a_deleted_array(sa):
    a = sa.create("x", 3).view(sa.SharedNDArray)
    assert np.shares_memory(pickle.loads(pickle.dumps(a)), a)
    b = sa.create("y", 3).view(sa.SharedNDArray)
    sa.delete("y")
    with pytest.raises(FileNotFoundError):
        pickle.dumps(b)
