# SPDX-License-Identifier: BSD-3-Clause
"""numpy dtypes as the text of an npy header, and back.

The C side asks here once for each dtype and remembers the answer. Every text comes from a
file that others may have written: nothing in it is run, and of what it names only
packages listed here are imported.
"""

import ast
import sys
from types import ModuleType

import numpy

# Packages of extension dtypes that may be imported because a file names them. Others are
# found if the program has imported them already.
_PACKAGES = frozenset(["ml_dtypes"])

# numpy's numbers for dtypes that packages register start here.
USER_DTYPES = 256


def _scalar_type(name):
    """What the program has under that name, looked up without running anything of it: a module
    may have a __getattr__ of its own, and a lazy one is loaded by any look at it."""
    module_name, _, scalar_name = name.rpartition(".")
    if module_name in _PACKAGES:
        __import__(module_name)
    module = sys.modules.get(module_name)
    if not issubclass(type(module), ModuleType):
        return None
    return ModuleType.__getattribute__(module, "__dict__").get(scalar_name)


def _named(name):
    """The dtype of that name, such as "ml_dtypes.bfloat16", or None, whatever goes wrong."""
    try:
        scalar = _scalar_type(name)
        if not (issubclass(type(scalar), type) and issubclass(scalar, numpy.generic)):
            return None
        dtype = numpy.dtype(scalar)
    except MemoryError:
        raise
    except Exception:  # as a package says that does not fit this numpy, or warns
        return None
    return dtype if dtype.num >= USER_DTYPES else None


def _encode_extension(dtype):
    name = f"{dtype.type.__module__}.{dtype.type.__name__}"
    native = dtype.newbyteorder("=")
    if _named(name) != native:
        raise TypeError(f"dtype {dtype!r} can't be shared: readers would not find it as {name}")
    if dtype != native:
        raise ValueError(
            f"dtype {native!r} can be shared in this machine's byte order only: "
            "use dtype.newbyteorder('=')"
        )
    return f"|V{dtype.itemsize}", name, ()


def _describe(dtype):
    """A dtype as an npy header describes it; dtype.descr without numpy's help from Python code,
    which is gone when an interpreter shuts down. ValueError if that is impossible."""
    if dtype.num >= USER_DTYPES:
        return f"|V{dtype.itemsize}"
    if dtype.names is None:
        return dtype.str
    fields = []
    end = 0
    for name in dtype.names:
        inner, offset, *titles = dtype.fields[name]
        if offset < end or not name or not all(isinstance(title, str) for title in titles):
            raise ValueError
        if offset > end:
            fields.append(("", f"|V{offset - end}"))
        end = offset + inner.itemsize
        base, lengths = inner.subdtype or (inner, ())
        field = (titles[0], name) if titles else name, _describe(base)
        fields.append((*field, lengths) if lengths else field)
    if dtype.itemsize > end:
        fields.append(("", f"|V{dtype.itemsize - end}"))
    return fields


def _encode_fields(dtype):
    try:
        return repr(_describe(dtype)), "", ()
    except ValueError:
        raise ValueError(
            f"dtype {dtype!r} has fields that overlap, are out of order, have no name or a title "
            "that is no str, which an npy header can't tell: bring them into the order of their "
            f"offsets, or share numpy.dtype('V{dtype.itemsize}') and view that"
        ) from None


def encode(dtype):
    """(descr, name of an extension dtype or "", lengths of a subarray) of a numpy.dtype."""
    if dtype.hasobject or dtype.kind in "OT" or dtype.num < 0:
        raise TypeError(
            f"dtype {dtype!r} holds pointers, which mean nothing to another process: "
            "use a dtype of fixed size"
        )
    if dtype.itemsize == 0 and dtype.subdtype is None:
        raise ValueError(
            f"dtype {dtype!r} has elements of no bytes: give it a size, such as 'S16' or 'U16'"
        )
    if dtype.subdtype is not None:
        base, lengths = dtype.subdtype
        descr, name, inner = encode(base)
        return descr, name, lengths + inner
    if dtype.names is not None:
        return _encode_fields(dtype)
    if dtype.num >= USER_DTYPES:
        return _encode_extension(dtype)
    return dtype.str, "", ()


def _recipe(description):
    """What numpy.dtype() takes, of a header's description of a dtype."""
    if isinstance(description, str):
        return description
    names, formats, titles, offsets = [], [], [], []
    end = 0
    for name, inner, *lengths in description:
        recipe = (_recipe(inner), *lengths) if lengths else _recipe(inner)
        if name != "":  # else it is padding
            title, name = name if isinstance(name, tuple) else (None, name)
            names.append(name)
            titles.append(title)
            formats.append(recipe)
            offsets.append(end)
        end += numpy.dtype(recipe).itemsize
    recipe = {"names": names, "formats": formats, "offsets": offsets, "itemsize": end}
    if any(title is not None for title in titles):
        recipe["titles"] = titles
    return recipe


def _literal(text):
    """ast.literal_eval, which in CPython 3.11 counts the depth of all threads together: SystemError
    if another one comes in between, as when garbage that is collected lets the GIL go."""
    for _ in range(100):
        try:
            return ast.literal_eval(text)
        except SystemError as error:
            raised = error
    raise raised


def from_text(text):
    """(recipe, dtype), or two None where this numpy can make nothing of it."""
    try:
        recipe = _recipe(_literal(text) if text[0] == "[" else text)
        return recipe, numpy.dtype(recipe)
    except SystemError:
        raise
    except Exception:  # whatever numpy and ast make of a text that somebody else wrote
        return None, None


def decode(text, name, itemsize):
    """What numpy.dtype() makes the dtype of a header's text from, each time a new one if it has
    fields (their names can be assigned). Void of that size where this numpy has no such dtype."""
    recipe = dtype = _named(name) if name else None
    if dtype is None:
        recipe, dtype = from_text(text)
    if dtype is None or dtype.itemsize != itemsize or dtype.hasobject:
        recipe = dtype = numpy.dtype(("V", itemsize))
    return recipe if dtype.names is not None else dtype
