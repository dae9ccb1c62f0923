# SPDX-License-Identifier: BSD-3-Clause
"""sharr doctor: FUSE, its passthrough, and every mounted sharrfs."""

import errno
import json
import os
import re
import select
import shutil
import signal
import stat

from .. import __version__
from . import mounts, text
from .findings import ok, read, warn

_DEVICE = "/dev/fuse"
_IN_CONTAINER = "in a container: --device /dev/fuse --cap-add SYS_ADMIN"

# A mount that hangs hangs who asks it beyond any signal: a process of its own does, and is left
# alone after this time.
_PATIENCE_S = 3


def device():
    if not os.path.exists(_DEVICE):
        mend = f"as root: modprobe fuse; {_IN_CONTAINER}"
        words = f"there is no {_DEVICE}: no sharrfs can be mounted; arrays work without"
        return warn("fuse", words, mend)
    if os.stat(_DEVICE).st_rdev != os.makedev(10, 229):
        words = f"{_DEVICE} is not the device of FUSE: no sharrfs can be mounted"
        return warn("fuse", f"{words}; arrays work without", _IN_CONTAINER)
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return warn("fuse", f"{_DEVICE} is closed to this user", f"as root: chmod 666 {_DEVICE}")
    try:
        os.close(os.open(_DEVICE, os.O_RDWR))
    except OSError as error:
        words = f"{_DEVICE}: {error.strerror}: no sharrfs can be mounted; arrays work without"
        return warn("fuse", words, _IN_CONTAINER)
    helper = shutil.which("fusermount3")
    if helper is None:
        text_ = "there is no fusermount3: users can't mount a sharrfs, nor unmount it"
        return warn("fuse", text_, "as root: apt-get install fuse3")
    if os.geteuid() and not os.stat(helper).st_mode & stat.S_ISUID:
        return warn("fuse", f"{helper} is not setuid root", f"as root: chmod u+s {helper}")
    return ok("fuse", f"{_DEVICE} and {helper}")


def daemon():
    found = shutil.which("sharrfs")
    if found:
        return ok("sharrfs", found)
    mend = "in sharr's sources, with libfuse3-dev: meson setup build && meson install -C build"
    return warn("sharrfs", "not on PATH; arrays work without it, the mount does not", mend)


def _kernel_configuration():
    """The text of the running kernel's configuration, or None."""
    import gzip

    try:
        with gzip.open("/proc/config.gz", "rt") as stream:
            return stream.read()
    except OSError:
        return read(f"/boot/config-{os.uname().release}")


def passthrough():
    """What the kernel could do; what a mount has is asked of the mount."""
    release = os.uname().release
    version = tuple(map(int, re.findall(r"\d+", release)[:2]))
    configuration = _kernel_configuration()
    if version < (6, 9):
        text_ = f"Linux {release} has none; sharrfs works without, more slowly"
        return warn("passthrough", text_, "a kernel from 6.9 on")
    if configuration is not None and "\nCONFIG_FUSE_PASSTHROUGH=y" not in configuration:
        text_ = f"Linux {release} was built without; sharrfs works without, more slowly"
        return warn("passthrough", text_, "a kernel with CONFIG_FUSE_PASSTHROUGH=y")
    how = "has it" if configuration else "should have it (its configuration is not to be found)"
    return ok("passthrough", f"Linux {release} {how}; for a sharrfs that root mounts")


def _told_by(point):
    names = ("version", "store", "io")
    try:
        return {name: os.fsdecode(os.getxattr(point, f"user.sharr.{name}")) for name in names}
    except OSError as error:
        return {"errno": error.errno, "error": error.strerror}


def _ask(point):
    """What the daemon says, as a dict; None if it does not answer."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, json.dumps(_told_by(point)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        if not select.select([stream], [], [], _PATIENCE_S)[0]:
            os.kill(pid, signal.SIGKILL)  # and no wait: it may not be able to die
            return None
        told = stream.read()
    os.waitpid(pid, 0)
    return json.loads(told)


def _unmount(mount):
    command = "umount -l" if os.geteuid() == 0 else "fusermount3 -u -z"
    return f"{command} {text.quoted(mount.point)}"


def mounted(mount):
    point = text.quoted(mount.point)
    told = _ask(mount.point)
    if told is None:
        words = f"{point} does not answer within {_PATIENCE_S} s"
        return warn("mount", words, _unmount(mount))
    if "error" in told:
        if told["errno"] == errno.EACCES:  # mounted by another user, without allow_other
            return ok("mount", f"{point} of {text.quoted(mount.source)}, closed to this user")
        return warn("mount", f"{point}: {told['error']}: nobody serves it", _unmount(mount))
    source = text.quoted(os.fsencode(told["store"]))
    words = f"{point} of {source}: {told['io']}, sharrfs {told['version']}"
    again = f"{_unmount(mount)}; as root: sharrfs {source} {point} -o allow_other"
    if told["version"] != __version__:
        return warn("mount", f"{words}, but this is {__version__}", again)
    if told["io"] != "passthrough":
        return warn("mount", f"{words}: what is mapped to be written is not shared", again)
    return ok("mount", words)


def run():
    newest = {mount.point: mount for mount in mounts.sharrfs()}
    found = [mounted(mount) for mount in newest.values()]
    return [device(), daemon(), passthrough(), *(found or [ok("mount", "no sharrfs is mounted")])]
