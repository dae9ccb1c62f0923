# SPDX-License-Identifier: BSD-3-Clause
"""New files through the mount: out of sight until they are finished, then arrays, whole."""

from __future__ import annotations

import contextlib
import ctypes
import io
import mmap
import os
import signal
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest
from support.build import native_environment
from support.wait import wait_for

pytestmark = pytest.mark.fuse

DATA = bytes(range(256)) * 1000
NOBODY = 65534


def shell(folder, script, data=b"", **how):
    command = ["sh", "-c", script]
    return subprocess.run(
        command, cwd=folder, input=data, capture_output=True, env=native_environment(), **how
    )


@pytest.fixture
def created(either):
    """created("x"): the descriptor of a new file there, closed at the end if it is not, or by
    created.close()."""
    fds = []

    def make(name, flags=os.O_RDWR | os.O_EXCL, mode=0o666):
        fds.append(os.open(either / name, flags | os.O_CREAT, mode))
        return fds[-1]

    def close():
        while fds:
            with contextlib.suppress(OSError):
                os.close(fds.pop())

    make.close = close
    yield make
    close()


@pytest.fixture
def idle(either):
    """Waits until the daemon has closed what was open: what it does at the last close is done."""
    (pid,) = either.pids()
    os.stat(either)
    before = len(os.listdir(f"/proc/{pid}/fd"))

    def wait():
        wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, what="the last close")

    return wait


SHELL_LINES = {
    "cat": "cat > x",
    "dd": "dd of=x bs=70001 iflag=fullblock status=none",
    "dd synced": "dd of=x bs=1M iflag=fullblock conv=fsync status=none",
    "dd appending": "dd of=x bs=64k oflag=append conv=notrunc status=none",
    "tee": "tee x > /dev/null",
    "two programs": "{ head -c 1000; sleep 0.1; cat; } > x",
    "subshell": "( head -c 1000; cat ) > x",
    "builtins around a program": "{ printf ''; cat; printf ''; } > x",
    "descriptor of the shell": "exec 3> x; cat >&3; exec 3>&-",
    "install": "cat > ../in$$; install -m 600 ../in$$ x; rm ../in$$",
    "cp": "cat > ../in$$; cp ../in$$ x; rm ../in$$",
    "mv": "cat > ../in$$; mv ../in$$ x",
    "split": "split -b 256000 - s; mv saa x",
}


@pytest.mark.parametrize("script", SHELL_LINES.values(), ids=SHELL_LINES)
def test_what_a_shell_writes_is_an_array_when_it_is_done(sa, store, either, script):
    done = shell(either, script.replace("head -c 1000", "dd bs=1000 count=1 status=none"), DATA)
    array = sa.attach("x")
    assert (done.returncode, done.stderr) == (0, b"")
    assert array.dtype == np.uint8
    assert array.tobytes() == DATA
    assert store.names() == ["x"]


def test_echoes_with_a_pause(sa, either):
    shell(either, "{ echo a; sleep 0.1; echo b; } > x")
    assert sa.attach("x").tobytes() == b"a\nb\n"


def test_npy_file_saved_on_an_open_file(sa, either):
    array, whole = np.random.default_rng(1).random((300, 500)), io.BytesIO()
    np.save(whole, array)
    with open(either / "x", "wb") as file:
        np.save(file, array)
    assert sa.attach("x").tobytes() == whole.getvalue()


@pytest.mark.parametrize("opened", [False, True], ids=["by name", "open"])
def test_tofile(sa, either, opened):
    array = np.arange(100_000.0)
    if opened:
        with open(either / "x", "wb") as file:
            array.tofile(file)
    else:
        array.tofile(os.fspath(either / "x"))
    assert sa.attach("x").tobytes() == array.tobytes()


def test_close_is_enough_for_a_direct_attach(sa, either):
    for i in range(2000):
        with open(either / f"x{i}", "wb") as file:
            file.write(b"%d" % i)
        assert sa.attach(f"x{i}").tobytes() == b"%d" % i


@pytest.mark.parametrize("name", ["x", ".npy/x.npy"])
def test_opened_again_to_be_truncated_it_starts_anew(sa, either, name):
    old, new = io.BytesIO(), io.BytesIO()
    np.save(old, np.arange(100))
    np.save(new, np.arange(3))
    with open(either / name, "wb") as first:
        first.write(old.getvalue())
        first.flush()
        (either / name).write_bytes(new.getvalue())
        assert os.fstat(first.fileno()).st_size == len(new.getvalue())
    expected = new.getvalue() if name == "x" else np.arange(3).tobytes()
    assert sa.attach("x").tobytes() == expected


