# SPDX-License-Identifier: BSD-3-Clause
"""The Debian packages: built from the tree as it is, installed, used, and gone when removed."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from support.build import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.root]

(VERSION,) = re.findall(r"^sharr \(([\d.]+)\)", (ROOT / "debian" / "changelog").read_text())
PACKAGES = ["libsharr-dev", "libsharr0", "python3-sharr", "sharrfs"]
INSTALL = "dpkg -i /given/*.deb >/given/log 2>&1 || { cat /given/log; exit 1; }\n"
# What the system keeps of its own when packages come and go.
KEPT = ("/etc/ld.so.cache", "/var/cache/", "/var/lib/dpkg/", "/var/log/")


def environment() -> dict[str, str]:
    """Debian's own tools and Python, whatever the caller's PATH has in front of them."""
    clean = {k: v for k, v in os.environ.items() if k in ("HOME", "TMPDIR", "USER")}
    return {**clean, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run(*command, **how) -> str:
    how.setdefault("env", environment())
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(sources):
    """The folder with what dpkg-buildpackage made; without debug symbols."""
    variables = {**environment(), "DEB_BUILD_OPTIONS": "parallel=2 noautodbgsym"}
    run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=sources, env=variables)
    folder = sources.parent / "built"
    folder.mkdir()
    for path in sources.parent.glob("*.deb"):
        path.rename(folder / path.name)
    return folder


def test_these_packages_are_built(built):
    names = [run("dpkg-deb", "-f", path, "Package").strip() for path in built.glob("*.deb")]
    assert sorted(names) == PACKAGES


def test_each_file_is_in_one_package(built):
    files = []
    for path in built.glob("*.deb"):
        listed = run("dpkg-deb", "-c", path).splitlines()
        files += [line.split()[5] for line in listed if not line.startswith("d")]
    assert len(files) == len(set(files))
    short = {name.rpartition("/")[2].removesuffix(".gz") for name in files}
    assert {"sharrfs", "sharr", "sharr.h", "libsharr.so.0", "sharr.pc", "sharrfs@.service"} <= short
    assert {"sharr.1", "libsharr.3", "sharr-format.5", "sharrfs.8"} <= short


def test_lintian_has_nothing_to_say(built):
    options = ["--fail-on", "none", "--allow-root", "--tag-display-limit", "0"]
    told = run("lintian", *options, *built.glob("*.deb"))
    assert [line for line in told.splitlines() if line[:2] in ("E:", "W:")] == []


def test_all_runs_once_it_is_installed(built, system):
    script = """
        python3 -c "import SharedArray as sa; sa.create('x', 3)[:] = 7; print(sa.__file__)"
        python3 -c "from importlib.metadata import *; print(version('sharr'))"
        sharr list -0
        echo
        mount -t fuse.sharrfs /dev/shm /mnt/sharr
        od -An -tf8 /mnt/sharr/x
        umount /mnt/sharr
        man -w sharr | xargs basename
        bash -c '. /usr/share/bash-completion/completions/sharr && complete -p sharr'
    """
    assert system(INSTALL + script, built).splitlines() == [
        "/usr/lib/python3/dist-packages/SharedArray/__init__.py",
        VERSION,
        "x\0",
        *("                        7                        7", "                        7"),
        "sharr.1.gz",
        "complete -o nospace -F _sharr sharr",
    ]


def test_c_program_needs_pkg_config_alone(built, system):
    source = (ROOT / "docs" / "examples" / "share.c").read_text()
    script = """
        printf %s "$1" >/tmp/share.c
        cc -Wall -Wextra -Werror /tmp/share.c -o /tmp/share $(pkg-config --cflags --libs sharr)
        /tmp/share
    """
    told = system(INSTALL + script, built, source)
    assert told == "example.samples: 8000 bytes, the sum is 332833500\n"


def test_what_is_removed_leaves_nothing(built, system):
    script = f"""
        python3 -c "import SharedArray" && sharr list
        dpkg -P {" ".join(PACKAGES)} >/dev/null 2>&1
        find /changes ! -type d -printf '/%P\\n'
        find /changes -name '*sharr*' ! -path '*/given*' -printf '/%P\\n'
        dpkg -l {" ".join(PACKAGES)} 2>/dev/null | grep -c '^.[^n]' || true
    """
    *left, installed = system(INSTALL + script, built).splitlines()[1:]
    assert [name for name in left if not name.startswith(KEPT)] == []
    assert installed == "0"
