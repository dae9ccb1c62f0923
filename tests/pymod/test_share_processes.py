# SPDX-License-Identifier: BSD-3-Clause
"""share() with what programs pass arrays to processes with: the real packages, none replaced."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import multiprocessing
import os
import pickle
import signal

import cloudpickle
import joblib
import numpy as np
import pytest
from support.build import PYMOD, ROOT, python_environment
from support.remote import ProcessDied

METHODS = ["fork", "spawn", "forkserver"]

pytestmark = pytest.mark.release_only  # these are large programs, and not what is under test

# More than joblib hands over as it is (1 MB): from there on it would make a read-only copy.
LARGE = 300_000


@pytest.fixture
def shared(sa, monkeypatch):
    """An array of 2.4 MB; processes that are started find the module of this build."""
    monkeypatch.setenv("PYTHONPATH", python_environment()["PYTHONPATH"])
    a = sa.create("x", LARGE)
    a[:] = np.arange(LARGE)
    return sa.share(a)


@pytest.fixture(params=METHODS)
def context(request):
    return multiprocessing.get_context(request.param)


def describe(a):
    return type(a).__name__, a.shape, a.strides, a.flags.writeable


def mark(a, index, value):
    """Write through what arrived; what lies there before."""
    before = float(a[index])
    a[index] = value
    return before


def answer(jobs, results):
    a = jobs.get()
    results.put(mark(a, 0, -1))
    results.put(a[::-1])
    jobs.get()


def test_process_arguments(shared, context):
    process = context.Process(target=mark, args=(shared[::-2], 0, -5))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert shared[-1] == -5


def test_queues_there_and_back(shared, context):
    jobs, results = context.Queue(), context.Queue()
    process = context.Process(target=answer, args=(jobs, results))
    process.start()
    jobs.put(shared[3:9])
    assert results.get(timeout=60) == 3
    back = results.get(timeout=60)
    jobs.put(None)
    process.join(60)
    assert back.tolist() == [8, 7, 6, 5, 4, -1]
    assert np.shares_memory(back, shared)


def test_pipe(shared, context):
    here, there = context.Pipe()
    process = context.Process(target=answer_pipe, args=(there,))
    process.start()
    here.send([shared, {"part": shared[10:20]}])
    assert here.recv() == 10.0
    process.join(60)
    assert shared[10] == -1


def answer_pipe(end):
    _whole, parts = end.recv()
    end.send(mark(parts["part"], 0, -1))


def test_pool(shared, context):
    parts = [shared[i::4] for i in range(4)]
    with context.Pool(2) as pool:
        assert pool.starmap(mark, [(part, 1, -i) for i, part in enumerate(parts)]) == [4, 5, 6, 7]
        told = pool.apply(describe, (parts[1],))
    assert told == ("SharedNDArray", (LARGE // 4,), (32,), True)
    assert shared[4:8].tolist() == [0, -1, -2, -3]


def test_pool_that_is_given_a_lost_array_says_so(sa, shared, context):
    """An exception while a worker reads its task would leave the caller waiting for ever."""
    lost = sa.share(sa.create("y", 3))
    with context.Pool(1) as pool:
        assert pool.apply(int, (1,)) == 1  # the worker runs: it inherits no map of y
        sa.delete("y")
        later = pool.apply_async(np.sum, (pickle.loads(renamed(lost)),))
        with pytest.raises(FileNotFoundError, match="the shared array is gone"):
            later.get(60)


def renamed(array) -> bytes:
    """The same reference to a name that never was: a forked worker knows the old one."""
    function, (reference, *rest) = array.__reduce__()
    return cloudpickle.dumps(function(("never", *reference[1:]), *rest))


def test_manager(shared):
    with multiprocessing.get_context("forkserver").Manager() as manager:
        arrays = manager.list([shared[:5]])
        arrays[0][1] = 100
        assert arrays[0].tolist() == [0, 100, 2, 3, 4]
    assert shared[1] == 100


def test_futures(shared, context):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        futures = [pool.submit(mark, shared[i:], 0, -1) for i in (5, 6)]
        assert [future.result(60) for future in futures] == [5, 6]
        (back,) = pool.map(transposed, [shared[:6].reshape(2, 3)])
    assert back.tolist() == [[0, 3], [1, 4], [2, -1]]
    assert np.shares_memory(back, shared)


def transposed(a):
    return a.T


def test_read_only_stays_so(sa, shared, context):
    a = sa.share(sa.attach("x", ro=True))
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(describe, a).result(60)[3] is False
        with pytest.raises(ValueError, match="read-only"):
            pool.submit(mark, a, 0, 1).result(60)


def test_creator_has_died(sa, shared, context, python):
    creator = python()
    creator.run("import pickle; a = sa.share(sa.create('y', 3)); a[:] = 4")
    a = pickle.loads(bytes.fromhex(creator.run("pickle.dumps(a).hex()")))
    creator.kill(signal.SIGKILL)
    with pytest.raises((ProcessDied, BrokenPipeError)):
        creator.run("1")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(mark, a, 2, 5).result(60) == 4
    assert a.tolist() == [4, 4, 5]


def test_threads(shared):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(mark, [shared] * 4, range(4), [9] * 4)) == [0, 1, 2, 3]


# joblib


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
@pytest.mark.parametrize("max_nbytes", ["1M", None])
def test_joblib(shared, backend, max_nbytes):
    """Its own reducers would hand a read-only copy of any ordinary array this large to workers."""
    parallel = joblib.Parallel(2, backend=backend, max_nbytes=max_nbytes, mmap_mode="r")
    parts = [shared, shared[::-1], shared[::2], shared[:]]
    assert parallel(joblib.delayed(mark)(part, i, -i) for i, part in enumerate(parts))
    assert {shared[0], shared[-2], shared[4], shared[3]} == {0, -1, -2, -3}
    told = parallel(joblib.delayed(describe)(part) for part in parts)
    assert [(kind, writeable) for kind, _, _, writeable in told] == [("SharedNDArray", True)] * 4


def test_joblib_results(shared):
    backs = joblib.Parallel(2)(joblib.delayed(transposed)(a) for a in (shared, shared[::3]))
    assert all(np.shares_memory(back, shared) for back in backs)


def test_joblib_leaves_nothing_behind(shared, store, tmp_path):
    joblib.Parallel(2, temp_folder=tmp_path)(joblib.delayed(describe)(shared) for _ in range(2))
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if "pkl" in name]
    assert store.names() == ["x"]


def test_joblib_hash_is_that_of_the_data(shared):
    one = joblib.hash(shared)
    assert one == joblib.hash(shared[:])
    shared[0] = 1
    assert one != joblib.hash(shared)


# Others


def test_cloudpickle(shared):
    data = cloudpickle.dumps(lambda: shared[::-1])
    assert len(data) < 1500
    assert np.shares_memory(pickle.loads(data)(), shared)


@pytest.mark.slow
@pytest.mark.release_only
def test_ray(sa, shared, monkeypatch):
    assert importlib.util.find_spec("ray"), "not installed: ./dev test --slow does"
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # a token would be left in the user's home
    import ray

    path = os.pathsep.join([str(PYMOD), str(ROOT / "tests")])
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    try:
        remote_mark, remote_back = ray.remote(mark), ray.remote(transposed)
        # Of ordinary arrays Ray makes read-only ones.
        assert ray.get(remote_mark.remote(shared[::-1], 0, -1)) == LARGE - 1
        assert shared[-1] == -1
        put = ray.put(shared[3:])
        assert ray.get(remote_mark.remote(put, 0, -2)) == 3
        assert np.shares_memory(ray.get(put), shared)
        assert np.shares_memory(ray.get(remote_back.remote(shared[:6])), shared)
        lost = sa.share(sa.create("y", 3))
        put = ray.put(lost)
        sa.delete("y")
        with pytest.raises(FileNotFoundError, match="the shared array is gone"):
            ray.get(remote_mark.remote(put, 0, 1))
    finally:
        ray.shutdown()
