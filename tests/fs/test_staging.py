# SPDX-License-Identifier: BSD-3-Clause
"""New files through the mount: out of sight until they are finished, then arrays, whole."""

from __future__ import annotations

import ctypes
import io
import mmap
import os
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


def shell(folder, script, data=b"", **how):
    command = ["sh", "-c", script]
    return subprocess.run(
        command, cwd=folder, input=data, capture_output=True, env=native_environment(), **how
    )


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


def test_full_store_is_told_and_nothing_is_left(store, mount):
    small = store(size="1m")
    for mode in ("auto", "fallback"):
        done = shell(mount(small, f"io={mode}"), "dd if=/dev/zero of=x bs=64k count=100")
        assert done.returncode == 1
        assert b"No space left" in done.stderr
        wait_for(lambda: os.statvfs(small).f_bfree == os.statvfs(small).f_blocks)
        assert small.names() == []


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
