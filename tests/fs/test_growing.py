# SPDX-License-Identifier: BSD-3-Clause
"""A file that is written on after its maker has closed it: an array with a successor."""

from __future__ import annotations

import mmap
import os
import stat
import subprocess
import threading

import numpy as np
import pytest
from support.build import native_environment
from support.wait import wait_for

pytestmark = pytest.mark.fuse

HOLDER = """
import errno, os, sys
for line in sys.stdin:
    try:
        value = eval(line)
    except OSError as error:
        value = errno.errorcode[error.errno]
    print(repr(value), flush=True)
"""


class Holder:
    """A process that has a descriptor 1001 of another's file; it evaluates what it is told:
    to the value, or to the name of an error."""

    def __init__(self, fd):
        os.dup2(fd, 1001, inheritable=True)
        self.process = subprocess.Popen(
            ["python3", "-S", "-E", "-c", HOLDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[1001],
            env=native_environment(),
            text=True,
        )
        os.close(1001)

    def __call__(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the holder died"
        return eval(line)

    def write(self, data):
        return self(f"os.write(1001, {data!r})")

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(20)


@pytest.fixture
def held(either):
    """held(b"abc"): an array x of these bytes, made by this process, and who may write on."""
    holders = []

    def make(data=b"abc", prepare=lambda fd: None, flags=os.O_RDWR):
        fd = os.open(either / "x", flags | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(fd, data)
        prepare(fd)
        holders.append(Holder(fd))
        os.close(fd)
        return holders[-1]

    yield make
    for holder in holders:
        holder.process.kill()
        holder.end()


@pytest.fixture
def idle(either):
    """Waits until the daemon has closed what was open."""
    (pid,) = either.pids()
    before = len(os.listdir(f"/proc/{pid}/fd"))
    return lambda: wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, what="the close")


def test_child_goes_on_after_its_parent_has_closed(sa, store, either):
    for i in range(50):
        with open(either / f"x{i}", "wb") as file:
            file.write(b"first")
            file.flush()
            child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file)
        array = sa.attach(f"x{i}")
        assert array.tobytes() == b"first"
        child.communicate(b"second")
        assert sa.attach(f"x{i}").tobytes() == b"firstsecond"
        assert array.tobytes() == b"first"
    assert len(store.names()) == 50


# A process closes what its child writes. Threads list attributes meanwhile, so that requests of
# the others wait in the daemon between their steps.
RACER = """
import os, sys, threading
def write_on(file, begun):
    assert os.write(file, b"abc") == 3
    os.write(begun, b"!")
    for i in range(100):
        assert os.write(file, b"abc") == 3
        if i < 40:
            os.posix_fallocate(file, 0, 3)
            os.setxattr(file, f"user.child{i}", b"")
def list_all(path, done):
    while not done.is_set():
        os.listxattr(path)
for i in range(int(sys.argv[2])):
    path = f"{sys.argv[1]}/x{i}"
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    for j in range(200):
        os.setxattr(file, f"user.{j}", b"")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            write_on(file, writer)
            code = 0
        finally:
            os._exit(code)
    done = threading.Event()
    listers = [threading.Thread(target=list_all, args=[path, done]) for _ in range(3)]
    [lister.start() for lister in listers]
    os.read(reader, 1)
    [os.close(fd) for fd in (file, reader, writer)]
    done.set()
    [lister.join() for lister in listers]
    assert os.waitpid(child, 0)[1] == 0
"""


def test_child_writes_while_its_parent_closes(sa, either):
    """Nothing is cut, lost or refused, whether the close comes before it or after it."""
    rounds = 120
    subprocess.run(["python3", "-S", "-E", "-c", RACER, either, str(rounds)], check=True)
    for i in range(rounds):
        wait_for(lambda i=i: sa.attach(f"x{i}").tobytes() == b"abc" * 101, what=f"all of x{i}")
        assert len(sa.attrs(f"x{i}")) == 240


SHELLS = [["bash"], ["dash"], ["zsh"], ["mksh"], ["busybox", "sh"]]
GROUPS = {
    "group": "{ printf a; /bin/echo b; printf c; cat; } > x",
    "subshell": "( printf a; /bin/echo b; printf c; cat ) > x",
    "loop": "{ for i in a 'b\n' c; do printf \"$i\"; done; cat; } > x",
    "nested": "{ printf a; { /bin/echo b; printf c; }; cat; } > x",
    "descriptor": "exec 5> x; printf a >&5; /bin/echo b >&5; { printf c; cat; } >&5; exec 5>&-",
    "background": "exec 4<&0 5> x; printf a >&5; { /bin/echo b; printf c; cat <&4; } >&5 &"
    " exec 5>&-; wait",
    "appending": "{ printf a; /bin/echo b; printf c; cat; } >> x",
}


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_groups_of_every_shell(sa, either, shell):
    for name, script in GROUPS.items():
        done = subprocess.run(
            [*shell, "-c", script],
            cwd=either,
            input=b"rest",
            capture_output=True,
            env=native_environment(),
            timeout=30,
        )
        assert (name, done.returncode, done.stderr) == (name, 0, b"")
        wait_for(lambda: sa.attach("x").tobytes() == b"ab\ncrest", what=f"all of the {name}")
        sa.delete("x")


def test_many_writers_one_after_the_other(sa, store, either, idle):
    with open(either / "x", "wb") as file:
        file.write(b"0\n")
        file.flush()
        script = "for i in $(seq 1 30); do /bin/echo $i; done"
        child = subprocess.Popen(["sh", "-c", script], stdout=file)
    child.wait(30)
    idle()
    assert sa.attach("x").tobytes() == b"".join(b"%d\n" % i for i in range(31))
    assert store.names() == ["x"]


def test_within_its_size_it_is_the_array_that_changes(sa, held):
    holder = held(b"abcdef")
    array = sa.attach("x")
    assert holder("os.pwrite(1001, b'zz', 2)") == 2
    assert array.tobytes() == b"abzzef"


def test_whoever_has_it_keeps_it(sa, either, held):
    holder = held(b"abc" * 1000)
    array = sa.attach("x")
    with open(either / "x", "rb") as file, mmap.mmap(file.fileno(), 3000, prot=1) as view:
        assert holder.write(b"d" * 3000) == 3000
        assert holder("os.pwrite(1001, b'Z', 0)") == 1
        holder.end()
        assert view[:] == array.tobytes() == os.pread(file.fileno(), 9999, 0) == b"abc" * 1000
        assert sa.attach("x").tobytes() == b"Z" + (b"abc" * 1000)[1:] + b"d" * 3000
        assert (either / "x").read_bytes() == sa.attach("x").tobytes()


@pytest.mark.linux_only
def test_nobody_sees_it_before_it_is_finished(sa, store, either, held):
    holder = held()
    holder.write(b"def")
    assert sa.attach("x").tobytes() == (either / "x").read_bytes() == b"abc"
    assert os.stat(either / "x").st_size == 3
    assert store.names() == ["x"]
    holder("os.close(1001)")
    assert sa.attach("x").tobytes() == (either / "x").read_bytes() == b"abcdef"
    assert os.stat(either / "x").st_size == 6


def test_the_handle_sees_what_it_wrote(sa, held):
    holder = held()
    holder.write(b"defghi")
    assert holder("os.pread(1001, 99, 1)") == b"bcdefghi"
    assert holder("os.lseek(1001, 0, os.SEEK_END)") == 9
    holder("os.ftruncate(1001, 5)")
    assert holder("os.lseek(1001, -1, os.SEEK_END)") == 4
    holder("os.pwrite(1001, b'Z', 6)")
    holder("os.fsync(1001)")
    holder("os.close(1001)")
    assert sa.attach("x").tobytes() == b"abcde\0Z"


def test_a_write_across_the_end_is_not_cut(sa, held):
    holder = held()
    array = sa.attach("x")
    assert holder("os.pwrite(1001, b'xyz', 2)") == 3
    holder.end()
    assert sa.attach("x").tobytes() == b"abxyz"
    assert array.tobytes() == b"abc"


def test_appending_appends_whatever_others_ask_meanwhile(sa, either, held):
    holder = held(flags=os.O_WRONLY | os.O_APPEND)
    for part in (b"de", b"fg", b"hi"):
        assert os.stat(either / "x").st_size == 3
        assert holder.write(part) == 2
    holder.end()
    assert sa.attach("x").tobytes() == b"abcdefghi"


@pytest.mark.parametrize("call", ["copy_file_range(s, 1001, 3)", "sendfile(1001, s, 0, 3)"])
def test_copied_on_within_the_kernel(sa, either, held, call):
    sa.put("y", np.frombuffer(b"def", "u1"))
    holder = held()
    assert holder(f"[os.{call} for s in [os.open('{either}/y', 0)]]") == [3]
    holder.end()
    assert sa.attach("x").tobytes() == b"abcdef"


def is_served_while_it_is_copied(free, path):
    """Does who opens and reads the array come back before it has its successor?"""
    pages = (110 << 20) // mmap.PAGESIZE
    with open(path, "xb", buffering=0) as file:
        for _ in range(110):
            file.write(bytes(1 << 20))
        holder = Holder(file.fileno())
    before = free()
    writer = threading.Thread(target=holder.write, args=[b"d"])
    writer.start()
    try:
        wait_for(lambda: free() < before, what="the copy")
        with open(path, "rb") as file:
            assert file.read(1) == b"\0"
        return before - free() < pages
    finally:
        writer.join()
        holder.end()


def test_nobody_waits_while_it_is_copied(store, either):
    """Copying takes long enough that one of a few tries shows it, on any machine."""

    def free():
        return os.statvfs(store).f_bavail

    empty = free()
    for _ in range(5):
        served = is_served_while_it_is_copied(free, either / "x")
        os.unlink(either / "x")
        wait_for(lambda: free() == empty, what="all that was replaced or deleted to go")
        if served:
            return
    pytest.fail("whoever opened it came back when the copy was done")


def test_it_may_grow_again_and_again(sa, held, idle):
    holder = held()
    for size in (4, 5, 6):
        holder("os.close(os.dup(1001))")
        holder(f"[os.write(1001, b'd'), os.close(os.dup(1001))][0] + {size}")
    holder.end()
    assert sa.attach("x").tobytes() == b"abcddd"
    idle()


def test_only_handles_of_its_makers_make_it_grow(either, held, errno_of):
    holder = held()
    with open(either / "x", "r+b", buffering=0) as file:
        assert errno_of(os.pwrite, file.fileno(), b"z", 3) == "EFBIG"
        assert os.pwrite(file.fileno(), b"yz", 2) == 1
        holder.write(b"def")
        assert errno_of(os.pwrite, file.fileno(), b"z", 3) == "EFBIG"
        assert os.pread(file.fileno(), 9, 0) == b"aby"


@pytest.mark.root
def test_it_keeps_mode_owner_and_attributes(sa, store, either, held):
    holder = held(bytes(16), lambda fd: os.setxattr(fd, "user.sharr.dtype", b"<f4"))
    holder.write(bytes(8))
    os.setxattr(either / "x", "user.units", b"m")
    os.chown(either / "x", 12, 34)
    os.chmod(either / "x", 0o604)
    holder.end()
    seen = os.stat(store / "x")
    assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (12, 34, 0o604)
    assert os.getxattr(either / "x", "user.units") == b"m"
    array = sa.attach("x")
    assert (array.dtype, array.shape) == (np.float32, (6,))


def test_what_an_acl_takes_away_stays_away(store, held):
    holder = held()
    subprocess.run(["setfacl", "-m", "g::---,m::rwx", store / "x"], check=True)
    holder.write(b"def")
    holder.end()
    assert os.stat(store / "x").st_size > 6
    assert stat.S_IMODE(os.stat(store / "x").st_mode) == 0o604


@pytest.mark.parametrize(
    ("order", "shape", "grown"), [(b"C", b"2,3", (3, 3)), (b"F", b"3,2", (3, 3))]
)
def test_an_array_of_rows_gets_more_of_them(sa, either, held, order, shape, grown):
    def prepare(fd):
        for name, value in (("dtype", b"<i2"), ("order", order), ("shape", shape)):
            os.setxattr(fd, f"user.sharr.{name}", value)

    holder = held(np.arange(6, dtype="<i2").tobytes(), prepare)
    holder.write(np.arange(6, 9, dtype="<i2").tobytes())
    holder("os.close(1001)")
    array = sa.attach("x")
    assert (array.dtype, array.shape) == (np.int16, grown)
    assert array.tobytes("A") == np.arange(9, dtype="<i2").tobytes()


@pytest.mark.parametrize("more", [1, 2, 7])
def test_what_is_no_whole_number_of_rows_is_refused_at_close(sa, store, held, more):
    def prepare(fd):
        os.setxattr(fd, "user.sharr.dtype", b"<i2")
        os.setxattr(fd, "user.sharr.shape", b"2,3")

    holder = held(bytes(12), prepare)
    holder.write(bytes(more))
    assert holder("os.close(1001)") == "EINVAL"
    holder.end()
    assert sa.attach("x").shape == (2, 3)
    assert store.names() == ["x"]


def test_killed_while_it_writes_on_the_array_stays(sa, store, held, idle):
    holder = held()
    holder.write(b"d" * 100_000)
    holder.process.kill()
    holder.process.wait(10)
    idle()
    assert sa.attach("x").tobytes() == b"abc"
    assert store.names() == ["x"]


def test_deleted_meanwhile_it_stays_deleted(store, either, held, idle):
    holder = held()
    holder.write(b"def")
    os.unlink(either / "x")
    assert holder("os.close(1001)") is None
    idle()
    assert store.names() == []


def test_an_array_made_in_its_place_is_not_replaced(sa, store, held, idle):
    holder = held()
    holder.write(b"def")
    sa.delete("x")
    sa.create("x", 4)[:] = 7
    assert holder("os.close(1001)") is None
    idle()
    assert sa.attach("x").tolist() == [7] * 4
    assert store.names() == ["x"]


def test_renamed_meanwhile_it_follows(sa, store, either, held):
    os.mkdir(either / "group")
    holder = held()
    holder.write(b"def")
    os.rename(either / "x", either / "group/y")
    holder.end()
    assert sa.attach("group/y").tobytes() == b"abcdef"
    assert store.names() == ["group"]


def test_holes_stay_holes(sa, store, either, held):
    holder = held(b"a", lambda fd: os.ftruncate(fd, 64 << 20))
    holder("os.pwrite(1001, b'z', 64 << 20)")
    holder.end()
    assert sa.attach("x").shape == ((64 << 20) + 1,)
    assert sa.attach("x")[[0, 1, -1]].tobytes() == b"a\0z"
    assert os.stat(store / "x").st_blocks * 512 < 1 << 20


def test_no_room_for_it_is_told_to_who_writes(sa, store, mount):
    small = store(size="1m")
    mounted = mount(small, "io=fallback")
    fd = os.open(mounted / "x", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"a" * 700_000)
    holder = Holder(fd)
    os.close(fd)
    assert holder("os.write(1001, b'd')") == "ENOSPC"
    holder.end()
    assert small.names() == ["x"]
    assert os.stat(mounted / "x").st_size == 700_000


def test_ended_daemon_leaves_the_array_as_it_was(sa, store, either, held):
    holder = held()
    holder.write(b"def")
    either.expect_dead()
    os.kill(either.pids()[0], 15)
    assert either.wait_gone() == 0
    assert holder("os.write(1001, b'g')") == "ENOTCONN"
    assert sa.attach("x").tobytes() == b"abc"
    assert (store.names(), either.text()) == (["x"], "")
