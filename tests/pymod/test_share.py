# SPDX-License-Identifier: BSD-3-Clause
"""share(): what travels and what arrives. test_share_lost.py is about what can't arrive, and
test_share_processes.py about what real packages make of it."""

from __future__ import annotations

import copy
import os
import pickle
import threading

import ml_dtypes
import numpy as np
import pytest

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

VIEWS = {
    "whole": lambda a: a,
    "slice": lambda a: a[1:3, ::2],
    "reversed": lambda a: a[::-1, ::-2],
    "transposed": lambda a: a.T,
    "element": lambda a: a[2, 3, ...],
    "new axis": lambda a: a[:, None, 1],
    "broadcast": lambda a: np.broadcast_to(a[1], (3, 5), subok=True),
    "empty": lambda a: a[4:, 2:2],
    "diagonal": lambda a: a.diagonal(),
    "other dtype": lambda a: a.view("u8"),
}

DTYPES = [
    *("?", "<i2", ">f8", "<c16", "g", "M8[25s]", ">m8[us]", "S3", "<U3", "V12"),
    np.dtype("u1,f8", align=True),
    np.dtype([(("a title", "x"), "<f4"), ("y", [("inner", ">u2")], (2, 3))]),
    np.dtype({"names": ["b", "a"], "formats": ["u1", "u1"], "offsets": [1, 0]}),
    np.dtype((np.record, [("x", "u1"), ("y", "f8")])),
    np.dtype(ml_dtypes.bfloat16),
]


def arrived(array, protocol: int = pickle.HIGHEST_PROTOCOL):
    return pickle.loads(pickle.dumps(array, protocol))


def counts(sa, name="x", shape=(4, 5), dtype="i8", **how):
    a = sa.create(name, shape, dtype, **how)
    a[...] = np.arange(a.size).reshape(a.shape)
    return sa.share(a)


def facts(a: np.ndarray) -> tuple:
    """Strides only where there is more than one element to step to."""
    strides = [stride for length, stride in zip(a.shape, a.strides) if length > 1]
    return a.dtype, a.dtype.type, a.shape, strides, a.flags.writeable, type(a)


def address(a: np.ndarray) -> int:
    return a.__array_interface__["data"][0]


def mapped(store) -> int:
    with open("/proc/self/maps") as lines:
        return sum(str(store) in line for line in lines)


@pytest.fixture
def other(python):
    """other(array, code): the value of code at another end, where `a` is what arrived."""
    process = python()

    def send(array, code="a.tolist()"):
        code_in = "import pickle; a = pickle.loads(bytes.fromhex(s))"
        process.run(code_in, s=pickle.dumps(array).hex())
        return process.run(code)

    return send


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_view_arrives_as_it_was_and_where_it_was(sa, store, view, order, protocol):
    a = view(counts(sa, order=order))
    b = arrived(a, protocol)
    assert facts(a) == facts(b)
    assert not a.size or not a.flags.writeable or address(a) == address(b)
    assert a.tolist() == b.tolist()
    assert mapped(store) == 2 - a.flags.writeable


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_view_arrives_in_another_process(sa, other, view):
    a = view(counts(sa))
    assert other(a) == a.tolist()
    told = "a.shape, a.dtype.str, a.flags.writeable, type(a)"
    expected = (a.shape, a.dtype.str, a.flags.writeable, "SharedArray.SharedNDArray")
    assert other(a, told) == expected


def test_what_is_written_at_one_end_is_seen_at_the_other(sa, other):
    a = counts(sa)
    other(a[::-1, ::-1], "a[0, 0] = 100")
    assert a[3, 4] == 100
    a[3, 3] = 200
    assert other(a[::-1], "a[0].tolist()") == [15, 16, 17, 200, 100]


