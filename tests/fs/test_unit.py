# SPDX-License-Identifier: BSD-3-Clause
"""What is installed for the system: daemon, manual page, and the unit with its sandbox."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.build import BUILD, ROOT, SHARRFS, native_environment
from support.namespace import with_mounts
from support.wait import wait_for

UNIT = ROOT / "fs" / "sharrfs@.service.in"

# What systemd cannot give a service without a mount namespace of its own, where its mount would
# stay (systemd.exec(5), "sandboxing" and "paths").
PRIVATE = re.compile(
    r"Private(?!Users)\w+|Protect(?!Hostname|Clock)\w+|(Mount|Root|Bind|Inaccessible|Temporary)\w+"
    r"|(Read|Exec|NoExec)\w*Paths|DynamicUser|Extension\w+|ProcSubset|LogNamespace"
)


def settings() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.M):
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    meson = [sys.executable, "-m", "mesonbuild.mesonmain", "install", "--no-rebuild", "--quiet"]
    subprocess.run([*meson, "-C", BUILD, "--destdir", folder], check=True, capture_output=True)
    return folder / "usr" / "local"


def test_installed_files_are_in_their_places(installed):
    assert (installed / "bin" / "sharrfs").is_file()
    assert (installed / "share" / "man" / "man8" / "sharrfs.8").is_file()
    assert (installed / "lib" / "systemd" / "system" / "sharrfs@.service").is_file()


@pytest.mark.root
@pytest.mark.parametrize("instance", ["mnt-sharr", r"srv-a\x20b\x2cc"])
def test_systemd_finds_nothing_wrong(installed, instance):
    script = """
        mount -t tmpfs none /usr/local && cp -r "$0/." /usr/local &&
        systemd-analyze verify --man=no "sharrfs@$1.service"
    """
    done = subprocess.run(
        with_mounts(script, installed, instance), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sandbox_leaves_the_mount_to_the_others():
    assert len(settings()) > 15
    assert [name for name in settings() if PRIVATE.fullmatch(name)] == []


@pytest.mark.fuse
@pytest.mark.root
def test_capabilities_of_the_unit_are_enough(sa, store, area, has_passthrough):
    """As systemd restricts them."""
    point = area / "m"
    point.mkdir()
    names = settings()["CapabilityBoundingSet"].lower().replace("cap_", "+").split()
    command = ["setpriv", f"--bounding-set=-all,{','.join(names)}", "--no-new-privs", "--"]
    sa.create("x", 3)
    started = subprocess.run(
        [*command, SHARRFS, store, point, "-o", "allow_other"],
        env=native_environment(),
        capture_output=True,
        check=False,
    )
    assert (started.returncode, started.stdout, started.stderr) == (0, b"", b"")
    assert (point / "x").read_bytes() == bytes(24)
    sa.attach(f"file://{point}/x", ro=not has_passthrough)
    (point / "y").write_bytes(b"y")
    (point / "y").chmod(0o640)
    subprocess.run(["umount", point], check=True)


def after_stop(point) -> None:
    """What systemd runs when the daemon has ended, of whatever."""
    command = settings()["ExecStopPost"].lstrip("-").replace("$$", "$")
    words = [str(point) if word == "%f" else word for word in shlex.split(command)]
    subprocess.run(words, check=True)


@pytest.mark.fuse
def test_mount_of_a_killed_daemon_is_cleared(store, mount):
    dead = mount(store)
    dead.kill()
    after_stop(dead)
    assert os.listdir(dead) == []
    mount(store, at=dead.path)


def test_other_mount_at_that_point_is_left_alone(store):
    after_stop(store)
    assert os.path.ismount(store)


def system_calls_of(group: str) -> set[str]:
    shown = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    ).stdout
    words = re.findall(r"^    (\S+)$", shown, re.M)
    inner = [system_calls_of(word) for word in words if word.startswith("@")]
    return {word for word in words if not word.startswith("@")}.union(*inner)


@pytest.mark.fuse
@pytest.mark.root
@pytest.mark.release_only
def test_system_calls_of_the_unit_are_enough(sa, store, area, tmp_path):
    trace = tmp_path / "trace"
    allowed = set().union(*map(system_calls_of, settings()["SystemCallFilter"].split()))
    point = area / "m"
    point.mkdir()
    sa.create("x", 3)
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", trace, SHARRFS, store, point, "-f", "-o", "allow_other"]
    )
    wait_for(lambda: point.stat().st_dev != area.stat().st_dev, 20, "the mount")
    use_everything(point)
    subprocess.run(["umount", point], check=True)
    assert tracer.wait(20) == 0
    made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(errors="replace"), re.M))
    assert len(made) > 30
    assert made - allowed == set()


def use_everything(point: Path) -> None:
    script = """
        set -e
        cd "$1"; ls -la . .npy; cat x >/dev/null; stat -f .; getfattr -d -n user.sharr.attached x
        cp -a x y; mv y z; mkdir g; mv z g; chmod 600 g/z; touch g/z; chown 1 g/z
        setfattr -n user.a -v 1 g/z; setfattr -x user.a g/z; truncate -s 24 w; fallocate -l 24 v
        dd if=x of=g/z conv=notrunc,fsync status=none
        cp .npy/x.npy "$2"; cp "$2" .npy/u.npy; rm -r g
    """
    subprocess.run(["sh", "-c", script, "sh", point, point.parent / "x.npy"], check=True)
