# SPDX-License-Identifier: BSD-3-Clause
"""What is mounted: the file system under a path, and every sharrfs."""

import os
import re
from collections import namedtuple

# device: as st_dev has it. options: those of the file system, not of this mount point.
Mount = namedtuple("Mount", "id device point type source options")


def _unescaped(field):
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), field)


def every():
    """All mounts of this mount namespace, the oldest first."""
    mounts = []
    with open("/proc/self/mountinfo", "rb") as stream:
        for line in stream:
            front, _, back = line.rstrip(b"\n").partition(b" - ")
            front, back = front.split(b" "), back.split(b" ")
            major, minor = map(int, front[2].split(b":"))
            mounts.append(
                Mount(
                    int(front[0]),
                    os.makedev(major, minor),
                    _unescaped(front[4]),
                    back[0].decode(),
                    _unescaped(back[1]),
                    back[2].decode("utf-8", "replace").split(","),
                )
            )
    return mounts


def of(path):
    """The mount that `path` lies in, or None. Asked of the kernel: mounts may cover each other."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}") as stream:
            (number,) = (int(line.split()[1]) for line in stream if line.startswith("mnt_id:"))
    finally:
        os.close(fd)
    return next((mount for mount in every() if mount.id == number), None)


def option(mount, key):
    """The value of a mount option, or None."""
    for text in mount.options:
        name, _, value = text.partition("=")
        if name == key:
            return value
    return None


def sharrfs():
    return [mount for mount in every() if mount.type == "fuse.sharrfs"]


def _device(path):
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


def family(path):
    """The devices under which /proc/PID/maps may name the files of the directory `path`.

    Those are its own, and that of each sharrfs that shows it, with the same inode numbers. (On
    some file systems, such as btrfs, the device in maps is the mount's and not st_dev.)
    """
    own = _device(path)
    mount = of(path)
    devices = {own, mount.device if mount else own}
    stores = {mount.device: _device(mount.source) for mount in sharrfs()}
    base = next((stores[device] for device in devices if stores.get(device) is not None), own)
    devices.add(base)
    devices.update(device for device, store in stores.items() if store == base)
    return devices