@pytest.mark.parametrize("shape", [(), 0, (3, 0), (1,), (2,) * 12])
def test_shape(sa, other, shape):
    a = counts(sa, shape=shape)
    assert facts(arrived(a)) == facts(a)
    assert other(a) == a.tolist()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtype(sa, dtype):
    a = sa.share(sa.create("x", 16 * np.dtype(dtype).itemsize, "u1"))
    a[:] = np.arange(a.size) % 2
    a = a.view(dtype)
    b = arrived(a)
    assert facts(a) == facts(b)
    assert address(a) == address(b)


def test_dtype_that_numpy_does_not_know_there(sa):
    function, (reference, _, *rest) = counts(sa).__reduce__()
    with pytest.raises(TypeError, match="makes no dtype of"):
        function(reference, "[('x', '<z9')]", *rest)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["f8", [("time", "M8[ns]"), ("x", "f4"), ("label", "S8")]])
def test_at_most_250_bytes_travel(sa, dtype, protocol):
    """Of a name of forty bytes, in a store whose path has to travel as well."""
    a = sa.share(sa.create("x" * 40, 9, dtype))
    assert len(pickle.dumps(a, protocol)) <= 250
    assert len(pickle.dumps(a[::-2], protocol)) <= 250


def test_no_buffer_is_passed_out_of_band(sa):
    buffers = []
    data = pickle.dumps(counts(sa), 5, buffer_callback=buffers.append)
    assert (buffers, len(data) < 250) == ([], True)


# Read-only


def test_what_was_attached_read_only_arrives_so(sa, other):
    counts(sa)
    a = sa.share(sa.attach("x", ro=True))
    assert facts(arrived(a)) == facts(a)
    with pytest.raises(ValueError, match="WRITEABLE"):
        other(a, "a.flags.writeable = True")


def test_view_that_is_not_writeable_arrives_read_only_for_good(sa, other):
    a = counts(sa)
    a.flags.writeable = False
    assert other(a, "a.flags.writeable, a.base.readonly") == (False, True)
    with pytest.raises(ValueError, match="read-only"):
        arrived(a)[0] = 1


@pytest.mark.root
def test_to_read_needs_no_more_than_the_right_to_read(sa, python):
    counts(sa, mode=0o644)
    reader = python(uid=65534)
    code = "import pickle; pickle.loads(bytes.fromhex(s)).sum()"
    assert reader.run(code, s=pickle.dumps(sa.share(sa.attach("x", ro=True))).hex()) == 190


# Names


@pytest.mark.parametrize(
    "name", ["y", "/y", "shm://y", b"shm://y", "a b:[c]", "\udcff", "g/y", b"shm://g/y"]
)
def test_name(sa, store, other, name):
    (store / "g").mkdir()
    assert other(counts(sa, name)[0]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["file://y", "file://./y", "file://sub/../y", b"file://y"])
def test_relative_name_means_the_same_elsewhere(sa, area, other, monkeypatch, name):
    (area / "sub").mkdir()
    monkeypatch.chdir(area)
    a = counts(sa, name)
    monkeypatch.chdir("/")
    with pytest.raises(FileNotFoundError):
        sa.attach(name)
    assert other(a[0]) == [0, 1, 2, 3, 4]


def test_store_of_the_other_end_may_be_another(sa, python, area):
    a = counts(sa)
    code = "import pickle; pickle.loads(bytes.fromhex(s)).sum()"
    elsewhere = python(SHARR_STORE=str(area))
    assert elsewhere.run(code, s=pickle.dumps(a).hex()) == 190


def test_store_may_be_chosen_after_the_array_was_shared(sa, store, monkeypatch):
    data = pickle.dumps(counts(sa))
    monkeypatch.setenv("SHARR_STORE", str(store()))
    assert pickle.loads(data).sum() == 190


