# SPDX-License-Identifier: BSD-3-Clause
"""Every code block of README.md and docs/*.md runs, so that no page tells what is not so.

How a page is to be written:

    ```python            run in order, all of a page in one process; with `>>>` a doctest session,
                         in which ... stands for anything and white space counts as one blank
    ```sh                run by `bash -eu`, between the others, as it comes
    ```output            what the sh block before it printed, compared as doctest does
    ```c                 compiled without a warning against sharr.h; if it has a main, linked too
    ```python file=X.py  (any language) not run but written to X.py, for blocks after it
    ```text, ```         not code

`<!-- not run: REASON -->` right above a block lets it stand for readers only.
`<!-- needs: fuse -->` anywhere says what the page needs: fuse, passthrough, or a Python module.
Indented blocks are refused, since nothing would run them.

A page runs in an empty folder, which is its HOME, in a mount namespace of its own, in which
/dev/shm is a store of the test (and SHARR_STORE says so) and /mnt/sharr an empty folder.
On PATH are sharrfs, sharr and a python3 that has SharedArray; pkg-config knows sharr. What it
mounts it has to unmount.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.build import BUILD, PYMOD, ROOT, SHARRFS, python_environment
from support.namespace import with_mounts
from support.page import blocks_of, needs_of
from support.require import lacking, need_fuse, need_root
from support.source import tree_files

PAGES = [p for p in tree_files() if p.suffix == ".md" and p.parent in (ROOT, ROOT / "docs")]
RUNNER = ROOT / "tests" / "support" / "page.py"
LIFE_S = 240

PLACES = """
mount --bind "$0" /dev/shm && mount -t tmpfs -o mode=755 docs /mnt && mkdir /mnt/sharr && exec "$@"
"""

pytestmark = pytest.mark.release_only


def environment(home: Path) -> dict[str, str]:
    tools = [Path(sys.executable).parent, SHARRFS.parent, PYMOD / "bin"]
    return python_environment(
        PATH=os.pathsep.join([*map(str, tools), os.environ["PATH"]]),
        HOME=str(home),
        SHARR_STORE="/dev/shm",
        PKG_CONFIG_PATH=str(BUILD / "meson-uninstalled"),
        LD_LIBRARY_PATH=str(BUILD / "lib"),
    )


def provide(request, needs: list[str]) -> None:
    need_root()
    for what in needs:
        if what == "fuse":
            need_fuse()
        elif what == "passthrough":
            if not request.getfixturevalue("has_passthrough"):
                lacking(what, "this kernel or user has no FUSE passthrough")
        elif not importlib.util.find_spec(what):
            lacking(what, f"the Python module {what} is not installed")


def run_page(page: Path, store, home: Path) -> subprocess.CompletedProcess:
    home.mkdir()
    return subprocess.run(
        with_mounts(PLACES, store, sys.executable, RUNNER, page),
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIFE_S,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_of_page_runs(request, page, store, area):
    text = page.read_text()
    blocks_of(text)
    provide(request, needs_of(text))
    done = run_page(page, store, area / "home")
    assert done.returncode == 0, done.stdout


def test_pages_are_found():
    assert {"README.md", "format.md", "python.md"} <= {page.name for page in PAGES}


# The runner itself: what is wrong in a page is told.


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("```python\na = 1\n```\n```python\nassert a == 2\n```\n", "page.md:5"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Got:\n    2"),
        ("```sh\nfalse\ntrue\n```\n", "exit code 1"),
        ("```sh\necho yes\n```\n```output\nno\n```\n", "printed was\nyes"),
        ("```c\nint f(void) { return g(); }\n```\n", "implicit declaration"),
        ("```c\nint main(void)\n{\n\treturn sharr_nothing != 0;\n}\n```\n", "sharr_nothing"),
        ("```ruby\nputs 1\n```\n", "none of the blocks"),
        ("text\n\n    puts 1\n", "fence it"),
        ("```sh\ntrue\n", "nobody closes"),
    ],
)
def test_what_is_wrong_is_told(page, told, store, area):
    need_root()
    path = area / "page.md"
    path.write_text(page)
    done = run_page(path, store, area / "home")
    assert done.returncode == 1
    assert told in done.stdout


@pytest.mark.parametrize(
    "page",
    [
        "```python\na = [1, 2]\n```\n```python\n>>> a\n[1, ...]\n```\n",
        "```python file=x.py\nprint(7)\n```\n```sh\npython3 x.py\n```\n```output\n7\n```\n",
        "<!-- not run: it fails -->\n\n```sh\nfalse\n```\n",
        "```c\n#include <stdio.h>\nint main(void)\n{\n\treturn puts(sharr_version());\n}\n```\n",
        '```sh\ntest "$SHARR_STORE" = /dev/shm; sharr list; command -v sharrfs\n```\n',
        "- a list\n    - that is indented\n",
    ],
)
def test_what_is_right_passes(page, store, area):
    need_root()
    path = area / "page.md"
    path.write_text(page)
    done = run_page(path, store, area / "home")
    assert (done.returncode, "Traceback" in done.stdout) == (0, False), done.stdout