@pytest.mark.linux_only
def test_last_of_two_descriptors_finishes_it(sa, store, created):
    fd = created("x")
    other = os.dup(fd)
    os.write(fd, b"abc")
    os.close(fd)
    assert store.names() == []
    os.write(other, b"def")
    os.close(other)
    assert sa.attach("x").tobytes() == b"abcdef"


@pytest.mark.linux_only
@pytest.mark.parametrize(("count", "at_close"), [(3000, ["x"]), (5000, [])])
def test_process_with_very_many_descriptors(sa, store, python, either, count, at_close):
    """With more than are looked at, the file is finished when nobody has it any more."""
    other = python()
    other.run("import resource, subprocess")
    other.run("resource.setrlimit(resource.RLIMIT_NOFILE, (9000, 9000))")
    other.run("many = [os.dup(0) for _ in range(count)]", count=count)
    other.run("f = os.open(path, os.O_CREAT | os.O_WRONLY)", path=str(either / "x"))
    other.run("os.write(f, b'abc')")
    other.run("cat = subprocess.Popen('cat', stdin=subprocess.PIPE, stdout=f)")
    other.run("os.close(f)")
    assert store.names() == at_close
    other.run("cat.communicate(b'def')")
    wait_for(lambda: store.names() == ["x"] and sa.attach("x").tobytes() == b"abcdef")


def test_forgotten_descriptor_is_closed_by_the_exit(sa, python, either):
    other = python()
    other.run("f = os.open(path, os.O_CREAT | os.O_WRONLY)", path=str(either / "x"))
    other.run("os.write(f, b'abc')")
    other.start("os._exit(0)")
    other.process.wait(10)
    assert sa.attach("x").tobytes() == b"abc"


def test_exit_of_a_program_with_threads_finishes_its_files(sa, either):
    """Its other threads are killed by the exit, and it may be one of them that closes the file."""
    script = """
import os, sys, threading
for _ in range(8):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b"abc")
os._exit(int(sys.argv[2]))
"""
    for i in range(40):
        command = [sys.executable, "-S", "-E", "-c", script, either / f"x{i}", str(i % 2)]
        assert subprocess.run(command).returncode == i % 2
        wait_for(lambda i=i: f"x{i}" in os.listdir(either), 3, f"x{i}")


@pytest.fixture
def forked(either):
    """Runs lines with `fd`, a new file x, and the two ends of a fork: child(), parent(), wait()."""

    def run(*lines):
        head = """
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
go, begin = os.pipe()
def fork(text):
    pid = os.fork()
    if pid == 0:
        os.read(go, 1)
        os.write(fd, text)
        os._exit(0)
    return pid
def finish(pid):
    os.write(begin, b"x")
    sys.exit(os.waitpid(pid, 0)[1])
"""
        command = [sys.executable, "-S", "-c", head + "\n".join(lines), either / "x"]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    return run


