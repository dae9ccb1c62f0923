# SPDX-License-Identifier: BSD-3-Clause
"""./dev demo [PNG]: the whole idea at work on a photograph, told as a tutorial.

Every command is printed before its output. Two Python processes stay alive throughout; what is
typed into them is marked [first] and [second]. Only the picture is left behind.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.area import detach_mount  # noqa: E402
from support.build import ROOT  # noqa: E402
from support.remote import Remote  # noqa: E402
from support.wait import wait_for  # noqa: E402

NAME = "sharr-demo-photo"
WIDTH, HEIGHT = 512, 600


class DemoFailed(Exception):
    """Said in words, without a traceback."""


def tell(text: str) -> None:
    print(f"\n# {text}", flush=True)


def remove_folder(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.exists(folder):
        print(f"demo: {folder} could not be removed", file=sys.stderr)


class Demo:
    def __init__(self, picture: Path) -> None:
        self.picture = picture
        self.cleanup = contextlib.ExitStack()

    def __enter__(self) -> Demo:
        self.folder = Path(self.make_folder(None))
        self.store = self.make_folder("/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.mount = self.folder / "mnt"
        self.mount.mkdir()
        self.cleanup.callback(self.stop_daemon)
        self.environment = {**os.environ, "SHARR_STORE": self.store}
        self.sessions: dict[str, Remote] = {}
        return self

    def __exit__(self, *_exception) -> None:
        self.cleanup.close()

    def make_folder(self, parent: str | None) -> str:
        folder = tempfile.mkdtemp(prefix="sharr-demo-", dir=parent)
        self.cleanup.callback(remove_folder, folder)
        return folder

    def daemons(self) -> list[int]:
        """The sharrfs that serves our store, found by its command line."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"sharrfs") and os.fsencode(self.store) in words:
                    found.append(int(pid))
        return found

    def is_served_by_nobody(self) -> bool:
        """While a killed daemon still dies, what it is asked for ends otherwise (ECONNABORTED)."""
        try:
            os.listdir(self.mount)
        except OSError as error:
            return error.errno == errno.ENOTCONN
        return False

    def stop_daemon(self) -> None:
        detach_mount(self.mount)
        for pid in self.daemons():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.daemons(), what="the end of sharrfs")

    def shell(self, command: str, fails: bool = False) -> None:
        """Prints and runs it in the demo's folder; `fails` if that is what is to be seen."""
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stdout.fileno(),
            stderr=sys.stdout.fileno(),
            check=False,
        )
        if (done.returncode != 0) != fails:
            raise DemoFailed(f"`{command}` ended with {done.returncode}")

    def python(self, session: str, *lines: str) -> None:
        """Types the lines into that session, which starts with its first one."""
        if session not in self.sessions:
            self.sessions[session] = Remote([sys.executable], self.environment, self.folder)
            self.cleanup.callback(self.sessions[session].close)
        for line in lines:
            print(f"[{session}] >>> {line}", flush=True)
            value = self.sessions[session].run(line)
            if value is not None:
                print(value, flush=True)

    def pixels(self, into: str) -> str:
        return f"rawtoppm {WIDTH} {HEIGHT} mnt/{NAME} > {into}"

    def run(self) -> None:
        photo = photograph()
        tell("A store of our own for this demo. Without SHARR_STORE it is /dev/shm itself.")
        print(f"$ export SHARR_STORE={self.store}\n$ cd {self.folder}", flush=True)

        tell("One process puts a photograph into a shared array.")
        self.shell(f"cp {shlex.quote(str(photo))} photo.jpg")
        self.python(
            "first",
            "import numpy as np, PIL.Image, SharedArray as sa",
            "image = np.asarray(PIL.Image.open('photo.jpg'))",
            f"photo = sa.create({NAME!r}, image.shape, image.dtype)",
            "photo[:] = image",
            "photo.shape, str(photo.dtype), float(photo.mean().round(2))",
        )

        tell("A mount shows it to everybody else: as a file, with what it is as attributes.")
        self.shell(f"sharrfs {self.store} mnt")
        self.shell("ls -l mnt")
        self.shell(f"getfattr -d -m - mnt/{NAME}")

        tell("A program that knows nothing of arrays maps the file: ten lines of C.")
        self.shell(f"cc -o raw_reader {shlex.quote(str(HERE / 'raw_reader.c'))}")
        self.shell(f"./raw_reader mnt/{NAME}")
        tell("How it got at the data, and how often sharrfs itself was asked to read.")
        self.shell("getfattr --only-values -n user.sharr.io mnt; echo")
        self.shell("getfattr --only-values -n user.sharr.reads mnt; echo")
        if os.getxattr(self.mount, "user.sharr.io") == b"passthrough":
            tell("Passthrough: the kernel mapped the very pages of the array. Others use read():")
        else:
            tell(
                "Not passthrough (that needs root): sharrfs read for it. Others use read() anyway:"
            )
        self.shell(self.pixels("before.ppm"))

        tell("A second process attaches it and turns a square into its negative.")
        self.python(
            "second",
            "import SharedArray as sa",
            f"photo = sa.attach({NAME!r})",
            "photo[60:330, 120:390] ^= 255",
            "photo[200, 250].tolist()",
        )
        tell("The first process sees it, and so does who reads the file.")
        self.python("first", "photo[200, 250].tolist()", "image[200, 250].tolist()")
        self.shell(f"./raw_reader mnt/{NAME}")

        tell("Now the daemon dies. Nobody who has the array notices.")
        (daemon,) = self.daemons()
        self.shell(f"kill -9 {daemon}")
        wait_for(self.is_served_by_nobody, what="the death of sharrfs")
        self.shell("ls mnt", fails=True)
        self.python("first", "photo[:20] = photo[-20:] = 255")
        self.python("second", "photo[0, 0].tolist(), photo[-1, -1].tolist()")

        tell("The mount comes back, and still shows the array.")
        self.shell("umount -l mnt" if os.geteuid() == 0 else "fusermount3 -u -z mnt")
        self.shell(f"sharrfs {self.store} mnt")
        self.shell("ls -l mnt")
        self.shell(self.pixels("after.ppm"))
        self.shell(f"pnmcat -lr before.ppm after.ppm | pnmtopng > {shlex.quote(str(self.picture))}")

        tell("Arrays stay until they are deleted; nothing else is left to clean up.")
        self.python("second", f"sa.delete({NAME!r})", "len(sa.list())")
        self.shell("ls mnt")
        self.shell("umount mnt" if os.geteuid() == 0 else "fusermount3 -u mnt")


def photograph() -> Path:
    """The one that matplotlib ships; found without importing it, which would write caches."""
    found = importlib.util.find_spec("matplotlib")
    if not found:
        raise DemoFailed("matplotlib, whose photograph this needs, is missing: ./dev setup")
    folder = Path(found.submodule_search_locations[0])
    return folder / "mpl-data" / "sample_data" / "grace_hopper.jpg"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: terminated"))
    picture = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "sharr-demo.png")
    try:
        with Demo(picture.absolute()) as demo:
            demo.run()
    except DemoFailed as failure:
        return f"demo: {failure}"
    except KeyboardInterrupt:
        return "demo: interrupted; all that it made is removed"
    print(f"\nBefore and after, side by side, as read through the mount: {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
