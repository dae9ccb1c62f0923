# SPDX-License-Identifier: BSD-3-Clause
"""Creating: whole or not at all, with its space reserved, and what each refusal leaves: nothing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import struct
import subprocess
from errno import E2BIG, EACCES, EEXIST, EFBIG, EINVAL, EMFILE, ENOSPC, ENOTSUP, EOVERFLOW, EROFS

import numpy as np
import pytest
from lib.clib import READONLY, REPLACE, SPARSE, lasting, refused, spec_of
from lib.conftest import NOBODY
from support.wait import wait_for

MIB = 1 << 20


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")


def test_zeros_shared_with_those_who_attach(c):
    made = c.create("x", dtype="<i4", shape=(2, 3))
    assert made.data.tolist() == [[0, 0, 0], [0, 0, 0]]
    made.data[1, 2] = 9
    assert c.attach("x").data.tolist() == [[0, 0, 0], [0, 0, 9]]


def test_address_is_page_aligned_and_not_null(c):
    for shape in ((), (0,), (1,), (5, 0)):
        array = c.create("x", REPLACE, shape=shape)
        assert array.address % os.sysconf("SC_PAGE_SIZE") == 0
        assert array.address


def test_info_of_what_was_made(c, store):
    array = c.create("x", dtype=">f4", shape=(3, 4), order="F", dtype_name=b"own")
    info = array.info
    found = os.stat(store / "x")
    assert (info.name, info.dtype, info.dtype_name, info.shape) == ("x", ">f4", "own", (3, 4))
    assert (info.ndim, info.order, info.typenum, info.foreign) == (2, "F", 20, 0)
    assert (info.itemsize, info.nbytes, info.creator_pid) == (4, 48, os.getpid())
    assert (info.uid, info.gid) == (found.st_uid, found.st_gid)
    assert 0 <= found.st_mtime_ns - info.created_ns + 10**7 < 10**9
    seen = c.stat("x")
    assert lasting(seen) == lasting(info)
    assert seen.changed_ns == found.st_ctime_ns >= info.changed_ns
    assert c.list() == [seen]
    assert c.attach("x").info == seen


def test_is_exclusive(c, store):
    c.create("x").data[:] = 1
    with pytest.raises(FileExistsError):
        c.create("x", shape=(7,))
    assert c.attach("x").data.tolist() == [1, 1, 1]
    assert store.names() == ["x"]


@pytest.mark.parametrize("flags", [0, REPLACE])
@pytest.mark.parametrize("kind", ["file", "folder", "fifo", "symlink", "dangling"])
def test_what_is_no_array_is_never_replaced(c, store, kind, flags):
    c.create("array").data[:] = 1
    {
        "file": lambda: (store / "x").write_bytes(b"precious"),
        "folder": lambda: (store / "x").mkdir(),
        "fifo": lambda: os.mkfifo(store / "x"),
        "symlink": lambda: (store / "x").symlink_to("array"),
        "dangling": lambda: (store / "x").symlink_to("nothing"),
    }[kind]()
    before = os.lstat(store / "x")
    for name in ("x", f"file://{store}/x"):
        with pytest.raises(FileExistsError):
            c.create(name, flags)
    after = os.lstat(store / "x")
    assert (after.st_ino, after.st_mode, after.st_size) == (
        before.st_ino,
        before.st_mode,
        before.st_size,
    )
    assert store.names() == ["array", "x"]


@pytest.fixture
def opened(store):
    """opened(): the names of the store that have been opened for data since."""
    libc = ctypes.CDLL(None)
    fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(fd, os.fsencode(store), 0x20) > 0  # IN_OPEN

    def names():
        found = []
        with contextlib.suppress(BlockingIOError):
            events = os.read(fd, 1 << 16)
            while events:
                (length,) = struct.unpack_from("12xI", events)
                found.append(os.fsdecode(events[16 : 16 + length].rstrip(b"\0")))
                events = events[16 + length :]
        return found

    yield names
    os.close(fd)


def test_what_is_to_be_replaced_is_not_opened_before_it_is_known(c, store, opened):
    """A fifo's writer would find a reader, and a device might wake."""
    os.mkfifo(store / "x")
    c.create("y")
    opened()
    with pytest.raises(FileExistsError):
        c.create("x", REPLACE)
    assert "x" not in opened()
    c.create("y", REPLACE)
    assert "y" in opened()


def test_replace(c, store):
    old = c.create("x")
    old.data[:] = 1
    new = c.create("x", REPLACE, dtype="<i2", shape=(5,))
    assert old.data.tolist() == [1, 1, 1]
    new.data[:] = 2
    assert c.attach("x").data.tolist() == [2] * 5
    assert store.names() == ["x"]


