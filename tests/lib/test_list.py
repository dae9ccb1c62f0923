# SPDX-License-Identifier: BSD-3-Clause
"""Listing: every array and nothing else, whatever lies there and whatever happens meanwhile."""

from __future__ import annotations

import os
import resource
import socket
from errno import EMFILE
from pathlib import Path

import pytest
from lib.clib import LIST_FUNCTION, refused
from lib.conftest import NOBODY


def bind(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def test_empty_store(c):
    assert c.list() == []


def test_everything_is_told(c):
    for i in range(300):
        c.create(f"array {i}", dtype="<i4", shape=(i, 2), order="F").detach()
    found = {info.name: info for info in c.list()}
    assert len(found) == 300
    assert found["array 7"] == c.stat("array 7")


def test_whatever_is_no_array_is_passed_over(c, store):
    c.create("array")
    (store / "empty").touch()
    (store / "text").write_bytes(b"text\n" * 1000)
    (store / "half").write_bytes((store / "array").read_bytes()[:-1])
    (store / "folder").mkdir()
    (store / "link").symlink_to("array")
    (store / "dangling").symlink_to("nothing")
    os.mkfifo(store / "fifo")
    bind(store / "socket")
    os.mknod(store / "device", 0o020666, os.makedev(1, 3))
    assert c.names() == ["array"]


def test_groups_are_not_entered(c, store):
    (store / "g" / "h").mkdir(parents=True)
    for name in ("x", "g/x", "g/y", "g/h/z"):
        c.create(name)
    assert c.names() == ["x"]
    assert c.names("") == ["x"]
    assert c.names("/") == ["x"]
    assert c.names("g") == ["g/x", "g/y"]
    assert c.names("/g/h") == ["g/h/z"]
    assert c.names("shm://g") == ["g/x", "g/y"]


def test_names_of_a_group_can_be_passed_on(c, store):
    (store / "g").mkdir()
    c.create("g/x").data[:] = 3
    (info,) = c.list("g")
    assert c.attach(info.name).data.tolist() == [3, 3, 3]


def test_group_of_the_longest_name(c, store):
    (store / ("g" * 255)).mkdir()
    c.create("g" * 255 + "/" + "x" * 255)
    assert c.names("g" * 255) == ["g" * 255 + "/" + "x" * 255]


def test_what_this_user_may_not_read_is_passed_over(c, other):
    c.create("mine", mode=0o600)
    c.create("all", mode=0o644)
    assert other(uid=NOBODY).run("c.names()") == ["all"]


def test_store_that_this_user_may_not_read(c, store, other):
    os.chmod(store, 0o711)
    with pytest.raises(PermissionError):
        other(uid=NOBODY).run("c.list()")


def test_out_of_descriptors_is_an_error_and_no_short_list(c):
    c.create("x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for spare in (0, 1):  # for the store, and for an array in it
        most = int(max(os.listdir("/proc/self/fd"), key=int))
        held = [os.open("/dev/null", os.O_RDONLY) for _ in range(most)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1] + 1 + spare, hard))
        try:
            with refused(EMFILE):
                c.list()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in held:
                os.close(fd)


@pytest.mark.parametrize("value", [1, -5, 77])
def test_non_zero_return_ends_it_and_is_returned(c, value):
    for i in range(5):
        c.create(f"x{i}")
    calls = []

    def stop(info, _):
        calls.append(info.contents.name)
        return value if len(calls) == 2 else 0

    assert c.c.sharr_list(None, LIST_FUNCTION(stop), None) == value
    assert len(calls) == 2


def test_callback_may_use_the_library(c, store):
    for i in range(5):
        c.create(f"x{i}")

    def remove(info, _):
        return c.c.sharr_delete(info.contents.name)

    assert c.c.sharr_list(None, LIST_FUNCTION(remove), None) == 0
    assert store.names() == []


def test_no_descriptor_is_left(c, store):
    c.create("x")
    (store / "foreign").touch()
    before = os.listdir("/proc/self/fd")
    c.list()
    with pytest.raises(FileNotFoundError):
        c.list("none")
    assert os.listdir("/proc/self/fd") == before


def test_while_arrays_come_and_go(c, other):
    c.create("stays")
    child = other()
    child.start(
        "for i in range(2000):\n"
        "    c.create(f'x{i % 7}', REPLACE, shape=(i % 50,)).detach()\n"
        "    if i % 3 == 0: c.delete(f'x{i % 7}')\n"
    )
    while child.is_waiting(0):
        found = c.list()
        assert "stays" in [info.name for info in found]
        assert all(info.nbytes == 8 * info.shape[0] for info in found)
    child.result()


def hidden_name(pid: int, start_ticks: int | None = None, boot_id: str = "") -> str:
    """Of a file in the making, as lib/staging.c calls it."""
    if start_ticks is None:
        start_ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[19])
    boot = boot_id or Path("/proc/sys/kernel/random/boot_id").read_text()
    boot = int.from_bytes(bytes.fromhex(boot.strip().replace("-", ""))[:4], "little")
    pidns = os.stat("/proc/self/ns/pid").st_ino & 0xFFFFFFFF
    return f".sharr~{pid:08x}{start_ticks & 0xFFFFFFFF:08x}{pidns:08x}{boot:08x}{0:08x}"


def test_file_in_the_making_is_hidden_and_stays(c, store, other):
    """Of a thread that has ended, too: its process may still publish it."""
    name = hidden_name(other().pid)
    c.create("x")
    os.link(store / "x", store / name)
    assert c.names() == ["x"]
    assert store.names() == [name, "x"]


def test_what_a_killed_process_was_making_is_cleared_away(c, store, other):
    child = other()
    name = hidden_name(child.pid)
    c.create("x")
    os.link(store / "x", store / name)
    child.kill()
    assert c.names() == ["x"]
    assert store.names() == ["x"]


def test_group_that_a_killed_daemon_was_making_is_cleared_away(c, store, other):
    child = other()
    os.mkdir(store / hidden_name(child.pid))
    assert c.names() == []
    child.kill()
    assert c.names() == []
    assert store.names() == []


def test_what_another_machine_is_making_stays(c, store):
    """A store may lie on a network file system: pids say nothing there."""
    name = hidden_name(2**22 - 1, 1, "01234567" * 4)
    c.create("x")
    os.link(store / "x", store / name)
    assert c.names() == ["x"]
    assert store.names() == [name, "x"]
