# SPDX-License-Identifier: BSD-3-Clause
"""stress-ng's file-system stressors on the mount, and fio, which verifies what it has written."""

from __future__ import annotations

import os
import subprocess

import pytest
from support.build import native_environment

pytestmark = [pytest.mark.fuse, pytest.mark.slow, pytest.mark.release_only]

SECONDS = 3

# Of stress-ng's class "filesystem", and those of other classes that work on files too; with options
# that keep them within the store.
AS_THEY_ARE = (
    "access chattr chdir chmod chown dentry dir dirdeep dirmany dup fcntl file-ioctl filename "
    "flock fpunch fsize fstat getdent handle inode-flags inotify io ioprio lease locka lockf "
    "lockofd mknod open rename sync-file touch utime xattr aio aiol close"
)
STRESSORS = {
    **{name: [] for name in AS_THEY_ARE.split(" ")},
    "copy-file": ["--copy-file-bytes", "128m"],
    "fallocate": ["--fallocate-bytes", "4m"],
    "hdd": ["--hdd-bytes", "4m"],
    "iomix": ["--iomix-bytes", "4m"],
    "readahead": ["--readahead-bytes", "4m"],
    "revio": ["--revio-bytes", "4m"],
    "seek": ["--seek-size", "4m"],
    "sendfile": ["--sendfile-size", "4m"],
}
# They map a file for writing and sharing.
PASSTHROUGH_STRESSORS = {
    "fault": [],
    "mmap": ["--mmap-bytes", "4m", "--mmap-file"],
    "msync": ["--msync-bytes", "4m"],
    "madvise": [],
}
# Those of the class that have no business here.
WITHOUT = {
    "bind-mount": "binds /, not the directory",
    "binderfs": "mounts a file system of its own",
    "dnotify": "closes a new file and makes it longer then: an array has a fixed size",
    "eventfd": "has no files",
    "fanotify": "one process watches the files that another has not finished",
    "fiemap": "FUSE has no FS_IOC_FIEMAP",
    "io-uring": "asks STATX of an empty name, which fails on tmpfs too",
    "link": "there are no hard links",
    "procfs": "reads /proc",
    "symlink": "there are no symbolic links",
    "verity": "FUSE has no FS_IOC_ENABLE_VERITY without the daemon's help",
}


@pytest.fixture
def store(store):
    return store(size="1g")


@pytest.fixture
def stress(either):
    def run(name, options):
        command = ["stress-ng", f"--{name}", "2", *options, "--timeout", str(SECONDS), "--verify"]
        return subprocess.run(
            [*command, "--temp-path", either],
            cwd=either,
            env=native_environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS + 120,
        )

    return run


def assert_clean(done, store):
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for word in ("fail:", "error:", "skipping", "aborted"):
        assert word not in said, said
    assert store.names() == []


@pytest.mark.parametrize("name", STRESSORS)
def test_stressor(store, stress, name):
    assert_clean(stress(name, STRESSORS[name]), store)


@pytest.mark.passthrough
@pytest.mark.parametrize("either", ["passthrough"], indirect=True)
@pytest.mark.parametrize("name", PASSTHROUGH_STRESSORS)
def test_stressor_that_maps(store, stress, name):
    assert_clean(stress(name, PASSTHROUGH_STRESSORS[name]), store)


def test_every_stressor_of_the_class_has_been_looked_at():
    said = subprocess.run(
        ["stress-ng", "--class", "filesystem?"], capture_output=True, text=True, check=False
    ).stdout
    known = {*STRESSORS, *WITHOUT}
    assert "access" in said.split()
    assert set(said.split(":", 1)[1].split()) <= known


SIZE = 1_234_567  # bytes, odd on purpose

FIO_JOBS = {
    "psync": ["--ioengine=psync", "--rw=randwrite", "--bs=4k"],
    "odd blocks": ["--ioengine=psync", "--rw=write", "--bs=997"],
    "blocks of any size": [
        "--ioengine=psync",
        "--rw=write",
        "--bsrange=512-70000",
        "--bs_unaligned",
    ],
    "blocks above a request": ["--ioengine=psync", "--rw=write", "--bs=1200k"],
    "io_uring": ["--ioengine=io_uring", "--rw=randwrite", "--bs=16k", "--iodepth=8"],
    "mmap": ["--ioengine=mmap", "--rw=randwrite", "--bs=4k"],
}


@pytest.fixture
def fio(area, either):
    """Runs one job; what it reads must be what it has written."""

    def run(*options):
        done = subprocess.run(
            ["fio", "--name=job", f"--size={SIZE}", "--verify=crc32c", "--verify_fatal=1"]
            + ["--verify_state_save=0", "--group_reporting", *options],
            cwd=area,
            env=native_environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr

    return run


def job_for(mounted, name):
    """In fallback a map is for reading: what was written by psync is verified through one."""
    if name == "mmap" and mounted.xattr("io") == "fallback":
        return FIO_JOBS["psync"], ["--ioengine=mmap", "--rw=read", "--bs=4k", "--verify_only=1"]
    return FIO_JOBS[name], None


@pytest.mark.parametrize("name", FIO_JOBS)
def test_fio_on_an_array(sa, either, fio, name):
    array = sa.create("x", SIZE, "u1")
    where = [f"--filename={either}/x", "--overwrite=1", "--allow_file_create=0"]
    job, verification = job_for(either, name)
    fio(*where, *job)
    if verification:
        fio(*where, *verification)
    assert array.any()
    assert os.stat(either / "x").st_size == SIZE


@pytest.mark.parametrize("name", FIO_JOBS)
def test_fio_on_a_file_that_it_lays_out(sa, either, fio, name):
    where = [f"--filename={either}/x"]
    job, verification = job_for(either, name)
    fio(*where, *job)
    if verification:
        fio(*where, *verification)
    assert sa.attach("x").nbytes == SIZE


@pytest.mark.parametrize("name", [name for name in FIO_JOBS if name != "mmap"])
def test_fio_jobs_at_once(sa, either, fio, name):
    """Four processes, each on a part of its own of one array; the last block is a whole one.

    Not by mmap: this fio mixes the parts up then, on tmpfs too."""
    sa.create("x", 4 * 3 << 20, "u1")
    parts = ["--numjobs=4", "--offset_increment=3m"]
    fio(f"--filename={either}/x", "--overwrite=1", "--allow_file_create=0", *parts, *FIO_JOBS[name])
