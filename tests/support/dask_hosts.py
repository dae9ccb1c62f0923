# SPDX-License-Identifier: BSD-3-Clause
"""Dask's workers on other hosts: in mount, UTS and network namespaces of their own.

What they have in common with this machine is an Ethernet cable. Where the store lies there is
another tmpfs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support.build import ROOT, python_environment
from support.namespace import with_mounts

PREFIX = "sharr-"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def remove_abandoned() -> None:
    """Of runs that were killed: the name has the pid of the run. The cable goes with its end."""
    folder = Path("/run/netns")
    for name in folder.glob(f"{PREFIX}*") if folder.exists() else ():
        pid = name.name[len(PREFIX) :]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            ip("netns", "del", name.name)


class Cable:
    """To a network namespace: `here` and `there` are the addresses of its ends."""

    def __init__(self) -> None:
        remove_abandoned()
        pid = os.getpid()
        self.name = f"{PREFIX}{pid}"
        self.device = f"shv{pid}"
        net = f"10.{200 + pid % 50}.{pid // 50 % 256}"
        self.here, self.there = f"{net}.1", f"{net}.2"
        ip("netns", "add", self.name)
        try:
            ip("link", "add", self.device, "type", "veth", "peer", "eth0", "netns", self.name)
            ip("addr", "add", f"{self.here}/24", "dev", self.device)
            ip("link", "set", self.device, "up")
            ip("-n", self.name, "addr", "add", f"{self.there}/24", "dev", "eth0")
            ip("-n", self.name, "link", "set", "eth0", "up")
            ip("-n", self.name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError:
            self.remove()
            raise

    def command(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def sent(self) -> int:
        """Bytes to the other end, ever."""
        return int(Path(f"/sys/class/net/{self.device}/statistics/tx_bytes").read_text())

    def remove(self) -> None:
        ip("netns", "del", self.name)


def worker_environment(store) -> dict[str, str]:
    """What lets a worker find the module of this build, and support.dask_tasks."""
    path = os.pathsep.join([python_environment()["PYTHONPATH"], str(ROOT / "tests")])
    return {"PYTHONPATH": path, "SHARR_STORE": str(store)}


class Worker:
    """One that sees another tmpfs where the store is, and that is on the other end of a cable if
    there is one. It has one of the resource that is called as it is."""

    def __init__(self, scheduler: str, store, name: str, cable: Cable | None = None) -> None:
        script = 'hostname "$1"; mount -t tmpfs none "$0" && shift && exec "$@"'
        command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--name", name]
        command += [
            "--resources",
            f"{name}=1",
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--memory-limit",
            "0",
        ]
        inside = ["unshare", "--uts", *with_mounts(script, store, name, *command)]
        self.folder = tempfile.TemporaryDirectory()
        self.log = Path(self.folder.name, "log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*(cable.command() if cable else []), *inside],
                env={**os.environ, **worker_environment(store)},
                cwd=self.folder.name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return "Registered to" in self.log.read_text()

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait(10)
        self.folder.cleanup()
