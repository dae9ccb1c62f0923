# SPDX-License-Identifier: BSD-3-Clause
import builtins
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, NoReturn, SupportsIndex, TypeVar, final

import numpy as np
from _typeshed import structseq
from numpy.typing import ArrayLike, DTypeLike, NDArray
from typing_extensions import TypeAlias

MS_ASYNC: int
MS_INVALIDATE: int
MS_SYNC: int
__version__: str

@final
class ArrayDesc(structseq[Any], tuple[bytes, type[np.generic], tuple[int, ...]]):
    if sys.version_info >= (3, 10):
        __match_args__: Final = ("name", "dtype", "dims")
    @property
    def name(self) -> bytes: ...
    @property
    def dtype(self) -> type[np.generic]: ...
    @property
    def dims(self) -> tuple[int, ...]: ...
    @property
    def descr(self) -> np.dtype[Any]: ...
    @property
    def order(self) -> Literal["C", "F"]: ...
    @property
    def nbytes(self) -> int: ...

@final
class ArrayInfo(structseq[Any], tuple[Any, ...]):
    if sys.version_info >= (3, 10):
        __match_args__: Final = (
            *("name", "dtype", "shape", "order", "nbytes", "owner", "group", "mode", "created"),
            *("creator", "ephemeral", "attached", "unreadable"),
        )
    @property
    def name(self) -> str | bytes: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def order(self) -> Literal["C", "F"]: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def owner(self) -> int: ...
    @property
    def group(self) -> int: ...
    @property
    def mode(self) -> int: ...
    @property
    def created(self) -> float | None: ...
    @property
    def creator(self) -> int | None: ...
    @property
    def ephemeral(self) -> bool: ...
    @property
    def attached(self) -> tuple[int, ...] | None: ...
    @property
    def unreadable(self) -> int | None: ...

class NotAnArrayError(OSError): ...
class OwnerDiedError(OSError): ...

_Scalar = TypeVar("_Scalar", bound=np.generic)
_Axes = TypeVar("_Axes", bound=Any, covariant=True)
_DType = TypeVar("_DType", bound=np.dtype[Any], covariant=True)

class SharedNDArray(np.ndarray[_Axes, _DType]): ...

@final
class LostArray:
    error: OSError
    def __getattr__(self, name: str) -> NoReturn: ...

_NewName: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]
_Name: TypeAlias = _NewName | ArrayDesc | ArrayInfo
_Shape: TypeAlias = SupportsIndex | Sequence[SupportsIndex] | NDArray[np.integer[Any]]
_Order: TypeAlias = Literal["C", "F"] | None
_Via: TypeAlias = Literal["auto", "shm", "mount"] | None
_Value: TypeAlias = str | bytes | bytearray | memoryview
_Attrs: TypeAlias = Mapping[str, _Value] | None

def create(
    name: _NewName,
    shape: _Shape,
    dtype: DTypeLike = ...,
    *,
    order: _Order = "C",
    reserve: bool = True,
    mode: int | None = None,
    exist_ok: bool = False,
    replace: bool = False,
    ephemeral: bool = False,
    huge: bool | None = None,
    via: _Via = None,
    attrs: _Attrs = None,
) -> NDArray[Any]: ...

class Attributes(MutableMapping[str, str | bytes]):
    def __init__(self, target: NDArray[Any] | _Name) -> None: ...
    def __getitem__(self, name: str) -> str | bytes: ...
    def __setitem__(self, name: str, value: _Value) -> None: ...
    def __delitem__(self, name: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def copy(self) -> dict[str, str | bytes]: ...

def attrs(target: NDArray[Any] | _Name) -> Attributes: ...
def attach(
    name: _Name, ro: bool = False, *, readonly: bool | None = None, via: _Via = None
) -> NDArray[Any]: ...
def delete(name: _Name, *, missing_ok: bool = False) -> None: ...
def list(group: str | bytes | None = None) -> tuple[ArrayDesc, ...]: ...
def info(name: _Name, *, attached: bool = True) -> ArrayInfo: ...
def put(
    name: _NewName,
    array: ArrayLike,
    *,
    order: _Order = None,
    mode: int | None = None,
    replace: bool = False,
    huge: bool | None = None,
    via: _Via = None,
    attrs: _Attrs = None,
) -> None: ...
def copy(name: _Name, out: NDArray[Any] | None = None) -> NDArray[Any]: ...
def share(array: np.ndarray[_Axes, _DType]) -> SharedNDArray[_Axes, _DType]: ...
def msync(array: NDArray[Any] | memoryview, flags: int = ...) -> None: ...
def mlock(array: NDArray[Any] | memoryview, /) -> None: ...
def munlock(array: NDArray[Any] | memoryview, /) -> None: ...
def lock(array: NDArray[Any] | memoryview, timeout: float | None = None) -> _Guard: ...
def writing(array: NDArray[Any] | memoryview, /) -> _Guard: ...
def event(array: NDArray[Any] | memoryview, /) -> int: ...
def notify(array: NDArray[Any] | memoryview, /) -> None: ...
def wait(array: NDArray[Any] | memoryview, seen: int, timeout: float | None = None) -> int: ...

class Reaped(NamedTuple):
    name: bytes
    outcome: Literal["removed", "removable", "used", "alive", "undecided", "failed"]
    why: str

def reap(
    *, dead_creator: bool = False, dry_run: bool = False, group: str | bytes | None = None
) -> builtins.list[Reaped]: ...
def snapshot(array: NDArray[_Scalar], timeout: float | None = None) -> NDArray[_Scalar]: ...

@final
class _Guard:
    def acquire(self) -> None: ...
    def release(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class building:
    def __init__(
        self,
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
    ) -> None: ...
    def __enter__(self) -> NDArray[Any]: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

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