def test_replace_makes_what_was_not_there(c, store):
    c.create("x", REPLACE)
    assert store.names() == ["x"]


def test_replaced_name_is_never_absent_or_half_made(c, other):
    c.create("x", shape=(1000,)).data[:] = 1
    looker = other()
    looker.start("seen = [float(c.attach('x', READONLY).data.sum() % 1000) for _ in range(3000)]")
    for _ in range(300):
        c.prepare("x", REPLACE, shape=(1000,)).publish()
        fresh = c.prepare("x", REPLACE, shape=(1000,))
        fresh.data[:] = 1
        fresh.publish()
        c.detach_all()
    looker.result()
    assert looker.run("set(seen) == {0.0}")


def test_never_seen_half_made(c, other):
    """A process that opens the name as soon as it is there finds a whole array, of full size."""
    looker = other()
    looker.start(
        "import time\n"
        "sizes, end = [], time.monotonic() + 60\n"
        "while len(sizes) < 200 and time.monotonic() < end:\n"
        "    try: a = c.attach('x', READONLY)\n"
        "    except FileNotFoundError: continue\n"
        "    sizes.append(a.info.nbytes); a.detach()\n"
        "len(sizes), min(sizes)"
    )
    while looker.is_waiting(0):
        c.create("x", shape=(1 << 16,)).detach()
        c.delete("x")
    assert looker.result() == (200, 524288)


@pytest.mark.linux_only
def test_no_other_name_is_ever_visible(c, store, other):
    watcher = other()
    watcher.start(
        "seen = set()\n"
        "while not os.path.exists(os.path.join(os.environ['SHARR_STORE'], 'end')):\n"
        "    seen.update(os.listdir(os.environ['SHARR_STORE']))\n"
        "sorted(seen - {'end'})"
    )
    for _ in range(300):
        c.create("x", shape=(1000,)).detach()
        c.delete("x")
    (store / "end").touch()
    assert set(watcher.result()) <= {"x"}


def test_mode_is_0666_less_the_umask(c, store, umask):
    umask(0o027)
    assert c.create("x").info.mode == 0o640
    assert os.stat(store / "x").st_mode == 0o100640


def test_mode_that_is_given_is_not_masked(c, store, umask):
    umask(0o077)
    assert c.create("x", mode=0o664).info.mode == 0o664
    assert os.stat(store / "x").st_mode == 0o100664


def test_mode_above_0777_is_refused(c, store):
    with refused(EINVAL):
        c.create("x", mode=0o4755)


def test_space_is_reserved(c, store):
    c.create("x", shape=(MIB,))
    found = os.stat(store / "x")
    assert found.st_blocks * 512 >= found.st_size > 8 * MIB


def test_sparse_takes_no_space(c, store):
    array = c.create("x", SPARSE, dtype="|u1", shape=(1 << 40,))
    assert os.stat(store / "x").st_blocks * 512 < 64 * 1024
    array.bytes[1 << 39] = 7
    assert c.attach("x").bytes[(1 << 39) - 1 : (1 << 39) + 2].tolist() == [0, 7, 0]


def test_full_store(c, store, monkeypatch):
    small = store(size="1m")
    monkeypatch.setenv("SHARR_STORE", str(small))
    with refused(ENOSPC) as caught:
        c.create("x", dtype="|u1", shape=(2 * MIB,))
    words = caught.value.strerror
    assert str(small) in words
    assert re.search(r"\b2\.0 MiB \(20\d{5} bytes\)", words)
    assert re.search(r"\b1\.0 MiB \(1048576 bytes\)", words)
    assert small.names() == []
    assert os.statvfs(small).f_bfree == os.statvfs(small).f_blocks


def test_full_store_is_named_for_a_group_too(c, store, monkeypatch):
    small = store(size="1m")
    (small / "g").mkdir()
    monkeypatch.setenv("SHARR_STORE", str(small))
    with refused(ENOSPC) as caught:
        c.create("g/x", dtype="|u1", shape=(2 * MIB,))
    assert str(small) in caught.value.strerror


def test_last_page_of_a_store_can_be_had(c, store, monkeypatch):
    small = store(size="64k")
    monkeypatch.setenv("SHARR_STORE", str(small))
    c.create("x", dtype="|u1", shape=(60 * 1024,))
    with refused(ENOSPC):
        c.create("y", dtype="|u1", shape=(1,))
    assert small.names() == ["x"]


