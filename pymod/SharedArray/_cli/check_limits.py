# SPDX-License-Identifier: BSD-3-Clause
"""sharr doctor: limits of processes, and what is installed."""

import os
import resource
import sys

import SharedArray as sa

from . import text
from .findings import ok, read, warn

# Maps that a Python program with numpy has anyway, and then some.
_OTHER_MAPS = 2000

_FEW_DESCRIPTORS = 1024

_PACKAGE = os.path.dirname(sa.__file__)


def maps(array_count):
    """Each attached array is one map."""
    limit = read("/proc/sys/vm/max_map_count")
    if limit is None:
        return ok("maps", "no limit is known")
    words = f"vm.max_map_count is {limit}, for {text.count(array_count, 'array')}"
    if array_count + _OTHER_MAPS <= int(limit):
        return ok("maps", words)
    goal = max(262144, 2 * (array_count + _OTHER_MAPS))
    mend = f"as root: sysctl -w vm.max_map_count={goal} (to stay: in /etc/sysctl.d/sharr.conf)"
    return warn("maps", f"{words}: one process can't attach them all", mend)


def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shown = ["no limit" if n == resource.RLIM_INFINITY else str(n) for n in (soft, hard)]
    words = f"RLIMIT_NOFILE is {shown[0]} (at most {shown[1]}); an attached array keeps none open"
    if soft == resource.RLIM_INFINITY or soft >= _FEW_DESCRIPTORS:
        return ok("descriptors", words)
    goal = _FEW_DESCRIPTORS if hard < 0 else min(hard, _FEW_DESCRIPTORS)
    if goal <= soft:
        return warn("descriptors", words, "as root: raise nofile in /etc/security/limits.conf")
    return warn("descriptors", words, f"ulimit -n {goal}")


def _others():
    """Other files that `import SharedArray` might find."""
    for folder in sys.path:
        folder = folder or "."
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            file = os.path.join(folder, entry)
            if entry == "SharedArray" and os.path.isdir(file):
                has_code = os.path.exists(os.path.join(file, "__init__.py"))
                if has_code and not os.path.samefile(file, _PACKAGE):
                    yield file
            elif entry.startswith("SharedArray.") and entry.endswith((".so", ".py")):
                yield file


def original():
    """Both install a module `SharedArray`: the one that comes first is imported."""
    from importlib import metadata

    found = sorted(set(_others()))
    try:
        metadata.distribution("SharedArray")
    except metadata.PackageNotFoundError:
        if not found:
            return ok("SharedArray", f"{_PACKAGE} is the only one")
    shown = ", ".join(found) or "the distribution SharedArray is installed"
    pip = f"{sys.executable} -m pip"
    mend = f"{pip} uninstall SharedArray, then {pip} install --force-reinstall sharr"
    return warn("SharedArray", f"another one lies beside this: {shown}", mend)


def run(array_count):
    return [maps(array_count), descriptors(), original()]
