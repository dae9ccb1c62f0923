# SPDX-License-Identifier: BSD-3-Clause
"""User attributes of arrays, as a mapping."""

import errno
import os
from collections.abc import MutableMapping

from ._sharr import _attrs_get, _attrs_set


def _text(value):
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


class Attributes(MutableMapping):
    """What attrs() returns: a mapping that reads and writes the file each time."""

    __module__ = "SharedArray"
    __slots__ = ("_target",)

    def __init__(self, target):
        self._target = target

    def _all(self):
        return {os.fsdecode(name): _text(value) for name, value in _attrs_get(self._target).items()}

    def __getitem__(self, name):
        return self._all()[name]

    def __setitem__(self, name, value):
        self.update({name: value})

    def __delitem__(self, name):
        if name not in self._all():
            raise KeyError(name)
        try:
            _attrs_set(self._target, {name: None})
        except OSError as error:
            if error.errno == errno.ENODATA:
                raise KeyError(name) from None
            raise

    def __iter__(self):
        return iter(self._all())

    def __len__(self):
        return len(self._all())

    def __contains__(self, name):
        return name in self._all()

    def update(self, *args, **kwargs):
        """Set many at once: who reads meanwhile sees all of them or none."""
        changes = dict(*args, **kwargs)
        if None in changes.values():
            raise TypeError("None is no value of an attribute: use del")
        _attrs_set(self._target, changes)

    def clear(self):
        """Remove all of them at once."""
        while True:
            try:
                return _attrs_set(self._target, dict.fromkeys(self._all()))
            except OSError as error:
                if error.errno != errno.ENODATA:  # somebody else has removed one meanwhile
                    raise

    def copy(self):
        """A dict of them, as they are now."""
        return self._all()

    def __repr__(self):
        return f"SharedArray.attrs({self._all()!r})"


def attrs(target):
    """The user attributes of a shared array: units, axes, comments.

    They lie in the array's file, so that they go with it wherever it is copied, and are the
    extended attributes ``user.NAME`` where the store is mounted: setfattr and getfattr see and
    set the same text.

    Parameters
    ----------
    target : numpy.ndarray, str, bytes, os.PathLike or an item of list()
        A shared array or a view of one, or the name of an array. Of an array it is that array's
        attributes, and never those of another that has its name by now.

    Returns
    -------
    Attributes
        A mapping, which looks at the file each time it is asked. Names are str, of 1 to 250 bytes
        in UTF-8. Values are str, or bytes where they are not UTF-8; what is set is str or bytes.
        update() and clear() change many at once: others see all of it or nothing.

    Raises
    ------
    TypeError
        A value that is neither str nor bytes: str() makes text of a number, json.dumps() of
        anything else.
    KeyError
        There is no such attribute.
    FileNotFoundError
        There is no such array.
    PermissionError
        The file's owner does not let this user read it, or write it; ``EPERM``: a name that
        starts with "sharr.", which is reserved.
    ValueError
        A NUL in a name.
    OSError
        ``ENOSPC``: they do not fit: an array's metadata have 4096 bytes once they are changed, or
        64 KiB as given to create(); ``ERANGE``: a name of no or too many bytes; ``ESTALE``: the
        array was deleted or replaced since it was attached; ``EBUSY``: another process has been
        changing them for a second. ``filename`` is the array's name.
    """
    _attrs_get(target)
    return Attributes(target)


attrs.__module__ = "SharedArray"