def test_more_than_the_memory_fails_at_once(other, store):
    """Without the check it would be the OOM killer's turn: so a timer ends the child before."""
    huge = store(size="1024g")
    child = other(SHARR_STORE=str(huge))
    child.run("signal.setitimer(signal.ITIMER_REAL, 0.3)")
    with refused(ENOSPC) as caught:
        child.run("c.create('x', dtype='|u1', shape=(512 << 30,))")
    assert str(huge) in caught.value.strerror
    assert "512.0 GiB" in caught.value.strerror
    assert os.statvfs(huge).f_bfree == os.statvfs(huge).f_blocks


@pytest.mark.parametrize("flags", [0, SPARSE])
def test_above_the_file_size_limit_is_an_error_and_no_signal(other, store, flags):
    limited = other()
    limited.run("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, -1))")
    with refused(EFBIG) as caught:
        limited.run("c.create('x', flags, dtype='|u1', shape=(2 << 20,))", flags=flags)
    assert "RLIMIT_FSIZE" in caught.value.strerror
    with refused(EFBIG):
        limited.run("c.put('x', np.zeros(2 << 20, 'u1'))")
    assert limited.run("c.create('x', dtype='|u1', shape=(1000,)).info.nbytes") == 1000
    assert store.names() == ["x"]


@pytest.mark.release_only  # a sanitizer needs terabytes of addresses
def test_larger_than_the_address_space(other, store):
    limited = other()
    limited.run("import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, -1))")
    with pytest.raises(OSError, match="ulimit -v") as caught:
        limited.run("c.create('x', SPARSE, dtype='|u1', shape=(8 << 30,))")
    assert isinstance(caught.value, OSError)
    assert store.names() == []


def test_out_of_descriptors(c, store):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with refused(EMFILE):
            c.create("x")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert store.names() == []


def test_read_only_store(c, store):
    c.create("old").detach()
    subprocess.run(["mount", "-o", "remount,ro", store], check=True)
    try:
        for call in (c.create, c.delete, c.attach):
            with refused(EROFS):
                call("old" if call != c.create else "x")
        assert c.attach("old", READONLY).info.shape == (3,)
    finally:
        c.detach_all()
        subprocess.run(["mount", "-o", "remount,rw", store], check=True)


def test_store_that_this_user_may_not_write(other, store):
    os.chmod(store, 0o755)
    nobody = other(uid=NOBODY)
    with refused(EACCES):
        nobody.run("c.create('x')")


def test_belongs_to_its_maker(other, store):
    nobody = other(uid=NOBODY)
    assert nobody.run("c.create('x').info.uid") == NOBODY
    assert os.stat(store / "x").st_uid == NOBODY


def test_sticky_store_keeps_others_from_replacing_and_deleting(c, other):
    c.create("x", mode=0o666).data[:] = 1
    nobody = other(uid=NOBODY)
    for call in ("c.create('x', REPLACE)", "c.delete('x')"):
        with pytest.raises(PermissionError):
            nobody.run(call)
    assert c.attach("x").data.tolist() == [1, 1, 1]
    assert c.names() == ["x"]


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        ({"shape": (-1,)}, EINVAL),
        ({"shape": (0, -1)}, EINVAL),
        ({"shape": (1,) * 65}, EINVAL),
        ({"dtype": "<U0"}, EINVAL),
        ({"dtype": "|S0"}, EINVAL),
        ({"dtype": "|V0"}, EINVAL),
        ({"dtype": "[]"}, EINVAL),
        ({"dtype": ""}, EINVAL),
        ({"dtype": "float64"}, EINVAL),
        ({"dtype": "<f8 "}, EINVAL),
        ({"dtype": "<f5"}, EINVAL),
        ({"dtype": "<f8[ns]"}, EINVAL),
        ({"dtype": "<M8[xs]"}, EINVAL),
        ({"dtype": "<M8[0s]"}, EINVAL),
        ({"dtype": "[('a', '<f8')"}, EINVAL),
        ({"dtype": "[('a', '<f8')] "}, 0),
        ({"dtype": "[('a', '<f8')]x"}, EINVAL),
        ({"dtype": "[('a', '<f8', (-1,))]"}, EINVAL),
        ({"dtype": "['a']"}, EINVAL),
        ({"dtype": "[" * 1000}, EINVAL),
        ({"dtype": b"[('\xff', '<f8')]"}, EINVAL),
        ({"dtype": "|V2147483648"}, EINVAL),
        ({"dtype": "<U536870912"}, EINVAL),
        ({"dtype": "|O"}, ENOTSUP),
        ({"dtype": "[('a', '|O')]"}, ENOTSUP),
        ({"dtype": "[('a', [('b', '|O', (2,))])]"}, ENOTSUP),
        ({"shape": (1 << 62, 2)}, EOVERFLOW),
        ({"shape": (1 << 62, 2, 0)}, EOVERFLOW),
        ({"shape": (1 << 60,)}, EOVERFLOW),
        ({"shape": (1 << 32, 1 << 32)}, EOVERFLOW),
        ({"order": "A"}, EINVAL),
        ({"order": chr(ord("C") + 256)}, EINVAL),
        ({"dtype_name": b"n" * 64}, EINVAL),
        ({"dtype_name": b"n" * 63}, 0),
        ({"dtype_name": b"\xff"}, EINVAL),
        ({"dtype_name": "bflöat16".encode()}, EINVAL),
        ({"dtype_name": b"a b"}, EINVAL),
        ({"dtype_name": b"a\n"}, EINVAL),
        ({"dtype_name": b""}, 0),
    ],
    ids=lambda value: str(value)[:60],
)
def test_spec(c, store, spec, number):
    if not number:
        c.create("x", **spec)
        return
    with refused(number):
        c.create("x", **spec)
    assert store.names() == []


