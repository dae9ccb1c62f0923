# SPDX-License-Identifier: BSD-3-Clause
"""Whole copies of arrays that others are writing."""

import numpy as np

from ._sharr import _snapshot


def snapshot(array, timeout=None):
    """Copy a shared array as it is between two writers that mark what they do.

    Writers use writing(). Needs no permission to write. While somebody writes it waits, and
    when somebody has written meanwhile it copies again: under writers that leave no pause as
    long as a copy takes, it comes to no end but its timeout.

    Parameters
    ----------
    array : numpy.ndarray
        A shared array, or a view of any kind of one.
    timeout : float, optional
        Seconds to try at most; by default for ever.

    Returns
    -------
    numpy.ndarray
        Private, of the shape and dtype of `array`.

    Raises
    ------
    OwnerDiedError
        An OSError: a writer died in the middle, and no other has written since.
    TimeoutError
        Always somebody was writing.
    TypeError
        Not a shared array.
    OSError
        ``ENOTSUP``: the array was written by the original SharedArray; ``ENODEV``: it is attached
        through a mount without passthrough.
    """
    whole, offset = _snapshot(array, timeout)
    kind = whole.shape, whole.dtype, whole.strides, 0
    if (array.shape, array.dtype, array.strides, offset) == kind:
        return whole
    data = whole.ravel(order="K").view(np.uint8)
    return np.ndarray(array.shape, array.dtype, data, offset, array.strides).copy()


snapshot.__module__ = "SharedArray"