@pytest.mark.fuse
@pytest.mark.parametrize("ends", [("shm", "mount"), ("mount", "shm"), ("mount", "mount")])
def test_one_end_may_attach_through_a_mount(sa, python, mount, ends):
    at = mount()
    counts(sa)
    here, there = (python(SHARR_MOUNT=str(at), SHARR_VIA=via) for via in ends)
    here.run("import pickle; a = sa.share(sa.attach('x', ro=True))")
    data = here.run("pickle.dumps(a[::-1]).hex()")
    code = "import pickle; a = pickle.loads(bytes.fromhex(s)); a.base.addr; a.tolist()"
    assert there.run(code, s=data)[3] == [0, 1, 2, 3, 4]


# One map for all that arrives


def test_what_arrives_again_needs_no_second_map(sa, store):
    data = pickle.dumps(counts(sa))
    one, two = pickle.loads(data), pickle.loads(data)
    assert address(one) == address(two)
    assert mapped(store) == 1


def test_map_goes_with_the_last_array(sa, store):
    data = pickle.dumps(counts(sa))
    assert mapped(store) == 0
    a = pickle.loads(data)
    assert mapped(store) == 1
    del a
    assert mapped(store) == 0


def test_many_threads_receive_at_once(sa, store):
    data = [pickle.dumps(counts(sa, f"x{i}")) for i in range(20)]
    barrier = threading.Barrier(8)
    sums = []

    def receive():
        barrier.wait()
        for _ in range(50):
            arrays = [pickle.loads(one) for one in data]
            sums.append({int(a.sum()) for a in arrays})

    threads = [threading.Thread(target=receive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [{190}] * 400
    assert mapped(store) == 0


# What is shared stays so, what is computed is not


STAYS = {
    "slice": lambda s: s[1:],
    "reshape": lambda s: s.reshape(5, 4),
    "ravel": lambda s: s.ravel(),
    "asanyarray": np.asanyarray,
    "squeeze": np.squeeze,
    "flip": np.flip,
    "swapaxes": lambda s: s.swapaxes(0, 1),
    "in place": lambda s: s.__iadd__(0),
    "out": lambda s: np.add(s, 0, out=s),
    "real": lambda s: s.real,
    "split": lambda s: np.split(s, 2)[1],
}

PLAIN = {
    "ufunc": lambda s: s + 1,
    "right": lambda s: np.ones((4, 5)) * s,
    "reduction": lambda s: s.sum(axis=0),
    "mean": lambda s: np.mean(s, axis=1),
    "copy": lambda s: s.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "astype": lambda s: s.astype("f4"),
    "fancy": lambda s: s[[0, 2]],
    "mask": lambda s: s[s > 3],
    "take": lambda s: s.take([1, 2]),
    "reshape": lambda s: s.T.reshape(2, 10),
    "ravel": lambda s: s.T.ravel(),
    "flatten": lambda s: s.flatten(),
    "zeros_like": np.zeros_like,
    "sort": np.sort,
    "argsort": lambda s: s.argsort(),
    "cumsum": lambda s: s.cumsum(axis=0),
    "matmul": lambda s: s @ s.T,
    "dot": lambda s: s.dot(s.T),
    "concatenate": lambda s: np.concatenate([s, s]),
    "where": lambda s: np.where(s > 1, s, 0),
    "round": lambda s: s.round(1),
    "einsum": lambda s: np.einsum("ij,ij->i", s, s),
    "unique": lambda s: np.unique(s, return_counts=True)[0],
    "asarray": np.asarray,
    "as an ndarray": lambda s: s.view(np.ndarray),
}


@pytest.mark.parametrize("of", STAYS.values(), ids=STAYS)
def test_view_is_shared_as_well(sa, of):
    s = counts(sa)
    assert type(of(s)) is sa.SharedNDArray
    assert np.shares_memory(of(s), s)


@pytest.mark.parametrize("of", PLAIN.values(), ids=PLAIN)
def test_result_is_an_ordinary_array(sa, of):
    assert type(of(counts(sa))) is np.ndarray


def test_scalar_is_an_ordinary_scalar(sa):
    s = counts(sa)
    for one in (s[1, 1], s.sum(), np.max(s), s.argmax(), s[0, 0, ...] + 1, s.trace(), s.mean()):
        assert isinstance(one, np.generic)


def test_methods_leave_no_array_of_this_kind_outside(sa):
    """Whatever can be called without arguments or with one that fits most."""
    s = counts(sa)
    for name in set(dir(np.ndarray)) - {"__class__", "tofile", "dump"}:
        for arguments in ((), (1,), ("f8",), (s,)):
            try:
                result = getattr(s, name)(*arguments)
            except Exception:
                continue
            if type(result) is sa.SharedNDArray:
                assert np.may_share_memory(result, s), (name, arguments)


def test_array_of_this_kind_in_private_memory_is_pickled_whole(sa):
    a = np.arange(5).view(sa.SharedNDArray)
    b = arrived(a)
    assert (type(b), b.tolist()) == (np.ndarray, [0, 1, 2, 3, 4])


def test_array_that_reaches_out_of_the_data_is_pickled_whole(sa):
    s = sa.share(sa.create("x", 3, "u1"))
    for wide in (
        np.lib.stride_tricks.as_strided(s, (8,), subok=True),
        np.lib.stride_tricks.as_strided(s[1:], (3,), subok=True),
    ):
        assert type(wide) is sa.SharedNDArray
        assert not np.may_share_memory(arrived(wide), s)


def test_plain_attached_array_stays_plain(sa):
    s = counts(sa)
    assert type(sa.attach("x")) is np.ndarray
    assert type(s) is sa.SharedNDArray
    assert address(sa.share(s)) == address(s)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_share_of_a_view(sa, view):
    counts(sa)
    a = view(sa.attach("x"))
    s = sa.share(a)
    assert s.base.name == "x"
    assert facts(s)[:-1] == facts(a)[:-1]
    assert not s.size or address(s) == address(a)


def test_deleted_array_that_is_still_attached_here_is_found_here(sa):
    s = counts(sa)
    data = pickle.dumps(s)
    sa.delete("x")
    assert address(pickle.loads(data)) == address(s)


@pytest.mark.parametrize("wrong", [np.zeros(3), [1, 2], "x", None, memoryview(b"abc")])
def test_share_takes_shared_arrays_only(sa, wrong):
    with pytest.raises(TypeError, match=r"share\(\) takes a shared array or a view of one, not "):
        sa.share(wrong)


@pytest.mark.parametrize("to", ["np1", "np2"])
def test_other_numpy(sa, python, to):
    """Arrives beside numpy 1 and 2, which call __array_wrap__ each in its own way."""
    data = pickle.dumps(counts(sa)[::-1]).hex()
    other = python(venv=to)
    other.run("import pickle; a = pickle.loads(bytes.fromhex(s))", s=data)
    assert other.run("a[:, 0].tolist()") == [15, 10, 5, 0]
    plain = "a + 1, a.sum(axis=0), a[[0]], a.copy(), np.sort(a), a.T.ravel(), np.zeros_like(a)"
    assert other.run(f"{{type(b) for b in ({plain})}} == {{np.ndarray}}")
    assert (
        other.run("[isinstance(b, np.generic) for b in (a.sum(), a[0, 0], np.max(a))]")
        == [True] * 3
    )
    assert other.run("type(a.T), type(np.add(a, 1, out=a))") == ("SharedArray.SharedNDArray",) * 2
    back = other.run("pickle.dumps(a.T).hex()")
    assert pickle.loads(bytes.fromhex(back))[0].tolist() == [16, 11, 6, 1]


def test_array_of_the_original(sa, old, store):
    old.run("a = sa.create('x', (2, 3), 'i4'); a[:] = 5")
    a = sa.share(sa.attach("x"))
    old.run("a[:] = 6")
    assert arrived(a[1:]).tolist() == [[6, 6, 6]]
    assert os.listdir(store) == ["x"]
