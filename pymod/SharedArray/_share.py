# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that are pickled by reference: a name, what tells the array from others, and the view.

A reference is (name, inode, stamp, store). The name is as short as it can be and means the
same in every process: of the store without its scheme, else absolute. The store is None for
/dev/shm. Inode and stamp are the map's `identity`, 64 bits of which are a time in ns: a name
that was made again, or is another one on another host, does not match by chance.
"""

import errno
import os
import weakref
from collections.abc import Callable

import numpy

from . import _dtypes
from ._lost import LostArray
from ._sharr import _owner, attach, map_owner

_DEFAULT_STORE = "/dev/shm"

# It does not tell __array_wrap__ what is to be a scalar: what has no dimensions.
_NUMPY_1 = numpy.__version__.startswith("1.")

# References of the maps of this process, and the other way round, with whether it is read-only:
# what arrives again, or where it came from, needs no second map.
_references: "weakref.WeakKeyDictionary[map_owner, tuple]" = weakref.WeakKeyDictionary()
_maps: "weakref.WeakValueDictionary[tuple, map_owner]" = weakref.WeakValueDictionary()

# Functions that are asked whether all who may get a pickle can attach the array of a reference;
# SharedArray.dask adds one.
audiences: list[Callable[[tuple], bool]] = []


def _place(name):
    """(name, store) of a name as the user wrote it, in this process, now."""
    from ._cli import store

    inside = store.name_in_store(os.fsencode(name))
    if inside is not None:
        path = os.path.abspath(os.fsdecode(store.path()))
        return os.fsdecode(inside), None if path == _DEFAULT_STORE else path
    folder, leaf = os.path.split(os.fsdecode(name)[len("file://") :])
    return f"file://{os.path.join(os.path.realpath(folder), leaf)}", None


def _attach(name, store, readonly):
    """The map, through the mount too where the store is that of this process."""
    if not name.startswith("file://"):
        chosen = os.environ.get("SHARR_STORE") or _DEFAULT_STORE
        is_own = chosen == (store or _DEFAULT_STORE) or _place(name)[1] == store
        name = f"shm://{name}" if is_own else f"file://{store or _DEFAULT_STORE}/{name}"
    return attach(name, readonly).base


def _attach_identified(reference, readonly):
    name, inode, stamp, store = reference
    try:
        owner = _attach(name, store, readonly)
    except FileNotFoundError as error:
        text = "the shared array is gone, or this process does not see it: is it on another host?"
        raise FileNotFoundError(errno.ENOENT, text, error.filename) from None
    if owner.identity != (inode, stamp):
        text = "the shared array is gone, and another file has its name: share that one"
        raise OSError(errno.ESTALE, text, owner.name)
    return owner


def _reference(owner):
    """Of a map; found out once, and certain that it leads back to this very array."""
    found = _references.get(owner)
    if found is None:
        name, store = _place(owner.name)
        found = (name, *owner.identity, store)
        _attach_identified(found, True)
        _references[owner] = found
        _maps.setdefault((found, owner.readonly), owner)
    return found


def _map(reference, readonly):
    owner = _maps.get((reference, readonly))
    if owner is None:
        owner = _maps.setdefault((reference, readonly), _attach_identified(reference, readonly))
        _references[owner] = reference
    return owner


def _dtype_text(dtype):
    """Shorter than numpy's own pickle of it, where nothing is lost so."""
    if dtype.names is None and dtype.num < _dtypes.USER_DTYPES:
        return dtype.str
    if dtype.names is not None and dtype.type is numpy.void:
        try:
            text = _dtypes.encode(dtype)[0]
        except ValueError:
            return dtype
        if _dtype_of(text) == dtype:
            return text
    return dtype


def _dtype_of(text):
    if not isinstance(text, str) or text[0] != "[":
        return text
    dtype = _dtypes.from_text(text)[1]
    if dtype is None:
        raise TypeError(f"numpy {numpy.__version__} makes no dtype of {text}")
    return dtype


def _extent(array):
    """How far the elements reach: (bytes before the first one, bytes from its start on)."""
    steps = [(length - 1) * stride for length, stride in zip(array.shape, array.strides)]
    return -sum(s for s in steps if s < 0), sum(s for s in steps if s > 0) + array.itemsize


def _view_of(array, owner):
    """(shape, readonly, offset, strides) within the map, the last ones left out if they are what
    one would think; None if the array reaches out of it."""
    shape, readonly, offset = array.shape, owner.readonly or not array.flags.writeable, 0
    strides = None if array.flags.c_contiguous else array.strides
    if array.size:
        offset = array.__array_interface__["data"][0] - owner.addr
        before, behind = _extent(array)
        if offset < before or offset + behind > memoryview(owner).nbytes:
            return None
    if strides is not None:
        return shape, readonly, offset, strides
    if offset:
        return shape, readonly, offset
    return (shape, readonly) if readonly else (shape,)


