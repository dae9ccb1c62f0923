# SPDX-License-Identifier: BSD-3-Clause
"""Ephemeral arrays with a daemon: held through the mount, and removed when the last holder dies."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest
from support.wait import wait_for

MAKE = "a = sa.create('x', 3, ephemeral=True)"


@pytest.fixture
def holder(python):
    process = python()
    process.run(MAKE)
    return process


def gone(store, name="x"):
    wait_for(lambda: name not in store.names(), what="the end of the array")


@pytest.mark.linux_only
def test_daemon_removes_what_a_killed_process_left(either, store, python):
    process = python()
    process.run(MAKE)
    assert store.names() == ["x"]
    process.kill()
    gone(store)


@pytest.mark.linux_only
def test_made_before_the_mount(mount, store, holder):
    mount()
    holder.kill()
    gone(store)


@pytest.mark.linux_only
def test_left_before_the_mount(mount, store, holder):
    holder.kill()
    assert store.names() == ["x"]
    mount()
    gone(store)


@pytest.mark.linux_only
def test_in_groups_old_new_and_renamed(mount, store, python):
    (store / "old").mkdir()
    mount()
    (store / "new").mkdir()
    (store / "new" / "deep").mkdir()
    process = python()
    process.run("held = []")
    for name in ("old/a", "new/b", "new/deep/c"):
        process.run("held.append(sa.create(name, 3, ephemeral=True))", name=name)
    os.rename(store / "new", store / "other")
    os.rename(store / "old" / "a", store / "other" / "d")
    process.kill()
    for name in ("old/a", "other/b", "other/deep/c", "other/d"):
        wait_for(lambda path=store / name: not path.exists(), what=name)


@pytest.mark.linux_only
def test_another_holder_keeps_it(mount, store, python, holder):
    mount()
    second = python()
    second.run("a = sa.attach('x')")
    holder.kill()
    third = python()
    third.run(MAKE.replace("'x'", "'y'"))
    third.kill()
    gone(store, "y")  # so that the daemon has seen the first death too
    assert store.names() == ["x"]
    second.run("del a")
    assert store.names() == []


@pytest.mark.linux_only
def test_it_leaves_ordinary_arrays_and_copies_alone(mount, store, python, holder):
    mount()
    python().run("a = sa.create('ordinary', 3)")
    shutil.copyfile(store / "x", store / "copy")
    holder.kill()
    gone(store)
    assert store.names() == ["copy", "ordinary"]


def test_is_shown_and_gone(either, store, holder):
    assert os.listdir(either) == ["x"]
    holder.run("del a")
    wait_for(lambda: not os.path.exists(either / "x"), what="the kernel's forgetting it")


@pytest.mark.passthrough
def test_client_of_the_mount_holds_it(direct, store, python, holder):
    client = python()
    client.run("a = sa.attach(name)", name=f"file://{direct / 'x'}")
    holder.run("a[0] = 7; del a")
    assert store.names() == ["x"]
    assert python().run("sa.attach('x')[0]") == 7
    assert store.names() == ["x"]
    client.run("del a")
    gone(store)


@pytest.mark.passthrough
def test_client_of_the_mount_that_is_killed(direct, store, python, holder):
    client = python()
    client.run("a = sa.attach(name)", name=f"file://{direct / 'x'}")
    holder.kill()
    assert client.run("a.sum()") == 0
    assert store.names() == ["x"]
    client.kill()
    gone(store)


@pytest.mark.passthrough
def test_client_that_detaches_leaves_it_to_direct_holders(direct, store, python, holder):
    client = python()
    client.run("a = sa.attach(name); del a", name=f"file://{direct / 'x'}")
    other = python()
    other.run("b = sa.create('y', 3, ephemeral=True)")
    other.kill()
    gone(store, "y")
    assert store.names() == ["x"]
    assert holder.run("a[0] = 3; sa.attach('x')[0]") == 3


@pytest.mark.passthrough
def test_child_of_a_client_holds_it(direct, store, python, holder):
    client = python()
    client.run("a = sa.attach(name)", name=f"file://{direct / 'x'}")
    client.run(
        "r, w = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.read(r, 1)\n"
        "    os._exit(0)\n"
        "os.close(r)"
    )
    holder.run("del a")
    child = client.run("child")
    client.run("del a")
    assert store.names() == ["x"]
    os.kill(child, signal.SIGKILL)
    gone(store)


@pytest.mark.linux_only
def test_any_program_that_has_it_open_holds_it(either, store, holder):
    with open(either / "x", "rb") as file:
        holder.kill()
        assert file.read() == bytes(24)
        assert store.names() == ["x"]
    gone(store)


def test_without_a_daemon_a_leftover_is_no_array(either, store, python):
    """The daemon that served has been killed, and so was the holder: the next one removes it."""
    process = python()
    process.run(MAKE)
    either.kill()
    either.detach()
    process.kill()
    assert store.names() == ["x"]
    with pytest.raises(FileNotFoundError):
        python().run("sa.attach('x')")
    assert store.names() == []


@pytest.mark.passthrough
def test_client_holds_it_when_the_daemon_is_dead(direct, store, python, holder):
    """The kernel keeps the file that the daemon had locked, for as long as the client's is open."""
    client = python()
    client.run("a = sa.attach(name)", name=f"file://{direct / 'x'}")
    direct.kill()
    holder.run("a[0] = 5; del a")
    assert python().run("sa.attach('x')[0]") == 5
    assert client.run("a[0]") == 5
    client.run("del a")
    direct.detach()
    other = python()
    wait_for(lambda: other.run("sa.reap(); len(sa.list())") == 0)
    assert store.names() == []


