# SPDX-License-Identifier: BSD-3-Clause
"""sharrfs as mount(8) starts it: by type, and by a line of fstab."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from support.build import ROOT, SHARRFS, native_environment
from support.namespace import contained

pytestmark = [pytest.mark.fuse, pytest.mark.root]

NOBODY = 65534
NAMES = ["plain", "a b", "a,b", "a\\b", "a\tb", "a\nb", "ä:[]", "#a'\"$(b)"]


@pytest.fixture
def shell(area):
    """shell("mount $1 $2", store, point): a script where mount(8), which has a PATH of its own,
    finds sharrfs and fstab is the file "fstab" of the area; nothing of it is left."""
    (area / "m").mkdir()
    fstab = area / "fstab"
    fstab.touch()
    prepare = """
        mount -t tmpfs none /usr/local/sbin && cp "$0" /usr/local/sbin/sharrfs &&
        mount --bind "$FSTAB" /etc/fstab && mount -t tmpfs none /run || exit 99
        store_of() { getfattr --absolute-names --only-values -n user.sharr.store "$1"; }
    """

    def run(script, *arguments):
        return subprocess.run(
            contained(prepare + script, SHARRFS, *arguments),
            env=native_environment(FSTAB=str(fstab), LC_ALL="C"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def fstab_line(source, point, options="defaults") -> str:
    def escape(path):
        return "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in str(path))

    return f"{escape(source)} {escape(point)} fuse.sharrfs {options} 0 0\n"


def outcome(done) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_mount_by_type(shell, store, area, name):
    folder, point = store / name, area / f"m-{name}"
    folder.mkdir()
    point.mkdir()
    script = """
        mount -t fuse.sharrfs -o nodev,allow_other "$1" "$2" && store_of "$2" && umount "$2"
    """
    assert outcome(shell(script, folder, point)) == (0, str(folder), "")


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("#")], ids=repr)
def test_line_of_fstab(shell, store, area, name):
    folder, point = store / name, area / f"m-{name}"
    folder.mkdir()
    point.mkdir()
    options = "allow_other,nofail,user,_netdev,lazytime,x-systemd.automount,x-gvfs-hide"
    (area / "fstab").write_text(fstab_line(folder, point, options))
    script = 'mount -a && store_of "$1" && umount "$1" && mount "$1" && umount "$1"'
    assert outcome(shell(script, point)) == (0, str(folder), "")


def test_lines_of_the_manual_page(shell, area):
    """Which name the machine's own store: here another one hides it."""
    manual = (ROOT / "docs" / "sharrfs.8").read_text()
    (line,) = re.findall(r"^/dev/shm .* 0 0$", manual, re.M)
    (by_hand,) = re.findall(r"^\.Ql (mount -t fuse\.sharrfs .*) \.$", manual, re.M)
    (area / "fstab").write_text(f"{line}\n")
    script = f"""
        mount -t tmpfs none /dev/shm && mount -t tmpfs none /mnt && mkdir /mnt/sharr &&
        mount -a && store_of /mnt/sharr && umount /mnt/sharr &&
        {by_hand} && store_of /mnt/sharr && umount /mnt/sharr
    """
    assert outcome(shell(script)) == (0, "/dev/shm" * 2, "")


def test_mount_a_mounts_what_is_not_mounted_yet(shell, store, area):
    (area / "n").mkdir()
    (area / "fstab").write_text(
        fstab_line(store, area / "m", "strict") + fstab_line(store, area / "n", "noauto")
    )
    script = (
        'mount -a && mount -a && grep -c "fuse.sharrfs $2 " /proc/self/mountinfo; store_of "$1"'
    )
    assert outcome(shell(script, area / "m", store)) == (0, f"1\n{store}", "")


def test_store_by_option_where_fstab_has_another_source(shell, store, area):
    (store / "a,b").mkdir()
    (area / "fstab").write_text(fstab_line("sharr", area / "m", f"store={store}/a\\134,b,ro"))
    assert outcome(shell('mount "$1" && store_of "$1"', area / "m")) == (0, f"{store}/a,b", "")


@pytest.mark.parametrize(
    ("options", "source", "code", "words"),
    [
        ("bogus", "{store}", 1, "unknown option 'bogus'"),
        ("uid=3", "{store}", 1, "'uid=3' is no option of sharrfs: "),
        ("io=slow", "{store}", 1, "io=slow is not one of "),
        ("nofail", "{store}/none", 32, "the store {store}/none does not exist: make it "),
    ],
    ids=lambda value: value if isinstance(value, str) and "=" in value else "",
)
def test_failure_is_told_by_mount(shell, store, area, options, source, code, words):
    """In the words of sharrfs, and with its exit code."""
    (area / "fstab").write_text(fstab_line(source.format(store=store), area / "m", options))
    done = shell('mount "$1"', area / "m")
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"sharrfs: {words.format(store=store)}")


def test_remounting_is_refused_and_a_read_only_view_may_be_bound(shell, store, area):
    script = """
        mount -t fuse.sharrfs "$1" "$2" && mkdir "$2/group"
        mount -o remount,ro "$2"; echo $?
        mount -o remount,bind,ro "$2"; echo $?
        mkdir "$2/other" 2>/dev/null; echo $?; umount "$2"
    """
    done = shell(script, store, area / "m")
    assert (done.stdout, store.names()) == ("1\n0\n1\n", ["group"])
    assert "umount and mount again" in done.stderr


def test_read_only_as_mount_says_it(shell, store, area):
    script = 'mount -r -t fuse.sharrfs "$1" "$2"; mkdir "$2/x" 2>/dev/null; echo $?; umount "$2"'
    assert outcome(shell(script, store, area / "m")) == (0, "1\n", "")


def test_user_mounts_what_fstab_lets_him(shell, store, area):
    """mount(8) gives its privilege up, and sharrfs mounts through fusermount3."""
    os.chown(area / "m", NOBODY, NOBODY)
    (area / "fstab").write_text(fstab_line(store, area / "m", "user,noauto"))
    script = """
        mount -t tmpfs none /dev && mknod -m 666 /dev/fuse c 10 229 && mknod -m 666 /dev/null c 1 3
        as_user() { setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups "$@"; }
        as_user mount "$1" && as_user getfattr --absolute-names --only-values \\
            -n user.sharr.io "$1" && as_user umount "$1"
        echo $? $(grep -c " $1 " /proc/self/mountinfo)
    """.replace("$NOBODY", str(NOBODY))
    assert outcome(shell(script, area / "m"))[1:] == ("fallback0 0\n", "")
