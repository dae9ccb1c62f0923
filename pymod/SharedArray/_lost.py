# SPDX-License-Identifier: BSD-3-Clause
"""What arrives in the place of an array that was pickled by reference and can't be attached.

Not an exception at once: one that is raised while a pool of multiprocessing reads its next task
kills the worker without a word, and the caller waits for ever.
"""


class LostArray:
    """Stands for a share()d array that this process can't attach.

    Any use of it as an array raises `error`. Pickled, it is the same reference again, which
    a process that sees the array can follow.

    Attributes
    ----------
    error : OSError
        FileNotFoundError: the array was deleted, or lives on another host. ``ESTALE``: another
        one has been made under its name. PermissionError and others are those of attach().
    """

    __module__ = "SharedArray"
    __slots__ = ("_call", "error")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, error, function, arguments):
        self.error = error
        self._call = function, arguments

    def __reduce__(self):
        return self._call

    def __repr__(self):
        return f"<SharedArray.LostArray: {self.error}>"

    def __getattr__(self, name):
        # Python and libraries ask objects for such names to learn what they are.
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(self)


def _refuse(self, *_arguments, **_keywords):
    """A new exception each time: one that is raised keeps what it has passed."""
    kind, arguments = self.error.__reduce__()[:2]
    raise kind(*arguments)


for _name in [
    *("array", "array_ufunc", "array_function", "len", "iter", "contains", "bool", "buffer"),
    *("getitem", "setitem", "delitem", "int", "float", "complex", "index"),
    *("eq", "ne", "lt", "le", "gt", "ge", "neg", "pos", "abs", "invert"),
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"),
    *("and", "or", "xor", "lshift", "rshift", "radd", "rsub", "rmul", "rmatmul", "rtruediv"),
    *("rfloordiv", "rmod", "rdivmod", "rpow", "rand", "ror", "rxor", "rlshift", "rrshift"),
    *("iadd", "isub", "imul", "imatmul", "itruediv", "ifloordiv", "imod", "ipow"),
    *("iand", "ior", "ixor", "ilshift", "irshift"),
]:
    setattr(LostArray, f"__{_name}__", _refuse)