def test_none_is_made_through_the_mount(either, store, python):
    with pytest.raises(OSError, match="ephemeral") as caught:
        python().run("sa.create(name, 3, ephemeral=True)", name=f"file://{either / 'x'}")
    assert caught.value.errno == errno.EOPNOTSUPP
    assert store.names() == []


def test_unmount_while_one_is_held_and_after(mount, store, holder):
    mounted = mount()
    mounted.unmount()
    assert mounted.wait_gone() == 0
    assert holder.run("sa.attach('x').shape") == (3,)
    holder.run("del a")
    assert store.names() == []


@pytest.mark.parametrize("name", ["plain", "ephemeral"])
def test_daemon_uses_no_time_while_nothing_happens(mount, store, holder, python, name):
    """Its own looks are events too: they must not keep it busy."""
    mounted = mount()
    process = python()
    process.run("a = sa.create(name, 3, ephemeral=name == 'ephemeral')", name=name)
    for _ in range(20):
        process.run("b = sa.attach(name); del b", name=name)
    (pid,) = mounted.pids()

    def switches():
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        return sum(int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for text in texts)

    def is_quiet():
        before = switches()
        assert holder.is_waiting(0.2)
        return switches() - before < 5

    wait_for(is_quiet, what="a daemon that sleeps")


@pytest.mark.linux_only
def test_more_than_the_queue_of_events_holds(mount, store, python, limit):
    """All are looked at anew then; were that as many events, there would be no end of it."""
    limit("max_queued_events", 16)
    process = python()
    process.run("held = [sa.create(f'x{i}', 3, ephemeral=True) for i in range(60)]")
    mounted = mount()
    process.run("more = [sa.create(f'y{i}', 3, ephemeral=True) for i in range(60)]")
    mounted.unmount()
    assert mounted.wait_gone() == 0
    assert len(store.names()) == 120
    mount()
    process.run("more += [sa.create(f'z{i}', 3, ephemeral=True) for i in range(60)]")
    process.kill()
    wait_for(lambda: store.names() == [], what="the end of all")


@pytest.mark.slow
@pytest.mark.linux_only
@pytest.mark.release_only
def test_unmount_while_very_many_are_held(mount, store, python):
    """The last look is at all of them, and was at all locks for each."""
    roomy = store(options="nr_inodes=0")
    mounted = mount(roomy)
    script = """if True:
        import resource
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        held = [sa.create(f"{number}-{i}", 1, ephemeral=True) for i in range(10_000)]
    """
    for number in range(4):
        python(SHARR_STORE=str(roomy)).run(script, number=number)
    mounted.unmount()
    assert mounted.wait_gone() == 0  # within 20 s
    assert len(roomy.names()) == 40_000
