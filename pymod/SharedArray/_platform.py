# SPDX-License-Identifier: BSD-3-Clause
"""What an import has to say of where it is: a platform that is none, an original beside it."""

import os
import sys
from importlib import machinery

_PACKAGE = os.path.dirname(os.path.abspath(__file__))
_REINSTALL = f"{sys.executable} -m pip install --force-reinstall --no-cache-dir sharr"


def why_not(error):
    """In words, why the extension does not import."""
    import fnmatch
    import platform

    this = f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}"
    if sys.platform != "linux":
        return f"SharedArray (of sharr) runs on Linux only, and this is {this}"
    if platform.python_implementation() != "CPython":
        return f"SharedArray (of sharr) needs CPython from 3.9 on, and this is {this}"
    machine = f"{platform.machine()}, {' '.join(filter(None, platform.libc_ver())) or 'no glibc'}"
    built = fnmatch.filter(os.listdir(_PACKAGE), "_sharr.*so")
    has = f"it was built as {', '.join(built)}" if built else "it has no extension at all"
    return (
        f"SharedArray (of sharr) in {_PACKAGE} does not run with {this}, {machine}: {has} "
        f"({error}). Install it for this Python: {_REINSTALL}"
    )


def warn_of_original():
    """The original SharedArray is one file, which a package of the same name hides."""
    for folder in sys.path:
        for suffix in machinery.EXTENSION_SUFFIXES:
            file = os.path.join(folder, f"SharedArray{suffix}")
            if os.path.exists(file):
                import warnings

                warnings.warn(
                    f"SharedArray is that of sharr, in {_PACKAGE}; the original, {file}, is "
                    f"hidden by it: {sys.executable} -m pip uninstall SharedArray",
                    stacklevel=3,
                )
                return
