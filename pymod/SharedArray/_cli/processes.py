# SPDX-License-Identifier: BSD-3-Clause
"""Which processes map a file, and whether the creator of an array still runs."""

import os
import re
import time
from collections import defaultdict

# Between the clocks of a file's time and of a process's start.
_SLACK_S = 5


def _pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _hides_others():
    """Does /proc leave out the processes of other users?"""
    from . import mounts

    if os.geteuid() == 0:
        return False
    mount = mounts.of("/proc")
    return mount is not None and mounts.option(mount, "hidepid") not in (None, "0", "off")


class Attachments:
    """Who maps what of the file systems with these devices, by inode number, at one moment.

    unreadable: processes that did not let themselves be looked at, and may map anything.
    """

    def __init__(self, devices):
        self._pids = defaultdict(list)
        self.unreadable = int(_hides_others())
        names = "|".join(f"{os.major(d):02x}:{os.minor(d):02x}" for d in sorted(devices))
        pattern = rf"^[0-9a-f]+-[0-9a-f]+ \S+ [0-9a-f]+ (?:{names}) ([0-9]+)"
        find = re.compile(pattern.encode(), re.M).findall
        own = os.getpid()
        for pid in sorted(_pids()):
            if pid != own:
                self._look(pid, find)

    def _look(self, pid, find):
        try:
            with open(f"/proc/{pid}/maps", "rb", buffering=0) as stream:
                found = find(stream.read())
        except PermissionError:
            self.unreadable += 1
        except OSError:  # it has ended, or is the kernel's own
            pass
        else:
            for inode in set(found):
                self._pids[int(inode)].append(pid)

    def of(self, inode):
        return self._pids.get(inode, [])

    def text(self, inode):
        """Their number; "?" for those that could not be looked at."""
        number = len(self.of(inode))
        if not self.unreadable:
            return str(number)
        return f"{number}+?" if number else "?"


def command(pid):
    """What runs as `pid`, or ""."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = stream.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode("utf-8", "surrogateescape")


def is_running_since(pid, moment):
    """Does a process `pid` run that is as old as `moment` (seconds since 1970)?

    Else the one that had that pid then is gone, or lives in another pid namespace.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            ticks = int(stream.read().rpartition(b")")[2].split()[19])
    except OSError:
        return False
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return age + _SLACK_S >= time.time() - moment