def test_child_writes_and_ends_before_its_parent(sa, forked):
    done = forked(
        "os.write(fd, b'a'); pid = fork(b'b'); os.write(begin, b'x'); os.waitpid(pid, 0)",
        "assert os.listdir(os.path.dirname(sys.argv[1])) == []",
        "os.write(fd, b'c'); os.close(fd)",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sa.attach("x").tobytes() == b"abc"


def test_child_writes_all_after_its_parent_has_closed(sa, forked, idle):
    done = forked("pid = fork(b'abc'); os.close(fd); finish(pid)")
    assert (done.returncode, done.stderr) == (0, "")
    idle()
    assert sa.attach("x").tobytes() == b"abc"


@pytest.mark.passthrough
def test_writer_maps_its_own_file(sa, direct):
    with open(direct / "x", "w+b") as file:
        file.truncate(100_000)
        with mmap.mmap(file.fileno(), 0) as view:
            view[:4] = b"abcd"
        assert os.pread(file.fileno(), 4, 0) == b"abcd"
    assert sa.attach("x").tobytes() == b"abcd" + bytes(99_996)


@pytest.mark.passthrough
def test_map_that_keeps_a_descriptor_keeps_it_unfinished(sa, store, direct):
    """As Python's mmap does: the program has not closed what it can still resize."""
    with open(direct / "x", "w+b") as file:
        file.truncate(10)
        view = mmap.mmap(file.fileno(), 0)
    view[:3] = b"abc"
    assert store.names() == []
    view.close()
    assert sa.attach("x").tobytes() == b"abc" + bytes(7)


@pytest.mark.passthrough
@pytest.mark.parametrize("closing", ["at once", "with a writer that goes on"])
def test_map_without_a_descriptor_is_the_memory_of_the_array(sa, store, direct, closing):
    """As that of mmap(2) in C, and of libsharr: the close publishes, and the map lives on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    fd = os.open(direct / "x", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 10)
    address = libc.mmap(None, ctypes.c_size_t(10), 3, mmap.MAP_SHARED, fd, ctypes.c_long(0))
    view = (ctypes.c_char * 10).from_address(address)
    view[:3] = b"abc"
    os.lseek(fd, 0, os.SEEK_END)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=fd)
    os.close(fd)
    array = sa.attach("x")
    assert array.tobytes() == b"abc" + bytes(7)
    if closing == "with a writer that goes on":
        child.communicate(b"de")
        assert sa.attach("x").tobytes() == b"abc" + bytes(7) + b"de"
    view[3:6] = b"def"
    array[9] = ord("z")
    assert array[3:6].tobytes() == b"def"
    assert view[9] == b"z"
    child.communicate()
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(10))
    assert store.names() == ["x"]


def test_written_data_can_be_read_and_mapped_privately(created):
    fd = created("x")
    os.write(fd, DATA)
    assert os.pread(fd, 1000, 256) == DATA[256:1256]
    with mmap.mmap(fd, len(DATA), flags=mmap.MAP_PRIVATE) as view:
        assert view[:] == DATA


def test_writer_sees_its_own_file(either, created):
    fd = created("x", mode=0o640)
    os.write(fd, b"abc")
    for seen in (os.stat(either / "x"), os.fstat(fd)):
        assert (seen.st_size, seen.st_nlink) == (3, 1)
        assert stat.S_IMODE(seen.st_mode) == 0o640
    with open(either / "x", "rb") as again:
        assert again.read() == b"abc"


@pytest.mark.linux_only
def test_writer_opens_its_own_file_again_and_the_last_close_finishes_it(sa, store, either, created):
    fd = created("x")
    os.write(fd, b"abc")
    again = os.open(either / "x", os.O_WRONLY)
    os.close(fd)
    assert store.names() == []
    os.pwrite(again, b"d", 3)
    os.close(again)
    assert sa.attach("x").tobytes() == b"abcd"


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


def test_full_store_is_told_and_nothing_is_left(store, mount):
    small = store(size="1m")
    for mode in ("auto", "fallback"):
        done = shell(mount(small, f"io={mode}"), "dd if=/dev/zero of=x bs=64k count=100")
        assert done.returncode == 1
        assert b"No space left" in done.stderr
        wait_for(lambda: os.statvfs(small).f_bfree == os.statvfs(small).f_blocks)
        assert small.names() == []


@pytest.fixture(params=["io=auto", "io=fallback"])
def shared(request, mount, store):
    return mount(store, request.param, "allow_other")


@pytest.mark.root
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_file_belongs_to_its_writer_with_its_umask(sa, store, python, shared, umask, mode):
    other = python(uid=NOBODY)
    other.run("os.umask(umask); f = open(path, 'wb')", umask=umask, path=str(shared / "x"))
    other.run("f.write(b'abc'); f.flush()")
    other.run("mine = os.fstat(f.fileno()); f.close()")
    seen = os.stat(store / "x")
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) == (NOBODY, NOBODY, mode)
    assert other.run("mine.st_uid, mine.st_gid, mine.st_mode & 0o7777") == (NOBODY, NOBODY, mode)


@pytest.mark.root
def test_special_bits_of_the_mode_are_dropped(store, shared):
    os.close(os.open(shared / "x", os.O_CREAT | os.O_WRONLY, 0o7755))
    wait_for(lambda: store.names() == ["x"])
    assert os.stat(store / "x").st_mode & 0o7000 == 0


@pytest.mark.root
def test_setgid_group_hands_its_group_down(store, python, shared):
    os.mkdir(store / "group")
    os.chown(store / "group", 0, 1234)
    os.chmod(store / "group", 0o2777)
    python(uid=NOBODY).run("open(path, 'wb').write(b'abc')", path=str(shared / "group/x"))
    seen = os.stat(store / "group/x")
    assert (seen.st_uid, seen.st_gid) == (NOBODY, 1234)


@pytest.mark.root
def test_directory_that_is_closed_to_the_user_takes_no_file(store, python, shared):
    os.mkdir(store / "group", 0o755)
    with pytest.raises(PermissionError):
        python(uid=NOBODY).run("open(path, 'wb')", path=str(shared / "group/x"))


@pytest.mark.root
def test_user_cannot_replace_the_array_of_another_in_a_sticky_store(sa, store, python, shared):
    sa.create("x", 3)
    other = python(uid=NOBODY)
    other.run("f = open(m + '/own', 'wb'); f.write(b'abc'); f.flush()", m=str(shared))
    with pytest.raises(PermissionError):
        other.run("os.rename(m + '/own', m + '/x')")
    assert sa.attach("x").shape == (3,)


@pytest.mark.root
def test_user_cannot_replace_what_became_the_array_of_another(sa, store, python, shared):
    """He might when he renamed onto it; it counts whose it is when the file is finished."""
    other = python(uid=NOBODY)
    other.run(
        "def begin():\n sa.create('x', 3)\n f = open(m + '/own', 'wb', 0); f.write(b'abc')\n"
        " os.rename(m + '/own', m + '/x')\n return f",
        m=str(shared),
    )
    other.run("f = begin(); sa.delete('x'); sa.create('x', 4)")
    other.run("f.close()")
    assert sa.attach("x").tobytes() == b"abc"
    other.run("sa.delete('x'); f = begin(); sa.delete('x')")
    sa.create("x", 5)
    with pytest.raises(PermissionError):
        other.run("f.close()")
    assert sa.attach("x").shape == (5,)
    assert store.names() == ["x"]


BAD_VALUES = [
    ("dtype", b"nonsense"),
    ("dtype", b""),
    ("dtype", b"|O"),
    ("shape", b"3,x"),
    ("shape", b"-1"),
    ("shape", b"3,"),
    ("order", b"K"),
    ("order", b""),
    ("npy", b"{'descr': '<f8'}"),
    ("npy", b"garbage"),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_attribute_without_sense_is_refused_at_once(sa, either, created, errno_of, name, value):
    fd = created("x")
    os.write(fd, bytes(24))
    assert errno_of(os.setxattr, fd, f"user.sharr.{name}", value) == "EINVAL"
    os.close(fd)
    assert sa.attach("x").dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dtype", b"<f8"),
        ("shape", b"5,5"),
        ("npy", b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"),
    ],
)
def test_attribute_that_does_not_fit_is_refused_at_close(store, created, errno_of, name, value):
    fd = created("x")
    os.setxattr(fd, f"user.sharr.{name}", value)
    os.write(fd, bytes(23))
    assert errno_of(os.close, fd) == "EINVAL"
    assert store.names() == []


def test_attributes_before_the_data(sa, created):
    fd = created("x")
    os.setxattr(fd, "user.sharr.shape", b"2,3")
    os.setxattr(fd, "user.sharr.dtype", b"<f4")
    os.setxattr(fd, "user.sharr.order", b"F")
    os.setxattr(fd, "user.units", b"m")
    os.write(fd, np.arange(6, dtype="<f4").tobytes())
    os.close(fd)
    array = sa.attach("x")
    assert (array.dtype, array.shape, array.flags.fnc) == (np.float32, (2, 3), True)
    assert array.T.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_attributes_of_what_is_unfinished_are_read_and_removed(either, created, errno_of):
    fd = created("x")
    os.setxattr(fd, "user.sharr.dtype", b"<f4")
    os.setxattr(fd, "user.units", b"m")
    assert os.getxattr(either / "x", "user.units") == b"m"
    assert set(os.listxattr(fd)) == {"user.sharr.dtype", "user.units"}
    assert errno_of(os.setxattr, fd, "user.units", b"s", os.XATTR_CREATE) == "EEXIST"
    assert errno_of(os.setxattr, fd, "user.other", b"s", os.XATTR_REPLACE) == "ENODATA"
    os.removexattr(fd, "user.units")
    assert errno_of(os.getxattr, fd, "user.units") == "ENODATA"
    assert errno_of(os.removexattr, fd, "user.units") == "ENODATA"


def test_describing_attributes_of_what_is_unfinished_stay(created, errno_of):
    fd = created("x")
    os.setxattr(fd, "user.sharr.dtype", b"<f4")
    assert errno_of(os.removexattr, fd, "user.sharr.dtype") == "EPERM"
    assert errno_of(os.setxattr, fd, "user.sharr.nbytes", b"4") == "EPERM"
    assert errno_of(os.setxattr, fd, "trusted.x", b"4") == "ENOTSUP"


def set_until_full(errno_of, fd, value):
    """How many, until there is no room for one more."""
    codes = (errno_of(os.setxattr, fd, f"user.{i}", value) for i in range(40_000))
    count, code = next((i, code) for i, code in enumerate(codes) if code)
    assert code == "ENOSPC"
    return count


def test_attributes_of_what_is_unfinished_take_64_kib_of_memory(either, created, errno_of):
    """However small they are; and what was taken is kept."""
    fd = created("x")
    count = set_until_full(errno_of, fd, b"")
    assert 400 < count < 65536 // 64
    os.removexattr(fd, "user.0")
    os.setxattr(fd, "user.0", b"")
    os.removexattr(fd, "user.1")
    assert errno_of(os.setxattr, fd, "user.0", b"too long" * 20) == "ENOSPC"
    os.close(fd)
    names = {f"user.{i}" for i in range(count) if i != 1}
    assert {n for n in os.listxattr(either / "x") if not n.startswith("user.sharr.")} == names


def test_attributes_of_all_that_is_unfinished_take_16_mib(either, created, idle, errno_of):
    def fill(name):
        return errno_of(os.setxattr, created(name), "user.big", bytes(60_000))

    drafts = [f"x{i}" for i in range(300)]
    full = next(i for i, name in enumerate(drafts) if fill(name))
    assert 16 * 2**20 * 0.95 < full * 60_000 < 16 * 2**20
    assert fill("more") == "ENOSPC"
    created.close()
    assert os.getxattr(either / "x0", "user.big") == bytes(60_000)
    idle()
    assert fill("again") is None


def test_touch_makes_an_empty_array(sa, store, either):
    shell(either, "touch x", check=True)
    wait_for(lambda: store.names() == ["x"])
    assert sa.attach("x").shape == (0,)
    shell(either, "touch -d 2001-02-03 x", check=True)
    assert os.stat(store / "x").st_mtime < 10**9


def test_ftruncate_grows_and_shrinks_it(sa, created):
    fd = created("x")
    os.write(fd, b"abcdef")
    os.ftruncate(fd, 3)
    os.ftruncate(fd, 5)
    assert os.fstat(fd).st_size == 5
    os.close(fd)
    assert sa.attach("x").tobytes() == b"abc\0\0"


def test_fallocate_grows_it_and_reserves(sa, store, created):
    fd = created("x")
    os.posix_fallocate(fd, 0, 1 << 20)
    assert os.fstat(fd).st_size == 1 << 20
    os.close(fd)
    assert sa.attach("x").nbytes == 1 << 20
    assert os.stat(store / "x").st_blocks * 512 >= 1 << 20


def test_writing_behind_a_gap(sa, created):
    fd = created("x")
    os.pwrite(fd, b"z", 100_000)
    os.close(fd)
    assert sa.attach("x").tobytes() == bytes(100_000) + b"z"


def test_appending_to_what_is_unfinished(sa, created):
    fd = created("x", os.O_WRONLY | os.O_APPEND)
    for part in (b"abc", b"def"):
        os.write(fd, part)
    os.close(fd)
    assert sa.attach("x").tobytes() == b"abcdef"


def test_odd_sizes(sa, either):
    for size in (1, 63, 64, 65, 4095, 4096, 4097, 70_000):
        with open(either / f"x{size}", "wb") as file:
            file.write(DATA[:size])
        assert sa.attach(f"x{size}").tobytes() == DATA[:size]
        assert os.stat(either / f"x{size}").st_size == size


def test_times_and_mode_that_were_set_survive(store, created):
    fd = created("x")
    os.write(fd, b"abc")
    os.fchmod(fd, 0o604)
    os.utime(fd, ns=(10**18 + 1, 10**18 + 2))
    os.close(fd)
    seen = os.stat(store / "x")
    assert (seen.st_atime_ns, seen.st_mtime_ns) == (10**18 + 1, 10**18 + 2)
    assert stat.S_IMODE(seen.st_mode) == 0o604


@pytest.mark.linux_only
def test_synced_while_it_grows(sa, store, created):
    fd = created("x")
    os.write(fd, b"abc")
    os.fsync(fd)
    os.fdatasync(fd)
    assert store.names() == []
    os.close(fd)
    assert store.names() == ["x"]


def test_size_is_fixed_once_it_is_there(sa, either, created, errno_of):
    fd = created("x")
    os.write(fd, b"abc")
    os.close(fd)
    with open(either / "x", "r+b", buffering=0) as file:
        assert errno_of(os.pwrite, file.fileno(), b"z", 3) == "EFBIG"
        assert errno_of(os.ftruncate, file.fileno(), 2) == "EPERM"
    assert errno_of(os.open, either / "x", os.O_WRONLY | os.O_TRUNC) == "EPERM"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: os.open(m, os.O_TMPFILE | os.O_RDWR), "ENOTSUP"),
        (lambda m: os.symlink("x", m / "y"), "EPERM"),
        (lambda m: os.link(m / "x", m / "y"), "EPERM"),
        (lambda m: os.mkfifo(m / "y"), "EPERM"),
        (lambda m: os.mknod(m / "y", stat.S_IFCHR | 0o600, os.makedev(1, 3)), "EPERM"),
        (lambda m: os.close(os.open(m / ("y" * 256), os.O_CREAT | os.O_RDWR)), "ENAMETOOLONG"),
        (lambda m: os.close(os.open(m / "#y", os.O_CREAT | os.O_RDWR)), "EPERM"),
    ],
    ids=["tmpfile", "symlink", "link", "fifo", "device", "long", "hidden"],
)
def test_what_cannot_be_made_here(sa, store, either, errno_of, call, error):
    sa.create("x", 3)
    assert errno_of(call, either) == error
    assert store.names() == ["x"]


@pytest.mark.linux_only
def test_node_that_is_made_and_then_opened(sa, store, either):
    os.mknod(either / "x", stat.S_IFREG | 0o600)
    os.setxattr(either / "x", "user.sharr.dtype", b"<f4")
    assert store.names() == []
    with open(either / "x", "r+b") as file:
        file.write(bytes(8))
    assert sa.attach("x").dtype == np.float32


@pytest.mark.linux_only
def test_node_that_is_made_and_unlinked(store, either, errno_of):
    os.mknod(either / "x", stat.S_IFREG | 0o600)
    os.unlink(either / "x")
    assert errno_of(os.stat, either / "x") == "ENOENT"
    os.mknod(either / "x", stat.S_IFREG | 0o600)
    assert store.names() == []


def test_many_threads_create_at_once(sa, either):
    def work(number):
        for i in range(30):
            with open(either / f"{number}-{i}", "wb") as file:
                file.write(DATA[: number * 1000 + i + 1])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        for i in range(30):
            assert sa.attach(f"{number}-{i}").tobytes() == DATA[: number * 1000 + i + 1]


def test_threads_that_open_one_name_without_exclusion(either, errno_of):
    """O_CREAT alone never says EEXIST where an array is, however it came there meanwhile."""
    codes = set()

    def work():
        for i in range(200):
            codes.add(errno_of(os.open, either / f"x{i}", os.O_CREAT | os.O_RDWR))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {None}


def test_name_of_255_bytes_and_strange_ones(sa, store, either):
    names = ["n" * 255, "a b,c:d[e]", "ü\n", "-rf", ".hidden", "x\\040"]
    for name in names:
        with open(either / name, "wb") as file:
            file.write(b"abc")
    assert sorted(store.names()) == sorted(os.listdir(either)) == sorted(names)


@pytest.mark.passthrough
def test_file_that_cannot_be_opened_leaves_no_hidden_one(store, mount, errno_of):
    """A mount within a mount has no nameless files, and the kernel passes nothing through to it."""
    inner = store()
    os.mkdir(store / "group")
    below = mount(inner, "io=passthrough", at=store / "group")
    above = mount(store, "io=passthrough")
    (pid,) = above.pids()
    os.stat(above / "group")
    before = len(os.listdir(f"/proc/{pid}/fd"))
    for i in range(3):
        assert errno_of(os.open, above / f"group/x{i}", os.O_CREAT | os.O_WRONLY) == "ELOOP"
    wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, what="all that was opened")
    assert (os.listdir(below), os.listdir(inner)) == ([], [])


def test_descriptors_are_given_back(either, idle):
    for i in range(50):
        with open(either / f"x{i}", "wb") as file:
            file.write(b"abc")
    idle()


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
