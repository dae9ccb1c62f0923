# SPDX-License-Identifier: BSD-3-Clause
"""share()d arrays in Dask: by reference within a host, as Dask's own bytes between hosts.

    import SharedArray as sa, SharedArray.dask

Importing it is all: it registers with the serializers that dask.distributed documents.
Workers that receive such an array import it themselves.

What is sent always has the reference in it, and whoever can attach the array by that does.
The data go along, by Dask's own serializer of numpy arrays, unless it is certain that they
are not needed: the receiver of a message is a process of this machine that sees the array's
file. For what passes by the scheduler (graphs, scattered and gathered data), whose receiver
is not known yet, all who are connected to the scheduler at that moment have to.
"""

import os
import pickle
import sys

import numpy
from dask.sizeof import sizeof
from distributed.protocol import dask_deserialize, dask_serialize

from . import _peers, _share
from ._lost import LostArray

__all__ = []

_REFERENCE_BYTES = 250


class _Reference:
    """Pickled, it is the reference alone, whoever gets it."""

    def __init__(self, arguments):
        self.arguments = arguments

    def __reduce__(self):
        return _share.arrive, self.arguments


def _is_over(one):
    """Whether a client, worker or scheduler is closed: Dask keeps those in its sets, some of them
    with an address or a listener. A client's status is a word, the others' an enumeration."""
    status = getattr(one, "status", None)
    return getattr(status, "name", status) in ("closed", "closing", "failed")


def _schedulers():
    """Addresses of the schedulers that this process is connected to, or is."""
    for module, kind in (("client", "Client"), ("worker", "Worker")):
        loaded = sys.modules.get(f"distributed.{module}")
        for one in list(getattr(getattr(loaded, kind, None), "_instances", ())):
            # A client may have been given a host's name; the scheduler tells its address.
            told = getattr(one, "_scheduler_identity", {}).get("address")
            address = told or getattr(one.scheduler, "address", None)
            if address and not _is_over(one):
                yield address
    loaded = sys.modules.get("distributed.scheduler")
    for one in list(getattr(getattr(loaded, "Scheduler", None), "_instances", ())):
        if one.listeners and not _is_over(one):
            yield one.address


def _endpoint(address):
    """Of "tcp://127.0.0.1:8786"; None for what is not TCP."""
    scheme, _, place = address.partition("://")
    if scheme not in ("tcp", "tls"):
        return None
    host, _, port = place.rpartition(":")
    return _peers.endpoint(host, port)


def _file(reference):
    """(path, stat) of the array's file; None if it is not there, as for who sees a mount only."""
    name, inode, _, store = reference
    if name.startswith("file://"):
        path = name[len("file://") :]
    else:
        path = os.path.join(store or "/dev/shm", name)
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return (path, stat) if stat.st_ino == inode else None


def _all_see(scheduler, file):
    """Whether all that are connected to the scheduler now see the file."""
    if scheduler.startswith("inproc://"):
        return True
    end = _endpoint(scheduler)
    return end is not None and _peers.all_see(_peers.server_and_clients(end)[1], *file)


def _receiver_sees(context, schedulers, file):
    ends = [_endpoint(context[end]["address"]) for end in ("sender", "recipient")]
    if None in ends or ends[0][0] != ends[1][0]:
        return False
    receiver = _peers.other_end(*ends)
    if not _peers.all_see(receiver, *file):
        return False
    for scheduler in schedulers:
        end = _endpoint(scheduler)
        if end is None:
            return False
        # It would hand on what it gets, to whomever.
        if receiver & _peers.server_and_clients(end)[0] and not _all_see(scheduler, file):
            return False
    return True


def _all_can_attach(reference):
    """Whoever may get a pickle: all of Dask, if this process has to do with it."""
    schedulers = set(_schedulers())
    if not schedulers:
        return True
    file = _file(reference)
    return file is not None and all(_all_see(one, file) for one in schedulers)


def _receiver_can_attach(reference, context):
    schedulers = set(_schedulers())
    file = _file(reference)
    if not schedulers or file is None:
        return False
    if context and "recipient" in context:
        return _receiver_sees(context, schedulers, file)
    return all(_all_see(one, file) for one in schedulers)


@dask_serialize.register(_share.SharedNDArray)
def _serialize(array, context=None):
    """The header is such that Dask's own function for numpy arrays reads it as well, in a process
    that has not imported this."""
    serialize_numpy = dask_serialize.dispatch(numpy.ndarray)
    plain = array.view(numpy.ndarray)
    found = _share.arguments_of(array)
    if found is None:
        return serialize_numpy(plain, context=context)
    arguments, _ = found
    reference = pickle.dumps(_Reference(arguments))
    if _receiver_can_attach(arguments[0], context):
        return {"pickle": True, "sharr": reference}, [reference]
    header, frames = serialize_numpy(plain, context=context)
    return {**header, "sharr": reference}, frames


@dask_deserialize.register(_share.SharedNDArray)
def _deserialize(header, frames):
    array = pickle.loads(header["sharr"]) if "sharr" in header else None
    if array is None or (type(array) is LostArray and not header.get("pickle")):
        return dask_deserialize.dispatch(numpy.ndarray)(header, frames)
    if type(array) is LostArray:
        raise array.error
    return array


@sizeof.register(_share.SharedNDArray)
def _sizeof(array):
    """What a worker holds of it, or would free by dropping it, is not its data."""
    return array.nbytes if _share.arguments_of(array) is None else _REFERENCE_BYTES


_share.audiences.append(_all_can_attach)
