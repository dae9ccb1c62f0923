# SPDX-License-Identifier: BSD-3-Clause
"""sharr doctor: the store, the memory behind it, and its huge pages."""

import os
import re

from . import mounts, store, text
from .findings import fail, ok, read, warn

# What a container gets for /dev/shm if nobody asks for more.
_CONTAINER_BYTES = 64 << 20

_THP = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"


def _use(path):
    """(bytes, free bytes for this user, inodes, free inodes) of the file system."""
    found = os.statvfs(path)
    return (
        found.f_blocks * found.f_frsize,
        found.f_bavail * found.f_frsize,
        found.f_files,
        found.f_favail,
    )


def _remount(mount, option):
    return f"as root: mount -o remount,{option} {text.quoted(mount.point)}"


def place(path, mount):
    """Is the store there, and usable?"""
    shown = text.quoted(path)
    if not os.path.isdir(path):
        mend = f"mkdir -m 1777 {shown}, or set SHARR_STORE to a directory"
        return fail("store", f"{shown} is no directory", mend)
    if not os.access(path, os.R_OK | os.X_OK):
        mend = f"its owner: chmod 1777 {shown}; or set SHARR_STORE"
        return fail("store", f"{shown} can't be entered by this user", mend)
    where = f"{shown}, {mount.type}" if mount else shown
    if not os.access(path, os.W_OK):
        mend = f"its owner: chmod 1777 {shown}; or set SHARR_STORE"
        return warn("store", f"{where}: this user may attach, but create nothing", mend)
    mode = os.stat(path).st_mode
    if mode & 0o002 and not mode & 0o1000:
        mend = f"its owner: chmod +t {shown}"
        return warn("store", f"{where}: everybody may delete everybody's arrays", mend)
    return ok("store", where)


def space(path, mount):
    total, free, _, _ = _use(path)
    words = f"{text.size(total)}, {text.size(free)} free"
    larger = "choose a larger place with SHARR_STORE"
    if mount and mount.type == "tmpfs":
        gigabytes = max(-(-2 * total >> 30), 1)
        larger = _remount(mount, f"size={gigabytes}G")
    if total <= _CONTAINER_BYTES:
        mend = f"docker run --shm-size=8g … (or --ipc=host); {larger}"
        return warn("space", f"only {words}", mend)
    if free < total / 10:
        mend = f"sharr list --sort size, then sharr delete NAME; {larger}"
        return warn("space", f"{words}: nearly full", mend)
    return ok("space", words)


def inodes(path, mount):
    _, _, total, free = _use(path)
    if not total:
        return ok("files", "no limit to their number")
    words = f"{free} more of {total}"
    if free >= total / 10:
        return ok("files", words)
    mend = "delete some files"
    if mount and mount.type == "tmpfs":
        mend = _remount(mount, f"nr_inodes={total * 4}")
    return warn("files", f"{words}: their number is nearly reached", mend)


def _meminfo():
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", read("/proc/meminfo") or "", re.M))
    return {key: int(value) << 10 for key, value in found.items()}


def _control_group_limit():
    """Bytes of memory that this process's control group may use, or None."""
    limits = []
    for line in (read("/proc/self/cgroup") or "").splitlines():
        _, kinds, group = line.split(":", 2)
        if not kinds:
            file = f"/sys/fs/cgroup{group}/memory.max"
        elif "memory" in kinds.split(","):
            file = f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes"
        else:
            continue
        value = read(file)
        if value and value.isdigit() and int(value) < 1 << 60:
            limits.append(int(value))
    return min(limits, default=None)


def memory(path, mount):
    """May the store, where it lies in memory, grow beyond that?"""
    found = _meminfo()
    have, swap = found["MemTotal"], found["SwapTotal"]
    words = f"{text.size(have)}, swap {text.size(swap)}, {text.size(found['MemAvailable'])} free"
    if not mount or mount.type != "tmpfs":
        return ok("memory", words)
    total = _use(path)[0]
    limit = _control_group_limit()
    if limit is not None and limit < total:
        words += f"; this control group may use {text.size(limit)}, less than the store holds"
        return warn("memory", words, "raise it: memory.max, or docker run --memory=…")
    if total > 0.9 * have + swap:
        words += f"; the store may grow to {text.size(total)}: full, it takes all memory"
        return warn("memory", words, _remount(mount, "size=70%"))
    return ok("memory", words)


def _huge_choice():
    found = re.search(r"\[(\w+)\]", read(_THP) or "")
    return found and found[1]


def huge_pages(path, mount):
    """Large arrays in huge pages are made and read many times faster."""
    choice = _huge_choice()
    if not mount or mount.type != "tmpfs":
        return ok("huge pages", "only a tmpfs has them")
    if choice is None:
        mend = "a kernel with CONFIG_TRANSPARENT_HUGEPAGE"
        return warn("huge pages", "this kernel has none for shared memory", mend)
    if choice == "deny":
        mend = f"as root: echo never >{_THP}; {_remount(mount, 'huge=within_size')}"
        return warn("huge pages", "shmem_enabled is deny: none, whatever a mount asks for", mend)
    huge = "always" if choice == "force" else mounts.option(mount, "huge") or "never"
    words = f"huge={huge} on {text.quoted(mount.point)} (shmem_enabled: {choice})"
    if huge in ("always", "within_size", "advise"):
        return ok("huge pages", words)
    return warn("huge pages", words, _remount(mount, "huge=within_size"))


def run():
    path = store.path()
    mount = mounts.of(path) if os.path.isdir(path) else None
    found = [place(path, mount)]
    if found[0].status != "FAIL":
        found += [check(path, mount) for check in (space, inodes, memory, huge_pages)]
    return found
