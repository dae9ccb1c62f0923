# SPDX-License-Identifier: BSD-3-Clause
"""sharr doctor: each limit is found where it is, and only there."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys

import pytest
from support.namespace import with_mounts


@pytest.fixture
def find(sharr):
    """find("space"): what it says of that, for this store or another; a list for "mount"."""

    def ask(check: str, where=None, **kwargs):
        env = {"SHARR_STORE": str(where)} if where else {}
        done = sharr("doctor", "--json", env={**env, **kwargs.pop("env", {})}, **kwargs)
        found = [item for item in done.json if item["check"] == check]
        return found if check == "mount" else found[0]

    return ask


def test_every_warning_tells_what_mends_it(sharr):
    found = sharr("doctor", "--json").json
    assert len(found) >= 12
    for item in found:
        assert set(item) == {"check", "status", "text", "mend"}
        assert (item["status"] == "OK") == (item["mend"] is None)


def test_text_for_people_is_the_same(sharr):
    lines = sharr("doctor").out.splitlines()
    for item in sharr("doctor", "--json").json:
        starts = [line for line in lines if line.startswith(f"{item['status']:<5} {item['check']}")]
        assert starts
        if item["mend"] and item["check"] != "mount":
            assert any(line.strip() == f"-> {item['mend']}" for line in lines)


def test_missing_store_is_a_failure(sharr):
    done = sharr("doctor", env={"SHARR_STORE": "/nowhere"})
    assert done.code == 1
    assert done.out.startswith("FAIL  store        /nowhere is no directory\n")
    assert "-> mkdir -m 1777 /nowhere" in done.out


def test_store_that_is_well(find, store):
    assert find("store") == {
        "check": "store",
        "status": "OK",
        "text": f"{store}, tmpfs",
        "mend": None,
    }


def test_store_without_the_sticky_bit(find, store):
    os.chmod(store, 0o777)
    assert find("store")["mend"] == f"its owner: chmod +t {store}"


def test_store_that_is_read_only_for_this_user(sa, store, as_nobody):
    os.chmod(store, 0o755)
    _, out, _ = as_nobody("doctor")
    assert "this user may attach, but create nothing" in out


def test_space_as_in_a_container(find, store):
    small = store(size="64m")
    found = find("space", small)
    assert found["status"] == "WARN"
    assert "docker run --shm-size" in found["mend"]
    assert f"mount -o remount,size=1G {small}" in found["mend"]


def test_space_that_is_nearly_taken(sa, find, store):
    before = find("space")
    sa.create("x", 240 << 20, "u1")
    found = find("space")
    assert (before["status"], found["status"]) == ("OK", "WARN")
    assert f"mount -o remount,size=1G {store}" in found["mend"]


def test_command_that_mends_the_space_does(find, store):
    small = store(size="64m")
    command = find("space", small)["mend"].partition("as root: ")[2]
    subprocess.run(command, shell=True, check=True)
    assert find("space", small)["status"] == "OK"


def test_number_of_files_that_is_nearly_reached(find, store):
    few = store(options="nr_inodes=20")
    before = find("files", few)
    for i in range(18):
        (few / str(i)).touch()
    found = find("files", few)
    assert (before["status"], found["status"]) == ("OK", "WARN")
    subprocess.run(found["mend"].partition("as root: ")[2], shell=True, check=True)
    assert find("files", few)["status"] == "OK"


def test_store_that_may_grow_beyond_memory(find, store):
    assert find("memory")["status"] == "OK"
    found = find("memory", store(size="1024g"))
    assert found["status"] == "WARN"
    assert "the store may grow to 1.0 TiB" in found["text"]


def test_huge_pages(find, store):
    assert find("huge pages", store(options="huge=within_size"))["status"] == "OK"
    found = find("huge pages")
    assert found["status"] == "WARN"
    assert found["mend"] == f"as root: mount -o remount,huge=within_size {store}"


def test_descriptors(find):
    few = (256, 4096)
    found = find("descriptors", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few))
    assert (found["status"], found["mend"]) == ("WARN", "ulimit -n 1024")
    enough = (2048, 4096)
    found = find(
        "descriptors", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, enough)
    )
    assert found["status"] == "OK"


def test_leftovers(find, store):
    young = store / (".sharr~" + "0123abcdef" * 4)
    young.write_bytes(bytes(10000))
    (store / ".sharr~other").touch()
    os.utime(store / ".sharr~other", (0, 0))
    assert find("leftovers")["status"] == "OK"
    os.utime(young, (0, 0))
    found = find("leftovers")
    assert (found["status"], found["mend"]) == ("WARN", f"rm {young}")
    assert found["text"].startswith("1 half-made array (12.0 KiB)")


def test_command_for_many_leftovers_removes_them_only(sa, find, store):
    (store / "run1").mkdir()
    sa.create("x", 1)
    for i in range(10):
        path = store / "run1" / f".sharr~{i:040x}"
        path.touch()
        os.utime(path, (0, 0))
    subprocess.run(find("leftovers")["mend"], shell=True, check=True)
    assert find("leftovers")["status"] == "OK"
    assert store.names() == ["run1", "x"]


def test_large_arrays_of_nobody(sa, find, python):
    other = python()
    other.run("a = sa.create('x', 100 << 20, 'u1'); b = sa.create('y', 1)")
    assert find("unused")["status"] == "OK"
    other.close()
    found = find("unused")
    assert found["status"] == "WARN"
    assert found["text"].startswith("2 arrays (100 MiB)")
    assert "sharr delete x " in found["mend"]
    held = sa.attach("x")
    assert find("unused")["status"] == "OK"
    del held


def test_small_arrays_of_nobody_are_normal(find, python):
    other = python()
    other.run("sa.put('x', np.zeros(3))")
    other.close()
    found = find("unused")
    assert found["status"] == "OK"
    assert found["text"].startswith("1 array (4.0 KiB) without creator and users")


@pytest.mark.parametrize("version", ["np1", "np2"])
def test_original_beside_this_one(find, version):
    from conftest import peer_python

    python = peer_python(version)
    found = find("SharedArray", command=[python, "-m", "SharedArray"])
    assert found["status"] == "WARN"
    assert str(python.parents[1]) in found["text"]
    assert "pip uninstall SharedArray" in found["mend"]


def test_no_original_beside_this_one(find, sa):
    assert find("SharedArray")["status"] == "OK"


def test_kernel_that_has_passthrough(find, has_passthrough):
    assert (find("passthrough")["status"] == "OK") or not has_passthrough


@pytest.mark.root
def test_kernel_without_huge_pages(find):
    command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys; exec "$@"', "sh"]
    found = find("huge pages", command=[*command, sys.executable, "-m", "SharedArray"])
    assert found["status"] == "WARN"
    assert "this kernel has none" in found["text"]


def test_kernel_that_is_too_old_for_passthrough(find):
    command = ["setarch", "--uname-2.6", sys.executable, "-m", "SharedArray"]
    found = find("passthrough", command=command)
    assert found["status"] == "WARN"
    assert re.match(r"Linux 2\.6\.\S+ has none; sharrfs works without", found["text"])
    assert found["mend"] == "a kernel from 6.9 on"


@pytest.mark.root
def test_container_without_the_device(find):
    script = 'mount -t tmpfs none /dev && mkdir /dev/shm && exec "$@"'
    command = with_mounts(script, "sh", sys.executable, "-m", "SharedArray")
    found = find("fuse", command=command)
    assert found["status"] == "WARN"
    assert found["text"] == "there is no /dev/fuse: no sharrfs can be mounted; arrays work without"
    assert "--device /dev/fuse" in found["mend"]


@pytest.mark.root
@pytest.mark.fuse
def test_container_with_another_file_as_the_device(find):
    script = 'mount --bind /dev/null /dev/fuse && exec "$@"'
    found = find("fuse", command=with_mounts(script, "sh", sys.executable, "-m", "SharedArray"))
    assert found["status"] == "WARN"
    assert "not the device of FUSE" in found["text"]
    assert found["text"].endswith("; arrays work without")
    assert "--device /dev/fuse" in found["mend"]


@pytest.mark.root
@pytest.mark.fuse
def test_container_that_may_not_open_the_device(find):
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", "/dev/fuse", "-e", "trace=openat"]
    command = [*strace, "-e", "inject=openat:error=EPERM", sys.executable, "-m", "SharedArray"]
    found = find("fuse", command=command)
    assert found["status"] == "WARN"
    assert "Operation not permitted" in found["text"]
    assert "--device /dev/fuse" in found["mend"]


def test_fuse_that_is_closed_to_this_user(sa, as_nobody):
    _, out, _ = as_nobody("doctor", "--json")
    is_open = os.stat("/dev/fuse").st_mode & 0o006 == 0o006
    assert ("closed to this user" in out) != is_open


@pytest.mark.fuse
def test_fusermount3_that_is_missing(find, on_path):
    os.symlink("/bin/sh", on_path / "sh")
    found = find("fuse", env={"PATH": str(on_path)})
    assert (found["status"], found["mend"]) == ("WARN", "as root: apt-get install fuse3")


def test_sharrfs_on_path(find, on_path):
    assert find("sharrfs", env={"PATH": "/usr/bin:/bin"})["status"] == "WARN"
    (on_path / "sharrfs").symlink_to("/bin/true")
    found = find("sharrfs", env={"PATH": f"{on_path}:/usr/bin:/bin"})
    assert (found["status"], found["text"]) == ("OK", str(on_path / "sharrfs"))


def of(mounts, point):
    (found,) = [item for item in mounts if item["text"].startswith(f"{point}")]
    return found


@pytest.mark.passthrough
def test_mount_that_is_well(find, mount, store):
    point = mount()
    found = of(find("mount"), point)
    assert found["status"] == "OK"
    assert found["text"].startswith(f"{point} of {store}: passthrough, sharrfs ")


@pytest.mark.fuse
def test_mount_without_passthrough(find, mount, store):
    point = mount(store, "io=fallback")
    found = of(find("mount"), point)
    assert found["status"] == "WARN"
    assert "fallback" in found["text"]
    assert f"sharrfs {store} {point}" in found["mend"]


@pytest.mark.fuse
def test_mount_whose_daemon_is_dead(find, mount):
    point = mount()
    point.kill()
    found = of(find("mount"), point)
    assert found["status"] == "WARN"
    assert "nobody serves it" in found["text"]
    subprocess.run(found["mend"], shell=True, check=True)
    assert not any(str(point) in item["text"] for item in find("mount"))


@pytest.mark.fuse
def test_mount_that_hangs_does_not_hang_the_doctor(find, mount):
    point = mount()
    for pid in point.pids():
        os.kill(pid, signal.SIGSTOP)
    try:
        found = of(find("mount", timeout=30), point)
    finally:
        for pid in point.pids():
            os.kill(pid, signal.SIGCONT)
    assert found["status"] == "WARN"
    assert "does not answer" in found["text"]
