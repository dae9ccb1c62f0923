# SPDX-License-Identifier: BSD-3-Clause
"""SharedArray.dask with a real cluster of processes, and with workers that are on other hosts."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
from support.area import Store, make_area, remove_area
from support.build import python_environment
from support.dask_hosts import Cable, Worker, worker_environment
from support.dask_tasks import answers, kind, make, mark, same, total, watch_the_sender
from support.wait import wait_for

pytestmark = [
    pytest.mark.release_only,  # these are large programs, and not what is under test
    pytest.mark.root,
    pytest.mark.filterwarnings("default"),  # Dask's own
]

ELEMENTS = 300_000


@pytest.fixture(scope="module")
def own_store():
    area = make_area()
    yield Store(area)
    remove_area(area)


@pytest.fixture
def sa(own_store, monkeypatch):
    """Of this build, with the store of this module, emptied."""
    monkeypatch.setenv("SHARR_STORE", str(own_store))
    module = importlib.import_module("SharedArray")
    importlib.import_module("SharedArray.dask")
    yield module
    for name in own_store.names():
        (own_store / name).unlink()


@pytest.fixture
def shared(sa):
    a = sa.create("x", ELEMENTS)
    a[:] = np.arange(ELEMENTS)
    return sa.share(a)


@contextlib.contextmanager
def cluster_at(host: str, store):
    """Two workers of this host, as processes."""
    import distributed

    how = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in worker_environment(store).items():
            patch.setenv(name, value)
        with (
            distributed.LocalCluster(host=host, **how) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def local(own_store):
    with cluster_at("127.0.0.1", own_store) as client:
        yield client


def workers_of(client) -> dict[str, str]:
    """{name: address}"""
    found = client.scheduler_info(n_workers=-1)["workers"]
    return {str(worker["name"]): address for address, worker in found.items()}


@pytest.fixture(scope="module")
def mixed(own_store):
    """Workers "0" and "1" of this host, "far" of another one, and "apart", which has the address
    of this host and other mounts."""
    cable = Cable()
    started = []
    try:
        with cluster_at(cable.here, own_store) as client:
            scheduler = client.scheduler.address
            started += [Worker(scheduler, own_store, "far", cable)]
            started += [Worker(scheduler, own_store, "apart")]
            wait_for(lambda: all(worker.is_up() for worker in started), 120, "the workers")
            client.cable = cable
            yield client
    finally:
        for worker in started:
            worker.close()
        cable.remove()


def run(client, function, *arguments, on: str | None = None):
    """By that worker, now; its future."""
    options = {"workers": [workers_of(client)[on]]} if on else {}
    return client.submit(function, *arguments, pure=False, **options)


# One host


def test_argument_of_a_task(local, shared):
    assert run(local, kind, shared).result(60) == "SharedNDArray"
    assert run(local, mark, shared[::-1], 0, -1).result(60) == ELEMENTS - 1
    assert shared[-1] == -1


def test_graph_holds_the_reference_alone(local, shared):
    assert len(pickle.dumps(shared)) <= 250


def test_result_goes_from_worker_to_worker_and_back(local, shared):
    future = run(local, same, shared[5:], on="0")
    assert run(local, mark, future, 0, -1, on="1").result(60) == 5
    assert shared[5] == -1
    assert np.shares_memory(future.result(60), shared)


@pytest.mark.parametrize("direct", [True, False])
def test_scattered(local, shared, direct):
    # A key of its own: one that is made of the data would be that of the run before, which the
    # client may be letting go just now.
    future = local.scatter(shared, direct=direct, broadcast=True, hash=False)
    assert run(local, mark, future, 7, -1, on="0").result(60) == 7
    assert run(local, mark, future, 7, -2, on="1").result(60) == -1
    assert shared[7] == -2


def test_in_collections(local, shared):
    parts = local.scatter([shared[:3], {"b": shared[3:6]}])
    assert run(local, kind, parts[0]).result(60) == "SharedNDArray"
    assert run(local, lambda d: kind(d["b"]), parts[1]).result(60) == "SharedNDArray"
    assert run(local, lambda d: kind(d[0]["a"]), [{"a": shared}]).result(60) == "SharedNDArray"


def test_made_by_a_worker(local, sa):
    future = run(local, make, "made", ELEMENTS, on="0")
    assert run(local, kind, future, on="1").result(60) == "SharedNDArray"
    a = future.result(60)
    a[0] = 5
    assert sa.attach("made")[0] == 5


def test_read_only(local, sa, shared):
    a = sa.share(sa.attach("x", ro=True))
    with pytest.raises(ValueError, match="read-only"):
        run(local, mark, a, 0, 1).result(60)


def test_counts_as_little_memory(local, shared):
    from dask.sizeof import sizeof

    assert sizeof(shared) <= 250
    assert sizeof(shared + 1) >= shared.nbytes
    future = run(local, same, shared)
    future.result(60)
    assert max(local.nbytes(keys=[future.key]).values()) <= 250


def test_dask_array(local, shared):
    import dask.array

    x = dask.array.from_array(shared, chunks=ELEMENTS // 4)
    assert float((x * 2).sum().compute()) == 2 * total(shared)


def test_deleted_before_its_task_starts(local, sa):
    """What can't be attached any more is sent: the scheduler or a worker has it still."""
    import distributed

    gone = sa.share(sa.create("gone", 3))
    gate = run(local, lambda: distributed.Event("deleted").wait(60), on="0")
    future = local.submit(lambda _, a: (kind(a), total(a)), gate, gone, pure=False)
    sa.delete("gone")
    distributed.Event("deleted", client=local).set()
    assert future.result(60) == ("ndarray", 0.0)