@pytest.mark.parametrize("fields", [1900, 3500, 6000, 20000])
def test_dtype_whose_header_is_too_long(c, store, fields):
    """Above 64 KiB: by the tail as a whole, by the header, and by the text itself."""
    dtype = repr([(f"f{i:011}", "<i4") for i in range(fields)])
    size = len(dtype)
    if size < 50000:
        assert c.create("x", dtype=dtype, shape=(1,)).info.dtype == dtype
        return
    with refused(E2BIG):
        c.create("x", dtype=dtype, shape=(1,))
    assert store.names() == []


def test_longest_tail_is_one_of_64_kib(c, store):
    def dtype(bytes_count):
        return f"[('{'a' * bytes_count}', '<i4')]"

    longest = 65536 - 804 - 64
    longest -= len(dtype(0)) + len("{'descr': , 'fortran_order': False, 'shape': (1,), }") + 10 + 21
    while c.c.sharr_put(b"x", spec_of(dtype=dtype(longest), shape=(1,)), bytes(4), REPLACE) == 0:
        longest += 1
    with refused(E2BIG):
        c.create("y", dtype=dtype(longest), shape=(1,))
    assert 65536 - 64 < os.stat(store / "x").st_size - 64 - 128 <= 65536
    assert c.attach("x").info.dtype == dtype(longest - 1)


def test_unknown_flags_are_refused(c, store):
    for call, flags in ((c.create, 1 << 30), (c.create, READONLY), (c.prepare, 1 << 31)):
        with refused(EINVAL):
            call("x", flags)
    assert store.names() == []


def test_shape_may_be_null_for_0_d(c):
    spec = spec_of(shape=())
    spec.shape = None
    handle = ctypes.c_void_p()
    assert c.c.sharr_create(b"x", ctypes.byref(spec), 0, ctypes.byref(handle)) == 0
    c.c.sharr_detach(handle)
    assert c.stat("x").shape == ()


def test_nothing_is_kept_open(c):
    before = descriptors()
    array = c.create("x")
    assert descriptors() == before
    array.detach()


def test_taken_name_is_refused_before_space_is_taken(c, store, monkeypatch):
    """Otherwise a full store would hide EEXIST: `except OSError: delete; create` relies on it."""
    small = store(size="1m")
    monkeypatch.setenv("SHARR_STORE", str(small))
    c.create("x")
    with refused(EEXIST):
        c.create("x", dtype="|u1", shape=(2 * MIB,))


def test_on_an_ordinary_file_system(c, area):
    name = f"file://{area}/x"
    c.create(name, dtype="|u1", shape=(MIB,)).data[:] = 3
    found = os.stat(area / "x")
    assert found.st_blocks * 512 >= found.st_size
    assert c.attach(name).data.sum() == 3 * MIB
    c.create(name, REPLACE, shape=(1,))
    c.delete(name)
    assert not (area / "x").exists()


def test_killed_while_creating_leaves_nothing(c, store, other):
    for _ in range(5):
        worker = other()
        worker.start(
            "while True:\n    c.create('x', REPLACE, dtype='|u1', shape=(16 << 20,)).detach()"
        )
        wait_for(c.names, what="the first array")
        worker.kill()
        assert [n for n in store.names() if not n.startswith(".sharr~")] == ["x"]
        assert c.names() == ["x"]
        assert np.count_nonzero(c.attach("x", READONLY).data) == 0
        for name in store.names():
            os.unlink(store / name)
        c.detach_all()
        assert os.statvfs(store).f_bfree == os.statvfs(store).f_blocks
