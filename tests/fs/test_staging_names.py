# SPDX-License-Identifier: BSD-3-Clause
"""The name of a new file while it is unfinished: who sees it, who else gets it, and what a writer
or a daemon that ends leaves of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest
from support.wait import wait_for

pytestmark = pytest.mark.fuse

DATA = bytes(range(256)) * 1000


@pytest.mark.linux_only
def test_others_see_nothing_of_it(sa, store, python, either, created):
    other = python()
    other.run("import os; m = mount", mount=str(either))
    os.write(created("x"), b"abc")
    os.stat(either / "x")
    assert other.run("os.listdir(m), os.path.lexists(m + '/x')") == ([], False)
    with pytest.raises(FileNotFoundError):
        other.run("os.open(m + '/x', os.O_RDONLY)")
    with pytest.raises(FileNotFoundError):
        other.run("os.unlink(m + '/x')")
    assert store.names() == os.listdir(either) == []
    assert sa.list() == ()


def test_second_exclusive_create_is_refused(python, either, created, errno_of):
    os.write(created("x"), b"abc")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    assert errno_of(os.open, either / "x", flags) == "EEXIST"
    with pytest.raises(FileExistsError):
        python().run("os.open(path, flags)", path=str(either / "x"), flags=flags)


def test_of_two_that_create_it_the_first_to_finish_has_it(sa, python, either, created, errno_of):
    fd = created("x", os.O_WRONLY)
    os.write(fd, b"first")
    other = python()
    other.run("f = os.open(path, os.O_CREAT | os.O_WRONLY)", path=str(either / "x"))
    other.run("os.write(f, b'second')")
    other.run("os.close(f)")
    assert errno_of(os.close, fd) == "EEXIST"
    assert sa.attach("x").tobytes() == b"second"


def test_name_that_was_taken_meanwhile_is_not_taken_from_its_owner(sa, created, errno_of):
    fd = created("x")
    os.write(fd, b"abc")
    array = sa.create("x", 4)
    array[:] = 7
    assert errno_of(os.close, fd) == "EEXIST"
    assert sa.attach("x").tolist() == [7] * 4


def test_name_of_a_foreign_file_is_refused_at_once(store, either, errno_of):
    (store / "x").write_bytes(b"foreign")
    assert errno_of(os.open, either / "x", os.O_CREAT | os.O_WRONLY) == "EEXIST"
    assert (store / "x").read_bytes() == b"foreign"


def test_unlinked_by_its_writer_it_never_appears(store, either, created, errno_of, idle):
    fd = created("x")
    os.write(fd, b"abc")
    os.unlink(either / "x")
    assert errno_of(os.stat, either / "x") == "ENOENT"
    assert os.fstat(fd).st_nlink == 0
    assert os.pread(fd, 9, 0) == b"abc"
    os.close(fd)
    idle()
    assert store.names() == []


def test_unlinked_and_made_again(sa, either, created):
    first = created("x")
    os.write(first, b"abc")
    os.unlink(either / "x")
    second = created("x")
    os.write(second, b"defg")
    os.close(first)
    os.close(second)
    assert sa.attach("x").tobytes() == b"defg"


def test_renamed_by_its_writer_it_appears_there(sa, store, either, created):
    os.mkdir(either / "group")
    fd = created("x")
    os.write(fd, b"abc")
    os.rename(either / "x", either / "group/y")
    assert os.stat(either / "group/y").st_size == 3
    os.write(fd, b"def")
    os.close(fd)
    assert sa.attach("shm://group/y").tobytes() == b"abcdef"
    assert store.names() == ["group"]


def test_renamed_onto_an_array_it_replaces_it_when_done(sa, either, created):
    old = sa.create("y", 3)
    fd = created("x")
    os.write(fd, b"abc")
    os.rename(either / "x", either / "y")
    assert sa.attach("y").shape == (3,)
    os.close(fd)
    assert sa.attach("y").tobytes() == b"abc"
    assert old.tolist() == [0, 0, 0]


def test_rename_that_must_not_replace(sa, either, created, errno_of, renameat2):
    sa.create("y", 3)
    os.write(created("x"), b"abc")
    assert errno_of(renameat2, either / "x", either / "y", "noreplace") == "EEXIST"
    assert os.stat(either / "x").st_size == 3


def test_group_that_became_another_makes_nothing_of_it(store, either, errno_of):
    os.mkdir(store / "group")
    descriptor = os.open(either / "group" / "x", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"1" * 8)
    os.rename(store / "group", store / "moved")
    os.mkdir(store / "group")
    assert errno_of(os.close, descriptor) == "ENOENT"
    assert os.listdir(store / "group") == os.listdir(store / "moved") == []


def test_group_that_is_renamed_takes_it_along(sa, either):
    os.mkdir(either / "a")
    with open(either / "a/x", "wb") as file:
        file.write(b"abc")
        os.rename(either / "a", either / "b")
    assert sa.attach("shm://b/x").tobytes() == b"abc"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_killed_writer_leaves_nothing(store, python, either, idle, number):
    other = python()
    code = "f = os.open(path, os.O_CREAT | os.O_WRONLY); g = os.dup(f); os.write(f, b'a' * 10000)"
    other.run(code, path=str(either / "x"))
    assert other.kill(number) == -number
    idle()
    assert store.names() == []


def test_writer_with_threads_that_is_killed_leaves_nothing(store, python, either, idle):
    other = python()
    other.run("import threading")
    other.run("for _ in range(8): threading.Thread(target=threading.Event().wait).start()")
    other.run("f = os.open(path, os.O_CREAT | os.O_WRONLY)", path=str(either / "x"))
    other.run("os.write(f, b'a' * 10000)")
    other.kill()
    idle()
    assert store.names() == []


def test_killed_while_writing_leaves_nothing(store, either, idle):
    for i in range(20):
        writer = subprocess.Popen(
            ["dd", "if=/dev/zero", f"of={either}/x", "bs=4k", "count=20000"],
            stderr=subprocess.DEVNULL,
        )
        free = os.statvfs(store).f_bfree
        wait_for(
            lambda free=free, i=i: os.statvfs(store).f_bfree < free - i, what="the first pages"
        )
        writer.kill()
        writer.wait(10)
        idle()
        assert store.names() == []


@pytest.mark.linux_only
def test_killed_daemon_leaves_nothing_of_what_is_unfinished(sa, store, mount, either, created):
    sa.create("whole", 3)[:] = 7
    os.write(created("x"), DATA)
    either.kill()
    either.detach()
    assert store.names() == ["whole"]
    assert sa.attach("whole").tolist() == [7] * 3
    assert os.listdir(mount(store)) == ["whole"]


def test_ended_daemon_leaves_nothing_of_what_is_unfinished(store, either, created, errno_of):
    fd = created("x")
    os.write(fd, DATA)
    either.expect_dead()
    os.kill(either.pids()[0], signal.SIGTERM)
    assert either.wait_gone() == 0
    assert errno_of(os.write, fd, b"more") is not None
    assert (store.names(), either.text()) == ([], "")


def test_what_was_closed_empty_is_there_for_its_maker_at_once(either):
    """It is published when the daemon hears of the close, which the maker does not wait for."""
    wrong = []

    def make(name):
        for _ in range(500):
            path, other = either / name, either / f"{name}.other"
            try:
                for step in (os.unlink, lambda old, new=other: os.rename(old, new)):
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                    step(path)
                os.unlink(other)
            except OSError as error:
                wrong.append(error)
            wrong.extend(p for p in (path, other) if p.exists())

    makers = [threading.Thread(target=make, args=[f"x{i}"]) for i in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert not wrong


def test_what_is_looked_at_while_it_is_closed_is_published(either):
    """Of the requests that hold it then, whichever comes last publishes it."""
    name, done = either / "x", threading.Event()

    def look():
        while not done.is_set():
            name.exists()

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(500):
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(name)
    finally:
        done.set()
        for looker in lookers:
            looker.join()
    assert os.listdir(either) == []


@pytest.mark.parametrize("published", [True, False])
def test_renamed_over_a_file_that_is_still_being_written(either, store, published):
    """As over any file: it goes on without a name, and never comes back."""
    old, new = either / "old", either / "new"
    with open(old, "xb", buffering=0) as a:
        a.write(b"a")
        if published:
            a.close()
            assert store.names() == ["old"]
        with open(new, "xb", buffering=0) as b:
            b.write(b"b")
            os.rename(old, new)
            assert [new.read_bytes(), os.path.exists(old)] == [b"a", False]
            os.unlink(new)
            b.write(b"bb")
            assert os.listdir(either) == []
    wait_for(lambda: not os.listdir(either) and store.is_empty())


def test_renamed_over_a_file_that_is_published_meanwhile(either, store):
    old, new = either / "old", either / "new"
    with open(old, "xb", buffering=0) as a:
        a.write(b"a")
        with open(new, "xb", buffering=0) as b:
            b.write(b"b")
        os.rename(old, new)
    assert (store.names(), new.read_bytes()) == (["new"], b"a")
