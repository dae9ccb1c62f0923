# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of installing share.

`sources`  a copy of the tree, as a clone has it
`system`   system("script", arguments): a shell as root of this machine's system, where what it
           changes is seen by itself alone and forgotten with it; /changes is what it has changed,
           and /dev/shm and /mnt/sharr are its own
"""

from __future__ import annotations

import os
import subprocess

import pytest
from support.area import make_area, remove_area
from support.namespace import contained
from support.source import copy_tree

LAYERS = """
layers=$0; system=$0/system
mount -t tmpfs layers "$layers" && mkdir "$layers/changes" "$layers/work" "$system" &&
mount -t overlay -o "lowerdir=/,upperdir=$layers/changes,workdir=$layers/work" layers "$system" &&
mount --rbind /dev "$system/dev" && mount -t tmpfs -o mode=1777 shm "$system/dev/shm" &&
mount -t proc proc "$system/proc" && mount -t tmpfs run "$system/run" || exit 99
for folder in given mnt changes; do
    mkdir -p "$system/$folder" && mount -t tmpfs "$folder" "$system/$folder" || exit 99
done
mkdir "$system/mnt/sharr" && mount --bind "$layers/changes" "$system/changes" &&
mount --bind "$1" "$system/given" && shift || exit 99
exec chroot "$system" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 sh -euc "$@"
"""


@pytest.fixture(scope="session")
def sources():
    folder = make_area()
    copy_tree(folder / "sharr")
    yield folder / "sharr"
    remove_area(folder)


@pytest.fixture
def system(area):
    def run(script: str, given: os.PathLike, *arguments: str) -> str:
        """What it prints. `given` is a folder that it sees as /given."""
        layers = area / "layers"
        layers.mkdir(exist_ok=True)
        done = subprocess.run(
            contained(LAYERS, layers, given, script, "sh", *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    return run
