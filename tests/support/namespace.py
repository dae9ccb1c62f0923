# SPDX-License-Identifier: BSD-3-Clause
"""Mounts that nobody else sees: a command in a mount namespace of its own."""

from __future__ import annotations

import os

# What `unshare --propagation private` does, and it fails where / is no mount point, as in a chroot:
# there each mount is made private by itself.
PRIVATE = """
mount --make-rprivate / 2>/dev/null ||
while read -r _ _ _ _ point _; do
	mount --make-private "$point" 2>/dev/null
done </proc/self/mountinfo
"""


def with_mounts(script: str, *arguments: str | os.PathLike) -> list[str | os.PathLike]:
    """The command that runs a shell script there, with arguments from $0 on; needs root."""
    unshare = ["unshare", "--mount", "--propagation", "unchanged"]
    return [*unshare, "sh", "-c", PRIVATE + script, *arguments]


def contained(script: str, *arguments: str | os.PathLike) -> list[str | os.PathLike]:
    """Likewise, and whatever it starts, daemons included, ends with the script."""
    unshare = ["unshare", "--mount", "--propagation", "unchanged", "--pid", "--fork"]
    script = f"{PRIVATE}mount -t proc proc /proc || exit 99\n{script}"
    return [*unshare, "--kill-child", "sh", "-c", script, *arguments]
