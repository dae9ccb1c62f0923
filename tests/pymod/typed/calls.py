# SPDX-License-Identifier: BSD-3-Clause
"""Every public name as a typed program uses it: mypy --strict looks at this, and it is run.

What assert_type() says of a result is so for mypy. A line that is no use of the module ends with
"type: ignore", which mypy refuses where there is nothing to ignore.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SharedArray as sa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value, _):
        return value


def make() -> NDArray[Any]:
    sa.create("plain", 3)
    sa.create("plain", shape=[3], exist_ok=True)
    sa.create(b"bytes", (2, np.int64(3)), "f4", order="F", mode=0o600, reserve=False)
    sa.create(Path("/dev/null").name, np.array([2, 3]), np.uint8, replace=True, huge=None)
    sa.put("list", [1, 2, 3], attrs={"units": "m", "raw": b"\xff"}, via="shm")
    with sa.building("built", (4,), [("x", "f8"), ("y", "i4")]) as filled:
        assert_type(filled, NDArray[Any])
        filled["x"] = 1
    return sa.create("array", 8, ephemeral=True)


def look(array: NDArray[Any]) -> None:
    for item in sa.list():
        assert_type(item, sa.ArrayDesc)
        name, dtype, dims = item
        assert_type(name, bytes)
        assert_type(dtype, type[np.generic])
        assert_type(dims, tuple[int, ...])
        assert item.name.decode()
        assert item.nbytes in range(1, 100)
        assert item.order in "CF"
        assert_type(item.descr, np.dtype[Any])
        assert_type(sa.info(item), sa.ArrayInfo)
    known = sa.info("array", attached=False)
    assert_type(known.attached, "tuple[int, ...] | None")
    assert_type(known.created, "float | None")
    assert (known.owner, known.mode) == (sa.info(known).owner, sa.info(known).mode)
    read = sa.attach("array", ro=True, via="auto")
    assert_type(read, NDArray[Any])
    assert_type(sa.copy("array", out=np.zeros(8)), NDArray[Any])
    sa.msync(array, sa.MS_SYNC | sa.MS_ASYNC & sa.MS_INVALIDATE)
    with contextlib.suppress(OSError):
        sa.mlock(array)
    sa.munlock(array.data)


def describe() -> None:
    units = sa.attrs("list")
    assert_type(units, sa.Attributes)
    assert_type(units["units"], "str | bytes")
    units["scale"] = str(0.5)


def together(array: NDArray[Any]) -> None:
    with sa.lock(array, timeout=1.5):
        array[0] = 1
    guard = sa.lock(array)
    guard.acquire()
    guard.release()
    with sa.writing(array):
        array[1] = 2
    numbers: NDArray[np.float64] = array
    assert_type(sa.snapshot(numbers), NDArray[np.float64])
    seen = sa.event(array)
    assert_type(seen, int)
    sa.notify(array)
    assert_type(sa.wait(array, seen, 10), int)


def pass_on(array: NDArray[Any]) -> None:
    shared = sa.share(array)
    view: NDArray[Any] = shared
    assert isinstance(view, sa.SharedNDArray)


def lost(arrived: sa.LostArray) -> OSError:
    return arrived.error


def fail() -> None:
    try:
        sa.attach("nothing")
    except (sa.NotAnArrayError, sa.OwnerDiedError) as error:
        assert_type(error.filename, Any)
    except FileNotFoundError:
        sa.delete("nothing", missing_ok=True)


def misuse(array: NDArray[Any]) -> None:
    refused = (TypeError, ValueError)
    with contextlib.suppress(*refused):
        sa.attrs("list")["scale"] = 0.5  # type: ignore[assignment]
    with contextlib.suppress(*refused):
        sa.wait(array)  # type: ignore[call-arg]
    with contextlib.suppress(*refused):
        sa.share([1, 2])  # type: ignore[arg-type]
    with contextlib.suppress(*refused):
        sa.attach(5)  # type: ignore[arg-type]
    with contextlib.suppress(*refused):
        sa.create("bad", 3, order="K")  # type: ignore[arg-type]
    with contextlib.suppress(*refused):
        sa.create("bad", 3, "f8", "C")  # type: ignore[misc]


def tidy() -> None:
    for reaped in sa.reap(dead_creator=True, dry_run=True, group=None):
        assert_type(reaped, sa.Reaped)
        assert reaped.outcome != "removed"
        assert_type(reaped.why, str)
    for item in sa.list(group=None):
        sa.delete(item)


def main() -> None:
    array = make()
    look(array)
    together(array)
    pass_on(array)
    describe()
    fail()
    misuse(array)
    tidy()
    print(sa.__version__)


if __name__ == "__main__":
    main()
