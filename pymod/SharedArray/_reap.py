# SPDX-License-Identifier: BSD-3-Clause
"""Removing what dead processes left."""

from typing import NamedTuple

from ._sharr import _reap

OUTCOMES = ("removed", "used", "alive", "undecided", "failed")


class Reaped(NamedTuple):
    """What reap() did with one array.

    name     bytes, with its group in front, as list() has it
    outcome  "removed", or with dry_run "removable". Kept: "used" (a process holds it, maps it or
             has it open), "alive" (its creator lives), "undecided" (it can't be known that nobody
             needs it). "failed": it is nobody's, but could not be deleted
    why      in words
    """

    name: bytes
    outcome: str
    why: str


Reaped.__module__ = "SharedArray"


def reap(*, dead_creator=False, dry_run=False, group=None):
    """Remove what dead processes left in the store.

    Ephemeral arrays that nobody holds; and what no process of this machine maps any more if asked
    for. What is in doubt is kept.

    Parameters
    ----------
    dead_creator : bool
        Also arrays whose creator, a process of this boot and this pid namespace, is gone, and
        that no process maps: directly, through a mount, or in another namespace. Arrays of other
        users are undecided unless root asks.
    dry_run : bool
        Only tell what would be done.
    group : str or bytes, optional
        A directory of the store.

    Returns
    -------
    list of Reaped
        Each unpacks as (name, outcome, why): every array that was looked at.

    Raises
    ------
    OSError
        No such group; ``EMFILE``: out of descriptors; ``EOPNOTSUPP``: the store is seen through a
        mount only; ``ENOSYS``: there is no /proc.
    """
    return [
        Reaped(name, "removable" if dry_run and not outcome else OUTCOMES[outcome], why)
        for name, outcome, why in _reap(group, dead_creator, dry_run)
    ]


reap.__module__ = "SharedArray"
