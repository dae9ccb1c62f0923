# SPDX-License-Identifier: BSD-3-Clause
# The compiled part. What is public is typed in __init__.pyi, what the Python side calls here.
import builtins
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, final

from numpy.typing import DTypeLike, NDArray

from . import MS_ASYNC as MS_ASYNC
from . import MS_INVALIDATE as MS_INVALIDATE
from . import MS_SYNC as MS_SYNC
from . import ArrayDesc as ArrayDesc
from . import ArrayInfo as ArrayInfo
from . import __version__ as __version__
from . import _Attrs, _Name, _NewName, _Order, _Shape, _Value, _Via
from . import attach as attach
from . import copy as copy
from . import create as create
from . import delete as delete
from . import event as event
from . import info as info
from . import list as list
from . import lock as lock
from . import mlock as mlock
from . import msync as msync
from . import munlock as munlock
from . import notify as notify
from . import put as put
from . import wait as wait
from . import writing as writing

@final
class map_owner:
    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

    @property
    def name(self) -> str | bytes: ...
    @property
    def addr(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def readonly(self) -> bool: ...
    @property
    def identity(self) -> tuple[int, int]: ...
    def msync(self, flags: int = 4) -> None: ...
    def mlock(self) -> None: ...
    def munlock(self) -> None: ...

def _attrs_get(target: NDArray[Any] | _Name, /) -> dict[bytes, bytes]: ...
def _attrs_set(target: NDArray[Any] | _Name, changes: Mapping[str, _Value | None]) -> None: ...
def _owner(array: object, /) -> map_owner | None: ...
def _prepare(
    name: _NewName,
    shape: _Shape,
    dtype: DTypeLike = ...,
    *,
    order: _Order = "C",
    reserve: bool = True,
    mode: int | None = None,
    replace: bool = False,
    ephemeral: bool = False,
    huge: bool | None = None,
    via: _Via = None,
    attrs: _Attrs = None,
) -> NDArray[Any]: ...
def _publish(array: NDArray[Any], /) -> None: ...
def _reap(
    group: str | bytes | None, dead_creator: bool, dry_run: bool, /
) -> builtins.list[tuple[bytes, int, str]]: ...
def _snapshot(array: NDArray[Any], timeout: float | None = None) -> tuple[NDArray[Any], int]: ...
