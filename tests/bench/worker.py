# SPDX-License-Identifier: BSD-3-Clause
"""One side of one row, in a process of its own: `worker.py ROW NAME COUNT` prints nanoseconds.

SharedArray is whichever module this process finds: the original or this one. What only one of
them has is written as its user would write it with the other. What else a user of Python takes
to share an array has rows of its own.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import SharedArray as sa

OURS = hasattr(sa, "put")


def timed(step, count: int) -> float:
    step()
    start = time.perf_counter_ns()
    for _ in range(count):
        step()
    return (time.perf_counter_ns() - start) / count


def best(step, count: int, undo=lambda: None) -> int:
    """ns of the quickest of so many steps; what undoes each is not timed."""
    times = []
    for _ in range(count):
        start = time.perf_counter_ns()
        step()
        times.append(time.perf_counter_ns() - start)
        undo()
    return min(times)


def run(command) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def attach(name, count):
    return timed(lambda: sa.attach(name), count)


def touch(name, count):
    return timed(lambda: sa.attach(name)[0], count)


def create_delete(name, count):
    options = {"reserve": False} if OURS else {}

    def step():
        sa.create(name, 10_000, **options)
        sa.delete(name)

    return timed(step, count)


def attach_shared_memory(name, count):
    made = SharedMemory(name, create=True, size=80_000)

    def step():
        memory = SharedMemory(name)
        np.ndarray(10_000, buffer=memory.buf)
        memory.close()

    try:
        return timed(step, count)
    finally:
        made.close()
        made.unlink()


def create_shared_memory(name, count):
    def step():
        memory = SharedMemory(name, create=True, size=80_000)
        np.ndarray(10_000, buffer=memory.buf)
        memory.close()
        memory.unlink()

    return timed(step, count)


def attach_file(save, load):
    """Of an array that some other library keeps in a file on /dev/shm."""

    def row(name, count):
        path = f"/dev/shm/{name}"
        save(path, np.ones(10_000))
        try:
            return timed(lambda: load(path), count)
        finally:
            os.unlink(path)

    return row


def attach_joblib(name, count):
    import joblib

    def save(path, array):
        joblib.dump(array, path)

    return attach_file(save, lambda path: joblib.load(path, mmap_mode="r"))(name, count)


def attach_arrow(name, count):
    import pyarrow

    def save(path, array):
        with pyarrow.OSFile(path, "wb") as file:
            pyarrow.ipc.write_tensor(pyarrow.Tensor.from_numpy(array), file)

    def load(path):
        with pyarrow.memory_map(path) as file:
            return pyarrow.ipc.read_tensor(file).to_numpy()

    return attach_file(save, load)(name, count)


def create_fill_delete(name, count):
    def step():
        sa.create(name, 10_000)[:] = 1.0
        sa.delete(name)

    return timed(step, count)


def fill(elements):
    """Deleting it is not timed."""

    def row(name, count):
        def step():
            sa.create(name, elements)[:] = 1.0

        return best(step, count, lambda: sa.delete(name))

    return row


def touch_all(name, count):
    """Attach 1 GiB and read one value of each 4 KiB; the array is filled before."""
    sa.create(name, 2**27)[:] = 1.0
    times = []
    for _ in range(count):
        start = time.perf_counter_ns()
        array = sa.attach(name)
        array[::512].sum()
        times.append(time.perf_counter_ns() - start)
        del array
    sa.delete(name)
    return min(times)


def create_many(name, count):
    """Arrays that stay: ns for each."""
    start = time.perf_counter_ns()
    for i in range(count):
        sa.create(f"{name}{i}", 100)
    return (time.perf_counter_ns() - start) / count


def size_fill(name, nbytes):
    """It stays, of so many bytes: ns to make and fill it."""
    start = time.perf_counter_ns()
    sa.create(name, nbytes // 8)[:] = 1
    return time.perf_counter_ns() - start


def size_create(name, nbytes):
    def step():
        sa.create(name, nbytes // 8)
        sa.delete(name)

    return timed(step, max(1, min(500, (1 << 30) // nbytes)))


def size_read(name, count):
    return timed(lambda: sa.attach(name).sum(), count)


def put(elements):
    source = np.arange(elements, dtype=float)

    def step_ours(name):
        sa.put(name, source)

    def step_original(name):
        sa.create(name, source.shape)[:] = source

    def row(name, count):
        store = step_ours if OURS else step_original
        times = []
        for _ in range(count):
            start = time.perf_counter_ns()
            store(name)
            times.append(time.perf_counter_ns() - start)
            sa.delete(name)
        return sorted(times)[len(times) // 2]

    return row


def copy(name, count):
    return timed(lambda: sa.copy(name) if OURS else sa.attach(name).copy(), count)


def copy_into(name, count):
    out = sa.attach(name).copy()
    return timed(lambda: sa.copy(name, out) if OURS else sa.attach(name).copy(), count)


def echo(receive, send, end):
    """The other process: what arrives is attached, looked into, and sent back."""
    while True:
        message = end.recv_bytes()
        if not message:
            return
        array = receive(message)
        array[0] += 1
        end.send_bytes(send(array))


def passing(receive, send):
    """To a process and back, as a pickle of what names the array, which this process holds; the
    other one does not keep it."""

    def row(name, count):
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=echo, args=(receive, send, there)
        )
        process.start()

        array = sa.attach(name)
        if send is send_shared:
            array = sa.share(array)

        def step():
            here.send_bytes(send(array))
            receive(here.recv_bytes())[0]

        took = timed(step, count)
        here.send_bytes(b"")
        process.join()
        return took

    return row


def send_name(array):
    return pickle.dumps(array.base.name)


def receive_name(message):
    return sa.attach(pickle.loads(message))


def send_shared(array):
    message = pickle.dumps(array)
    assert len(message) <= 250
    return message


def list_all(name, count):
    return timed(sa.list, count)


def list_first(name, count):
    start = time.perf_counter_ns()
    sa.list()
    return time.perf_counter_ns() - start


def memory(path, count):
    """Sum of a mapped file, name is its path: ns per pass, the best of count."""
    with open(path, "r+b") as file:
        data = np.frombuffer(mmap.mmap(file.fileno(), 1 << 28), dtype=np.float64)
    data.sum()
    return best(data.sum, count)


def passes(path, flags, count, step):
    """step(descriptor), each time of a file that was opened for it."""

    def once():
        descriptor = os.open(path, flags)
        try:
            return best(lambda: step(descriptor), 1)
        finally:
            os.close(descriptor)

    return min(once() for _ in range(count))


def read(path, count):
    """read() of a file in blocks of 1 MiB: ns per pass, the best of count."""
    buffer = bytearray(1 << 20)

    def step(descriptor):
        while os.readv(descriptor, [buffer]) == len(buffer):
            pass

    return passes(path, os.O_RDONLY, count, step)


def write(path, count):
    """write() into a file that is there, 256 MiB in blocks of 1 MiB: ns, the best of count."""
    block = bytes(1 << 20)

    def step(descriptor):
        for _ in range(256):
            os.write(descriptor, block)

    return passes(path, os.O_WRONLY, count, step)


def tool(*command):
    """A program that reads the file PATH, and may make COPY of it: ns, the best of count."""

    def row(path, count):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            copied = Path(folder, "copied")
            words = [word.replace("PATH", path).replace("COPY", str(copied)) for word in command]
            return best(lambda: run(words), count, lambda: copied.unlink(missing_ok=True))

    return row


def copy_in(folder, count):
    """cp of a file of 256 MiB into a folder: ns, the best of count."""
    target = os.path.join(folder, "copied")
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as source:
        source.write(bytes(1 << 28))
        source.flush()
        return best(lambda: run(["cp", source.name, target]), count, lambda: os.unlink(target))


def load_npy(path, count):
    """np.load of 256 MiB; in the store the file is made first."""
    made = not os.path.exists(path)
    if made:
        np.save(path, np.ones(1 << 25))
    try:
        return timed(lambda: np.load(path), count)
    finally:
        if made:
            os.unlink(path)


def ls_long(folder, count):
    """`ls -l`: ns for one, the best of one more than count, as the first may be slow."""
    return best(lambda: run(["ls", "-l", folder]), count + 1)


def ls_first(store, count):
    """The first `ls -l` of a store that was just mounted, by a daemon that has seen nothing yet."""
    times = []
    for _ in range(count):
        mountpoint = tempfile.mkdtemp()
        subprocess.run([os.environ["SHARRFS"], store, mountpoint], check=True)
        times.append(ls_long(mountpoint, 0))
        subprocess.run(["umount", mountpoint], check=True)
        os.rmdir(mountpoint)
    return min(times)


ROWS = {
    "attach": attach,
    "attach_shared_memory": attach_shared_memory,
    "attach_memmap": attach_file(
        lambda path, array: array.tofile(path), lambda path: np.memmap(path, float, "r+")
    ),
    "attach_npy": attach_file(np.save, lambda path: np.load(path, mmap_mode="r+")),
    "attach_joblib": attach_joblib,
    "attach_arrow": attach_arrow,
    "touch": touch,
    "create_delete": create_delete,
    "create_shared_memory": create_shared_memory,
    "create_fill_delete": create_fill_delete,
    "fill_256m": fill(2**25),
    "fill_1g": fill(2**27),
    "fill_4g": fill(2**29),
    "touch_all": touch_all,
    "create_many": create_many,
    "size_fill": size_fill,
    "size_create": size_create,
    "size_read": size_read,
    "put_small": put(10_000),
    "put_big": put(1 << 23),
    "copy": copy,
    "copy_into": copy_into,
    "pass_name": passing(receive_name, send_name),
    "pass_shared": passing(pickle.loads, send_shared),
    "list": list_all,
    "list_first": list_first,
    "memory": memory,
    "read": read,
    "write": write,
    "cat": tool("cat", "PATH"),
    "dd": tool("dd", "if=PATH", "of=/dev/null", "bs=1M", "status=none"),
    "cp": tool("cp", "PATH", "COPY"),
    "rsync": tool("rsync", "PATH", "COPY"),
    "copy_in": copy_in,
    "load_npy": load_npy,
    "ls_long": ls_long,
    "ls_first": ls_first,
}

if __name__ == "__main__":
    row, name, count = sys.argv[1:]
    print(ROWS[row](name, int(count)))
