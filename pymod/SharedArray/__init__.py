# SPDX-License-Identifier: BSD-3-Clause
"""Shared numpy arrays as files.

    import SharedArray as sa

    a = sa.create("x", (3, 4))     # in one process: zeros, shared, at /dev/shm/x
    b = sa.attach("x")             # in any other: the same memory
    sa.delete("x")                 # the name goes; whoever has it attached keeps it

Arrays outlive the processes that made them. Names are "x" or "shm://x" for an array of
the store, "file://path" for a file of any file system.
"""

import sys as _sys

try:
    import numpy as _numpy  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"SharedArray needs numpy, which does not import ({error}): pip install numpy"
    ) from error

try:
    from . import _sharr  # noqa: F401
except ImportError as error:
    from ._platform import why_not

    raise ImportError(why_not(error)) from error

from ._attributes import Attributes, attrs
from ._building import building
from ._errors import NotAnArrayError, OwnerDiedError
from ._lost import LostArray
from ._platform import warn_of_original
from ._reap import Reaped, reap
from ._share import SharedNDArray, share
from ._sharr import (
    MS_ASYNC,
    MS_INVALIDATE,
    MS_SYNC,
    ArrayDesc,
    ArrayInfo,
    __version__,
    attach,
    copy,
    create,
    delete,
    event,
    info,
    list,
    lock,
    mlock,
    msync,
    munlock,
    notify,
    put,
    wait,
    writing,
)
from ._snapshot import snapshot

warn_of_original()

if "distributed.protocol" in _sys.modules:  # a worker of Dask that is sent an array comes here
    from . import dask as _dask  # noqa: F401

__all__ = [
    "MS_ASYNC",
    "MS_INVALIDATE",
    "MS_SYNC",
    "ArrayDesc",
    "ArrayInfo",
    "Attributes",
    "LostArray",
    "NotAnArrayError",
    "OwnerDiedError",
    "Reaped",
    "SharedNDArray",
    "__version__",
    "attach",
    "attrs",
    "building",
    "copy",
    "create",
    "delete",
    "event",
    "info",
    "list",
    "lock",
    "mlock",
    "msync",
    "munlock",
    "notify",
    "put",
    "reap",
    "share",
    "snapshot",
    "wait",
    "writing",
]
