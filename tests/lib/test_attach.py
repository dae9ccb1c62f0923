# SPDX-License-Identifier: BSD-3-Clause
"""Attaching: what maps it, how, and what is no array."""

from __future__ import annotations

import os
import socket
from errno import EACCES, EBADMSG, EINVAL, EMFILE, ENOENT, ENOMEM, ERANGE

import numpy as np
import pytest
from lib.clib import PLACE_FUNCTION, READONLY, refused
from lib.conftest import NOBODY

CALLS = ["attach", "stat", "delete"]


def is_no_array(c, name, number=EBADMSG):
    for call in CALLS:
        with refused(number):
            getattr(c, call)(name)


def bind(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def map_of(array) -> list[str]:
    with open("/proc/self/maps") as lines:
        (line,) = (line for line in lines if line.startswith(f"{array.address:x}-"))
    return line.split()


def test_absent(c):
    for call in CALLS:
        with pytest.raises(FileNotFoundError):
            getattr(c, call)("x")


def test_read_write_is_shared(c, other):
    array = c.create("x")
    other().run("c.attach('x').data[:] = [1, 2, 3]")
    assert array.data.tolist() == [1, 2, 3]


def test_map_is_shared_and_writable(c, store):
    c.create("x").detach()
    permissions, path = map_of(c.attach("x"))[1::4]
    assert (permissions, path) == ("rw-s", f"{store}/x")


def test_read_only_map(c):
    c.create("x").data[:] = 4
    array = c.attach("x", READONLY)
    assert map_of(array)[1] == "r--s"
    assert array.data.tolist() == [4, 4, 4]


def test_read_only_map_cannot_be_made_writable(c):
    """Its descriptor was opened for reading only."""
    c.create("x").detach()
    array = c.attach("x", READONLY)
    page = os.sysconf("SC_PAGE_SIZE")
    c.c.mprotect.argtypes = c.c.sharr_copy.argtypes[2:] + [c.c.sharr_publish.restype]
    assert c.c.mprotect(array.address, page, 3) == -1


def test_store_into_a_read_only_map_is_sigsegv(c, other):
    c.create("x")
    child = other()
    child.run("a = c.attach('x', READONLY)")
    with pytest.raises(Exception, match="ended with -11"):
        child.run("signal.signal(signal.SIGSEGV, signal.SIG_DFL); a.data[0] = 1")


def test_map_covers_data_and_fixed_block(c):
    assert c.create("x", shape=(9,)).map_bytes == 128 + 128
    assert c.create("y", shape=(0,)).map_bytes == 128


def test_no_descriptor_is_kept(c):
    c.create("x").detach()
    before = os.listdir("/proc/self/fd")
    array = c.attach("x")
    assert os.listdir("/proc/self/fd") == before
    array.detach()


def test_detach_unmaps(c):
    array = c.create("x")
    assert map_of(array)
    array.detach()
    with open("/proc/self/maps") as lines:
        assert not any(line.startswith(f"{array.address:x}-") for line in lines)


def test_detach_of_null(c):
    c.c.sharr_detach(None)
    c.c.sharr_info_free(None)


@pytest.mark.parametrize("kind", ["fifo", "folder", "symlink", "dangling", "socket", "device"])
def test_special_files_are_no_arrays_and_do_not_block(c, store, kind):
    path = store / "x"
    c.create("array")
    {
        "fifo": lambda: os.mkfifo(path),
        "folder": lambda: path.mkdir(),
        "symlink": lambda: path.symlink_to("array"),
        "dangling": lambda: path.symlink_to("nothing"),
        "socket": lambda: bind(path),
        "device": lambda: os.mknod(path, 0o020666, os.makedev(1, 3)),
    }[kind]()
    if kind == "device":  # the store is mounted nodev
        is_no_array(c, "x", EACCES)
    else:
        is_no_array(c, "x")
    assert os.path.lexists(path)


@pytest.mark.parametrize("content", [b"", b"\0", b"[SharedArray]", b"text\n" * 5000, bytes(548)])
def test_foreign_files_are_no_arrays(c, store, content):
    (store / "x").write_bytes(content)
    is_no_array(c, "x")
    assert (store / "x").read_bytes() == content


def test_truncated_file_is_no_array(c, store):
    c.create("x", shape=(100,))
    whole = (store / "x").read_bytes()
    for size in (0, 1, 547, 548, 800, 803, len(whole) - 1):
        (store / "y").write_bytes(whole[:size])
        is_no_array(c, "y")


def test_file_shorter_than_its_arithmetic(c, store):
    """The tail alone, without the data before it."""
    c.create("x", shape=(1000,))
    (store / "y").write_bytes((store / "x").read_bytes()[-1000:])
    is_no_array(c, "y")


def test_another_user_without_permission(c, other):
    c.create("x", mode=0o600)
    nobody = other(uid=NOBODY)
    for call in ("c.attach('x')", "c.attach('x', READONLY)", "c.stat('x')", "c.copy('x', 24)"):
        with refused(EACCES):
            nobody.run(call)


def test_another_user_who_may_only_read(c, other):
    c.create("x", mode=0o644).data[:] = 6
    nobody = other(uid=NOBODY)
    with pytest.raises(PermissionError):
        nobody.run("c.attach('x')")
    assert nobody.run("c.attach('x', READONLY).data") == [6, 6, 6]


def test_group_that_another_user_may_not_enter(c, store, other):
    (store / "g").mkdir(mode=0o700)
    c.create("g/x")
    nobody = other(uid=NOBODY)
    for call in ("c.attach('g/x')", "c.list('g')", "c.delete('g/x')", "c.create('g/y')"):
        with pytest.raises(PermissionError):
            nobody.run(call)


def test_out_of_descriptors(other, c):
    c.create("x")
    child = other()
    child.run("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 1024))")
    for call in ("c.attach('x')", "c.stat('x')", "c.copy('x', 24)", "c.delete('x')"):
        with refused(EMFILE):
            child.run(call)


@pytest.mark.release_only
def test_out_of_maps_names_the_limit(c, other):
    c.create("x")
    child = other()
    # Neighbouring maps of one file and offset don't merge: each counts.
    child.run("most = int(open('/proc/sys/vm/max_map_count').read()); held = []")
    with refused(ENOMEM) as caught:
        child.run("for _ in range(most + 1): held.append(c.attach('x', READONLY))")
    assert "vm.max_map_count" in caught.value.strerror
    child.run("held.pop().detach(); held.append(c.attach('x'))")


def test_unknown_flags_are_refused(c):
    c.create("x")
    for flags in (2, 4, 1 << 30, READONLY | 2):
        with refused(EINVAL):
            c.attach("x", flags)


def test_info_lives_as_long_as_the_array(c):
    c.create("x", dtype="<i2")
    array = c.attach("x")
    c.create("x", 4, dtype="<f4", shape=(1,))
    info = c.c.sharr_info(array.handle).contents
    assert (info.dtype, info.shape[: info.ndim]) == (b"<i2", [3])


def test_info_is_of_this_moment(c, store):
    c.create("x")
    os.chmod(store / "x", 0o604)
    os.chown(store / "x", 7, 8)
    info = c.stat("x")
    assert (info.mode, info.uid, info.gid) == (0o604, 7, 8)


# Private copies, at a place that is found once the array is open


def test_copy_to_a_place_tells_what_is_copied(c):
    c.create("x", dtype="<i4", shape=(2, 3), order="F").data[:] = 5
    buffer = np.zeros(6, "i4")
    info = c.copy_to("x", buffer.ctypes.data)
    assert (info.name, info.dtype, info.shape, info.order) == ("x", "<i4", (2, 3), "F")
    assert buffer.tolist() == [5] * 6


@pytest.mark.parametrize("outcome", [-7, 7])
def test_place_that_is_refused_ends_the_copy(c, outcome):
    c.create("x").data[:] = 5
    buffer = np.zeros(3)
    assert c.c.sharr_copy_to(b"x", PLACE_FUNCTION(lambda *_: outcome), None) == outcome
    assert buffer.tolist() == [0, 0, 0]


def test_copy_to_a_place_of_what_is_not_there(c):
    with refused(ENOENT):
        c.copy_to("x", 0)


def test_array_that_is_cut_off_while_a_place_is_found(c, store):
    c.create("x").detach()
    buffer = np.zeros(3)

    def place(_, __, ret_buffer):
        os.truncate(store / "x", 8)
        ret_buffer[0] = buffer.ctypes.data
        return 0

    assert c.c.sharr_copy_to(b"x", PLACE_FUNCTION(place), None) == -ERANGE


@pytest.mark.parametrize("lag", [0, 1, 8, 16, 31, 32, 2048, 4095])
@pytest.mark.parametrize("count", [8191, 8192, 65536, 65537, 200_003])
def test_copy_to_any_place_in_a_page(c, lag, count):
    """Where copying is slow it goes another way."""
    data = np.random.default_rng(count).integers(0, 256, count, "u1")
    c.put("x", data)
    room = np.zeros(count + 3 * 4096, "u1")
    start = -room.ctypes.data % 4096 + lag
    c.copy_to("x", room.ctypes.data + start)
    assert np.array_equal(room[start : start + count], data)
    assert not room[:start].any()
    assert not room[start + count :].any()
