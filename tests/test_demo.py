# SPDX-License-Identifier: BSD-3-Clause
"""./dev demo shows what it promises, and leaves nothing but the picture."""

from __future__ import annotations

import html
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image
from support.build import ROOT, SHARRFS, python_environment
from support.require import lacking
from support.wait import wait_for

pytestmark = [pytest.mark.fuse, pytest.mark.release_only]


def demo_environment() -> dict[str, str]:
    return python_environment(PATH=f"{SHARRFS.parent}{os.pathsep}{os.environ['PATH']}")


def start_demo(picture: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, ROOT / "tests" / "demo" / "demo.py", picture],
        env=demo_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def leftovers() -> set[str]:
    """Folders, mounts and daemons of a demo."""
    folders = [
        *Path("/dev/shm").glob("sharr-demo*"),
        *Path(tempfile.gettempdir()).glob("sharr-demo*"),
    ]
    mounts = re.findall(r"\S*sharr-demo\S*", Path("/proc/self/mounts").read_text())
    daemons = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"sharrfs") and any(b"sharr-demo" in word for word in words):
            daemons.append(line.parent.name)
    return {*map(str, folders), *mounts, *daemons}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What a run prints, and its picture."""
    before = leftovers()
    picture = tmp_path_factory.mktemp("demo") / "photo.png"
    demo = start_demo(picture)
    output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, output
    assert leftovers() <= before
    return output, picture


def after(output: str, command: str) -> list[str]:
    """The outputs of a command, one for each time it was shown."""
    parts = re.split(r"^(\$ .*|\[\w+\] >>> .*)\n", output, flags=re.M)
    texts = (text.split("\n\n# ")[0].strip() for text in parts[2::2])
    return [text for line, text in zip(parts[1::2], texts) if command in line]


def test_ls_shows_the_photograph_before_and_after_the_crash(shown):
    listings = after(shown[0], "$ ls -l mnt")
    assert len(listings) == 2
    for listing in listings:
        assert re.search(r"^-rw\S+ .* 921600 .* sharr-demo-photo$", listing, re.M)


def test_attributes_say_what_it_is(shown):
    (attributes,) = after(shown[0], "getfattr -d")
    assert 'user.sharr.shape="600,512,3"' in attributes
    assert 'user.sharr.dtype="|u1"' in attributes


def test_raw_reader_sees_the_photograph_and_its_change(shown):
    before, changed = (line.split()[-1] for line in after(shown[0], "./raw_reader mnt"))
    (created,) = after(shown[0], "photo.mean()")
    assert float(before) == float(created.rstrip(")").split()[-1])
    assert changed != before


def test_both_processes_see_the_change(shown):
    first, second = after(shown[0], ">>> photo[200, 250]")
    (original,) = after(shown[0], ">>> image[200, 250]")
    assert first == second != original


def test_processes_go_on_without_the_daemon(shown):
    assert after(shown[0], "photo[0, 0].tolist()") == ["([255, 255, 255], [255, 255, 255])"]
    (error,) = after(shown[0], "$ ls mnt")[:1]
    assert "not connected" in error


def test_picture_shows_before_and_after(shown):
    with Image.open(shown[1]) as picture:
        assert picture.size == (1024, 600)
        before, changed = picture.getpixel((250, 200)), picture.getpixel((512 + 250, 200))
    assert changed == tuple(255 - channel for channel in before)


def told(lines: list[str]) -> list[str]:
    """Without what differs between machines and runs: names, pids, owners, times, blocks."""
    text = "\n".join(line.rstrip() for line in lines).strip()
    text = re.sub(r"sharr-demo-(?!photo)\w+", "sharr-demo-NAME", text)
    text = re.sub(r"/\S+/(?=\S+\.(?:jpg|png|c)\b)", "", text)
    text = re.sub(r"(?<=kill -9 )\d+", "PID", text)
    text = re.sub(r"[\w.-]+ [\w.-]+ (?=921600)|(?<= 921600) \w+ +\d+ [\d:]+", "", text)
    text = re.sub(r"(?<=total )\d+", "BLOCKS", text)
    return re.sub(r"[\w-]+\.png$", "PICTURE", text, flags=re.M).splitlines()


@pytest.mark.passthrough
def test_picture_in_readme_is_what_is_printed(has_passthrough, shown):
    """Made anew by the command at the head of tests/demo/picture.py."""
    if not has_passthrough:
        lacking("passthrough", "the picture was taken where there is passthrough")
    picture = (ROOT / "docs" / "demo.svg").read_text()
    lines: dict[int, str] = {}
    pieces = re.findall(r'<text [^>]*#demo-line-(\d+)\)">([^<]*)</text>', picture)
    for number, piece in pieces:
        piece = html.unescape(piece).replace("\xa0", " ").rstrip("\n")
        lines[int(number)] = lines.get(int(number), "") + piece
    assert told([lines[number] for number in sorted(lines)]) == told(shown[0].splitlines())
    assert "docs/demo.svg" in (ROOT / "README.md").read_text()


@pytest.mark.passthrough
def test_data_moves_by_passthrough(has_passthrough, shown):
    assert after(shown[0], "user.sharr.io") == ["passthrough"]
    assert after(shown[0], "user.sharr.reads") == ["0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_leaves_nothing(tmp_path, number):
    before = leftovers()
    demo = start_demo(tmp_path / "photo.png")
    for line in demo.stdout:
        if "./raw_reader mnt" in line:
            break
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 1, output
    wait_for(lambda: leftovers() <= before, what="the clean-up")
    assert not (tmp_path / "photo.png").exists()
