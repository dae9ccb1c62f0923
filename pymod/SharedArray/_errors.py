# SPDX-License-Identifier: BSD-3-Clause
"""The exceptions that Python has no types for."""


class NotAnArrayError(OSError):
    """There is a file of that name, but it holds no array.

    Its arguments and text are those of the plain OSError that SharedArray 3.x raises:
    errno is None. filename is the name as given.
    """

    __module__ = "SharedArray"

    def __str__(self):
        # OSError's own would say "[Errno None] None: 'name'" once there is a filename.
        return str(self.args[0]) if self.args else ""


class OwnerDiedError(OSError):
    """The thread that had the lock, or was writing, died: the data may be half changed.

    errno is EOWNERDEAD, filename the name as given.
    """

    __module__ = "SharedArray"
