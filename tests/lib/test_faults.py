# SPDX-License-Identifier: BSD-3-Clause
"""Every call that the library makes fails once, for each public call; see faults.c."""

from __future__ import annotations

import subprocess

import pytest
from support.build import BUILD, native_environment

CALLS = [
    *(
        "create",
        # what has a name is left where unlinking it is the call that fails
        pytest.param("create_taken", marks=pytest.mark.linux_only),
        "create_in_group",
        "replace",
        "prepare",
        "put",
        "attach",
        "attach_long",
        "stat",
    ),
    *("copy", "delete", "list", "list_group", "attrs_list", "attrs_set"),
    *("ephemeral", "attached", "reap", "lock"),
]


@pytest.mark.parametrize("call", CALLS)
def test_each_call_fails_once(store, call):
    (store / "group").mkdir()
    (store / "foreign").write_bytes(b"text\n" * 100)
    done = subprocess.run(
        [BUILD / "tests" / "lib" / "faults", call],
        env=native_environment(SHARR_STORE=str(store)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 6  # faults that were put in
    print(f"{call}: {int(done.stdout)} faults")


def test_every_call_of_the_library_is_wrapped():
    """What can fail and is new in the library has to be added to fault_calls.c."""
    listing = subprocess.run(
        ["nm", "-D", "--undefined-only", BUILD / "lib" / "libsharr.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    used = {line.split()[-1].split("@")[0] for line in listing.splitlines()}
    wrapped = (BUILD / "build.ninja").read_text()
    harmless = {
        *("close", "closedir", "munmap", "free", "getenv", "geteuid", "getpid", "getrandom"),
        *("clock_gettime", "getrlimit64", "sysinfo", "kill", "syscall", "mkdir", "access"),
        *("nanosleep", "sysconf", "gnu_dev_makedev", "madvise", "qsort", "bsearch", "sched_yield"),
        *("pthread_atfork", "pthread_once", "__register_atfork", "__cxa_finalize", "strtol"),
        *("strtoull", "snprintf", "vsnprintf", "__isoc99_sscanf", "__errno_location", "atol"),
        *("pthread_mutex_trylock", "pthread_mutex_unlock", "stpcpy", "__stpcpy_chk"),
        *("__stack_chk_fail", "__tls_get_addr", "__ctype_b_loc"),
        *("pselect", "pthread_sigmask", "sigfillset", "sigdelset"),  # of the portable wait
        # Of streams that fopen() has given.
        *("fclose", "setvbuf", "__getdelim", "getline"),
    }
    used = {
        n for n in used if not n.startswith(("str", "mem", "_ITM", "__gmon", "__asan", "__ubsan"))
    }
    assert {n for n in used - harmless if f"--wrap={n}" not in wrapped} == set()