def _make(owner, dtype, shape, offset=0, strides=None):
    return numpy.ndarray.__new__(SharedNDArray, shape, dtype, owner, offset, strides)


def arrive(reference, dtype, shape, readonly=False, offset=0, strides=None):
    """What a pickle of a share()d array calls where it arrives: the array, on the same memory, or
    a LostArray in its place."""
    try:
        owner = _map(reference, readonly)
    except OSError as error:
        return LostArray(error, arrive, (reference, dtype, shape, readonly, offset, strides))
    return _make(owner, _dtype_of(dtype), shape, offset, strides)


def arrive_or_copy(data, *arguments):
    """The same from a pickle that carries the data as well, for whoever can't attach the array."""
    array = arrive(*arguments)
    return data if isinstance(array, LostArray) else array


def arguments_of(array):
    """What arrive() is to be called with, the map that it is about; None if the array does not lie
    in a shared one."""
    owner = _owner(array)
    view = _view_of(array, owner) if owner is not None else None
    if view is None:
        return None
    return (_reference(owner), _dtype_text(array.dtype), *view), owner


def _settle(result):
    """Plain, if its memory is not that of a shared array."""
    if type(result) is SharedNDArray and _owner(result) is None:
        return result.view(numpy.ndarray)
    if type(result) in (list, tuple):
        return type(result)(map(_settle, result))
    return result


class SharedNDArray(numpy.ndarray):
    """A shared array, or a view of one, that is pickled by reference: see share().

    Views of it are such arrays too. What numpy computes from it is an ordinary array in
    memory of its own.
    """

    __module__ = "SharedArray"
    __slots__ = ()

    def __reduce_ex__(self, protocol):
        found = arguments_of(self)
        if found is None:
            return self.view(numpy.ndarray).__reduce_ex__(protocol)
        arguments, _ = found
        if all(can_attach(arguments[0]) for can_attach in audiences):
            return arrive, arguments
        return arrive_or_copy, (self.view(numpy.ndarray), *arguments)

    def __reduce__(self):
        return self.__reduce_ex__(2)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        if _owner(array) is not None:
            return array
        return array[()] if return_scalar or (_NUMPY_1 and not array.shape) else _settle(array)

    def __array_function__(self, function, types, arguments, keywords):
        return _settle(super().__array_function__(function, types, arguments, keywords))


def _settling(name):
    method = getattr(numpy.ndarray, name)

    def call(self, *arguments, **keywords):
        return _settle(method(self, *arguments, **keywords))

    call.__name__ = name
    call.__qualname__ = f"SharedNDArray.{name}"
    call.__doc__ = method.__doc__
    return call


# Those that may return an array with memory of its own and don't pass by __array_wrap__.
for _name in [
    *("__copy__", "__deepcopy__", "__getitem__", "argmax", "argmin", "argpartition", "argsort"),
    *("astype", "byteswap", "choose", "compress", "conj", "conjugate", "copy", "cumprod"),
    *("cumsum", "dot", "flatten", "nonzero", "ravel", "repeat", "reshape", "round"),
    *("searchsorted", "take", "trace"),
]:
    setattr(SharedNDArray, _name, _settling(_name))


def share(array):
    """A view of a shared array that is pickled by reference.

    Passed to another process of this host by whatever pickles (multiprocessing,
    concurrent.futures, joblib, Ray), it arrives on the same memory, without a copy, in about
    100 bytes. Views of it, with strides of either sign, do so too. What is not writeable
    arrives read-only for good.

    What can't be attached where it arrives (it was deleted meanwhile, or another array has its
    name, or it is another host) arrives as a LostArray, which raises the reason when it is used.

    Parameters
    ----------
    array : numpy.ndarray
        What create() or attach() returned, or a view of it.

    Returns
    -------
    SharedNDArray
        On the same memory.

    Raises
    ------
    TypeError
        It is no shared array, nor a view of one: put() it first.
    OSError
        Its name leads to it no more: FileNotFoundError if it was deleted or moved (or the working
        directory or SHARR_STORE is another one now), ``ESTALE`` if another array has its name.
    """
    owner = _owner(array) if isinstance(array, numpy.ndarray) else None
    if owner is None:
        raise TypeError(
            "share() takes a shared array or a view of one, "
            f"not {type(array).__module__}.{type(array).__qualname__}"
            " in memory of its own: put(name, array), then share(attach(name))"
        )
    _reference(owner)
    view = _view_of(array, owner)
    if view is None:
        return array.view(SharedNDArray)
    shared = _make(owner, array.dtype, array.shape, *view[2:])
    shared.flags.writeable = array.flags.writeable
    return shared


share.__module__ = "SharedArray"