def test_deleted_before_another_worker_asks_for_it(local, sa):
    import distributed

    future = run(local, same, sa.share(sa.create("gone", 3)), on="0")
    distributed.wait(future)
    sa.delete("gone")
    assert run(local, kind, future, on="1").result(60) == "ndarray"


def test_lost_on_its_way(sa):
    from SharedArray import dask

    arguments = dask._share.arguments_of(sa.share(sa.create("gone", 3)))[0]
    reference = pickle.dumps(dask._Reference(arguments))
    sa.delete("gone")
    with pytest.raises(FileNotFoundError, match="the shared array is gone"):
        dask._deserialize({"pickle": True, "sharr": reference}, [reference])


def test_threads_of_one_process_pass_it_as_it_is(sa, shared):
    import distributed

    with (
        distributed.LocalCluster(processes=False, n_workers=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert run(client, mark, shared, 0, -1).result(60) == 0
        assert np.shares_memory(client.scatter(shared).result(60), shared)


# Several hosts


@pytest.mark.parametrize("name", ["0", "far", "apart"])
def test_argument_reaches_every_host(mixed, shared, name):
    expected = {"0": "SharedNDArray", "far": "ndarray", "apart": "ndarray"}[name]
    assert run(mixed, kind, shared, on=name).result(60) == expected
    assert run(mixed, total, shared[::-2], on=name).result(60) == total(shared[::-2])


@pytest.mark.parametrize("to", ["far", "apart"])
def test_data_go_to_where_the_array_is_not(mixed, shared, to):
    future = run(mixed, same, shared[1:], on="0")
    future.exception(60)
    sent = mixed.cable.sent()
    assert run(mixed, kind, future, on=to).result(60) == "ndarray"
    assert run(mixed, mark, future, 0, -1, on=to).result(60) == 1
    assert shared[1] == 1
    assert (mixed.cable.sent() - sent > shared.nbytes / 2) == (to == "far")


def test_data_stay_where_both_workers_see_the_array(mixed, shared):
    sender = [workers_of(mixed)["0"]]
    mixed.run(watch_the_sender, workers=sender)
    for name, value in (("1", -1), ("far", -2), ("apart", -3)):
        future = run(mixed, same, shared, on="0")  # each of its own: who has got it hands it on
        assert run(mixed, mark, future, 3, value, on=name).result(60) in (3, -1)
    assert shared[3] == -1
    assert mixed.run(answers, workers=sender) == {sender[0]: [True, False, False]}


def test_client_attaches_what_is_gathered(mixed, shared):
    assert np.shares_memory(run(mixed, same, shared[::3], on="1").result(60), shared)
    back = run(mixed, same, shared[::3], on="far").result(60)
    assert back.tolist() == shared[::3].tolist()


def test_made_on_the_other_host(mixed, sa):
    """An array of that name is here too; its data are not what arrives."""
    sa.create("made", 10)
    future = run(mixed, make, "made", 10, on="far")
    assert run(mixed, total, future, on="0").result(60) == 10
    assert future.result(60).tolist() == [1] * 10
    assert run(mixed, kind, future, on="far").result(60) == "SharedNDArray"


def test_scattered_to_the_other_host(mixed, shared):
    future = mixed.scatter(shared, workers=[workers_of(mixed)["far"]])
    assert run(mixed, total, future, on="far").result(60) == total(shared)
    assert run(mixed, total, future, on="apart").result(60) == total(shared)


def test_worker_that_joins_later(local, shared, own_store):
    """The graph was sent when all saw the array; the scheduler adds the data then."""
    future = local.submit(kind, shared, resources={"late": 1}, pure=False)
    worker = Worker(local.scheduler.address, own_store, "late")
    try:
        wait_for(worker.is_up, 120, "the worker")
        assert future.result(60) == "ndarray"
    finally:
        worker.close()
        wait_for(lambda: "late" not in workers_of(local), 60, "its leave")


# By itself


def test_what_is_read_of_dask_is_there(local):
    """These have no documented name: without them, data are sent where a reference would do."""
    import distributed

    assert local in distributed.Client._instances
    assert local._scheduler_identity["address"] == local.scheduler.address
    assert local.status == "running"
    for one in (distributed.Worker, distributed.Scheduler):
        assert isinstance(one._instances, weakref.WeakSet)


@pytest.mark.parametrize("view", [np.s_[:], np.s_[::-2]])
def test_dasks_own_function_reads_what_is_sent(sa, shared, view):
    """That of a receiver that has not imported SharedArray.dask."""
    from distributed.protocol.numpy import deserialize_numpy_ndarray
    from SharedArray import dask

    header, frames = dask._serialize(shared[view])
    assert deserialize_numpy_ndarray(header, frames).tolist() == shared[view].tolist()
    assert np.shares_memory(dask._deserialize(header, frames), shared)


def test_import_after_dask_registers():
    code = "import distributed, SharedArray as sa\n"
    code += "from distributed.protocol import dask_serialize\n"
    code += "print(dask_serialize.dispatch(sa.SharedNDArray).__module__)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=python_environment(), capture_output=True, text=True
    )
    assert done.stdout == "SharedArray.dask\n", done.stderr
