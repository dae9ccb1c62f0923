# SPDX-License-Identifier: BSD-3-Clause
"""What Dask's workers run in tests: in a module that they can import, on whatever host."""


def same(a):
    return a


def kind(a):
    return type(a).__name__


def mark(a, index, value):
    before = float(a[index])
    a[index] = value
    return before


def total(a):
    return float(a.sum())


def make(name, n):
    import SharedArray

    a = SharedArray.create(name, n)
    a[:] = 1
    return SharedArray.share(a)


def watch_the_sender():
    """How often the data were thought needless from here on."""
    from SharedArray import dask

    dask.answers = []
    ask = dask._receiver_can_attach
    dask._receiver_can_attach = lambda *of: dask.answers.append(ask(*of)) or dask.answers[-1]


def answers():
    from SharedArray import dask

    return dask.answers
