# SPDX-License-Identifier: BSD-3-Clause
"""Each piece of memory that a call of the module asks Python for is refused once: it raises
MemoryError, or succeeds all the same; the store is as before or as after, and nothing is kept.

libsharr's own memory is that of ../lib/test_faults.py. Structured dtypes and share() are not here:
numpy 2.4 itself takes memory that it lacks for a wrong dtype, and its __array_interface__ crashes.
"""

from __future__ import annotations

import pytest
from support.build import BUILD

SETUP = """
import ctypes, gc, pickle
memory = ctypes.PyDLL(library)
memory.memory_disarm.restype = ctypes.c_bool
arm, disarm = memory.memory_arm, memory.memory_disarm
store = os.environ["SHARR_STORE"]

def kept():
    with open("/proc/self/maps") as maps:
        mapped = sum(store in line for line in maps)
    return len(os.listdir("/proc/self/fd")), mapped

def names():
    return [(e.name, e.stat().st_size) for e in sorted(os.scandir(store), key=lambda e: e.name)]

def refuse_each(call, begin, what):
    count, nth = 0, 1
    while True:
        begin()
        gc.collect()
        before, had = names(), kept()
        result = error = None
        arm(nth)
        try:
            result = call()
        except BaseException as caught:
            error = caught
        reached = disarm()
        assert error is None or type(error) is MemoryError, (nth, repr(error))
        error = result = None
        gc.collect()
        assert kept() == had, (nth, kept(), had)
        after = names()
        assert what in ("changes", None) or after == before, (nth, before, after)
        assert all(size for _, size in after), after
        if not reached:
            return count
        count, nth = count + 1, nth + 1

def begin():
    sa.delete("new", missing_ok=True)
    sa.put("old", np.arange(6.0).reshape(2, 3), replace=True, attrs={"units": "m"})

def building():
    with sa.building("new", 3) as array:
        array[:] = 1

def lock():
    with sa.lock(held):
        pass

def write():
    with sa.writing(held):
        pass

sa.put("held", np.arange(4))
held = sa.attach("held")
shared = pickle.dumps(sa.share(held))
"""

CALLS = {
    "create": ("sa.create('new', (2, 3), 'f4')", "changes"),
    "ephemeral": ("sa.create('new', 3, ephemeral=True)", "changes"),
    "put": ("sa.put('new', data)", "changes"),
    "replace": ("sa.put('old', data, replace=True)", "changes"),
    "building": ("building()", "changes"),
    "attach": ("sa.attach('old')", "same"),
    "attach read-only": ("sa.attach(b'old', ro=True)", "same"),
    "attach what is not there": ("absent()", "same"),
    "copy": ("sa.copy('old')", "same"),
    "list": ("sa.list()", "same"),
    "info": ("sa.info('old')", "same"),
    "delete": ("sa.delete('old')", "changes"),
    "attributes": ("dict(sa.attrs('old'))", "same"),
    "set an attribute": ("sa.attrs('old').update(axes='x, y')", "changes"),
    "lock": ("lock()", "same"),
    "wait": ("sa.wait(held, 1 << 20, timeout=0)", "same"),
    "write": ("write()", "same"),
    "snapshot": ("sa.snapshot(held)", "same"),
    "take what is shared": ("pickle.loads(shared)", "same"),
    "reap": ("sa.reap(dead_creator=True, dry_run=True)", "same"),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_piece_of_memory_is_refused_once(python, name):
    call, what = CALLS[name]
    other = python(PYTHONFAULTHANDLER="1")
    other.run(SETUP, library=str(BUILD / "tests" / "pymod" / "failing_memory.so"))
    other.run(
        "data = np.arange(5)\n"
        "def absent():\n"
        "    try: sa.attach('absent')\n"
        "    except FileNotFoundError: pass"
    )
    other.run(f"call = lambda: {call}\nbegin()\ncall()\nNone")  # what is imported on the way stays
    count = other.run("refuse_each(call, begin, what)", what=what)
    assert count >= 1
    print(f"{name}: {count} refused")
