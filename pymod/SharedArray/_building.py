# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that are filled in place before anyone else can see them."""

from ._sharr import _prepare, _publish


class building:  # noqa: N801
    """Create a shared array, fill it in place, and publish it at the end of the block.

        with sa.building("x", (1000, 3)) as a:
            a[:] = ...

    No other process ever sees a part of it, or the zeros before: the name is taken when
    the block ends. If the block raises, or the process dies in it, there is no array.
    After the block `a` goes on being the shared array.

    Parameters
    ----------
    name, shape, dtype, order, reserve, mode, replace, ephemeral, huge, via, attrs
        As for create(). With replace, an array of that name stays until the block ends.

    Raises
    ------
    FileExistsError
        At the end of the block: the name is taken.
    OSError, TypeError, ValueError
        At its beginning, as for create().
    """

    __module__ = "SharedArray"
    __slots__ = ("_array", "_request")

    def __init__(
        self,
        name,
        shape,
        dtype=float,
        *,
        order="C",
        reserve=True,
        mode=None,
        replace=False,
        ephemeral=False,
        huge=None,
        via=None,
        attrs=None,
    ):
        options = {
            "order": order,
            "reserve": reserve,
            "mode": mode,
            "replace": replace,
            "ephemeral": ephemeral,
            "huge": huge,
            "via": via,
            "attrs": attrs,
        }
        self._request = (name, shape, dtype), options
        self._array = None

    def __enter__(self):
        if self._array is not None:
            raise RuntimeError("this block is entered already")
        positional, options = self._request
        self._array = _prepare(*positional, **options)
        return self._array

    def __exit__(self, kind, value, traceback):
        array, self._array = self._array, None
        if kind is None:
            _publish(array)
