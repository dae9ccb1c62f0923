# SPDX-License-Identifier: BSD-3-Clause
"""One mount for one test: started, watched, and at the end asked whether all was well.

Well means: still mounted when the test is over (a dead daemon would otherwise pass on the
folder underneath), gone after one unmount, exit code 0, and not a word in the log.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from support.area import Store, detach_mount
from support.build import SHARRFS, native_environment
from support.wait import wait_for

# A hung daemon hangs its callers beyond any signal; the kernel ends it, and them, after this.
DAEMON_LIFE_S = 240


def run_sharrfs(*arguments: str | os.PathLike, timeout: float = 20, **kwargs):
    """For starts that are expected to fail or to print: a subprocess.CompletedProcess."""
    kwargs.setdefault("env", native_environment())
    return subprocess.run(
        [SHARRFS, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **kwargs,
    )


class Mount(os.PathLike):
    def __init__(self, store: Store, area: Path, options: tuple[str, ...] = (), **how):
        """foreground=False lets it daemonize; at=PATH mounts there, on a folder that exists;
        descriptors=N: it may never have more; life_s=N: nor live longer; program=PATH is the
        daemon, which gets the variables environment={…} too."""
        self.store = store
        self.foreground = how.pop("foreground", True)
        self._descriptors = how.pop("descriptors", None)
        self._life_s = how.pop("life_s", DAEMON_LIFE_S)
        self.path = how.pop("at", None) or Path(tempfile.mkdtemp(prefix="mount-", dir=area))
        self.program = how.pop("program", SHARRFS)
        environment = native_environment(**how.pop("environment", {}))
        assert not how, how
        log, name = tempfile.mkstemp(prefix="log-", dir=area)
        os.close(log)
        self.log = Path(name)
        self.dead = False
        self.finished = False
        self._below = os.stat(self.path).st_dev
        command = [str(self.program), str(store), str(self.path)]
        command += ["-f"] if self.foreground else []
        command += ["-o", ",".join(options)] if options else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                preexec_fn=self._limit,
            )
        if not self.foreground:  # it returns when it is mounted, and tells so by its exit code
            assert self.process.wait(20) == 0, self.text()
            assert self.is_mounted(), f"exit code 0 but not mounted\n{self.text()}"
            return
        wait_for(lambda: self.is_mounted() or self.process.poll() is not None, 20, "the mount")
        assert self.is_mounted(), (
            f"sharrfs ended with {self.process.poll()} instead of mounting: {self.text()}"
        )

    def _limit(self) -> None:
        signal.alarm(self._life_s)
        if self._descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._descriptors, self._descriptors))

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def text(self) -> str:
        """What the daemon printed."""
        return self.log.read_text(errors="replace")

    def is_mounted(self) -> bool:
        try:
            return os.stat(self.path).st_dev != self._below
        except OSError:
            return False

    def xattr(self, name: str, path: str = "") -> str:
        """user.sharr.NAME of the root, or of a file below it."""
        value = os.getxattr(self.path / path, f"user.sharr.{name}")
        return value.decode("utf-8", "surrogateescape")

    def counters(self) -> dict[str, int]:
        """What the daemon itself has served; a passthrough map adds nothing to reads and writes."""
        return {name: int(self.xattr(name)) for name in ("reads", "writes", "opens")}

    def pids(self) -> list[int]:
        """The processes that serve this mount."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                words = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if (
                entry.isdigit()
                and words[0] == os.fsencode(self.program)
                and os.fsencode(self) in words
            ):
                found.append(int(entry))
        return found

    def expect_dead(self) -> None:
        """The test ends the daemon itself, or unmounts: no checks at the end."""
        self.dead = True

    def kill(self) -> None:
        """kill -9; the dead mount stays until detach()."""
        self.expect_dead()
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.pids(), what="the daemon's death")
        self.process.wait(10)

    def detach(self) -> None:
        """umount -l: also when the daemon is dead, or somebody uses the mount."""
        self.expect_dead()
        detach_mount(self.path)

    def wait_gone(self) -> int:
        """The exit code of the daemon, which ends since it is unmounted or was told to."""
        if self.foreground:
            return self.process.wait(20)
        wait_for(lambda: not self.pids(), 20, "the daemon's end")
        return self.process.returncode

    def unmount(self) -> None:
        """As a user would; raises with what the command says. Another process of the machine may
        look at all mounts just now (df, a monitor): what is busy is tried for two seconds more."""
        command = ["umount"] if os.geteuid() == 0 else ["fusermount3", "-u"]
        until = time.monotonic() + 2
        while True:
            done = subprocess.run(
                [*command, self.path], check=False, capture_output=True, text=True, timeout=20
            )
            if "busy" not in done.stderr.lower() or time.monotonic() > until:
                break
        assert done.returncode == 0, done.stderr
        self.expect_dead()

    def finish(self) -> None:
        """The end of a test that did not fail."""
        self.finished = True
        if self.dead:
            return
        assert self.is_mounted(), f"no longer mounted at the end of the test; log: {self.text()!r}"
        self.unmount()
        code = self.wait_gone()
        assert code == 0, f"sharrfs ended with {code}; log:\n{self.text()}"
        assert self.text() == "", f"sharrfs printed:\n{self.text()}"

    def remove(self) -> None:
        """Always, last: nothing of it is left, whatever happened."""
        if self.process.poll() is None or not self.finished or self.dead:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            detach_mount(self.path)
        self.process.wait(10)
