# SPDX-License-Identifier: BSD-3-Clause
"""./dev: from any directory, quiet, quick the second time, and clear when a step fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.build import PYMOD, ROOT
from support.source import copy_tree

DEV = ROOT / "dev"


def dev(*arguments: str, script: Path = DEV, **kwargs) -> subprocess.CompletedProcess:
    kwargs.setdefault("timeout", 120)
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(
        [script, *arguments], capture_output=True, text=True, check=False, **kwargs
    )


def test_run_hands_on_output_and_exit_code_and_says_nothing_itself(tmp_path):
    done = dev("run", "sh", "-c", "echo out; echo err >&2; exit 7", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_run_stays_where_the_caller_is_and_passes_on_input(tmp_path):
    with (tmp_path / "input").open("w+") as given:
        given.write("some input")
        given.seek(0)
        done = dev("run", "sh", "-c", "pwd; cat", cwd=tmp_path, stdin=given)
    assert done.stdout == f"{tmp_path}\nsome input"


def test_run_by_a_symlink(tmp_path):
    link = tmp_path / "dev"
    link.symlink_to(DEV)
    assert dev("run", "true", script=link, cwd="/").returncode == 0


def test_run_puts_the_built_daemon_first(tmp_path):
    done = dev("run", "sh", "-c", "command -v sharrfs", cwd=tmp_path)
    assert done.stdout.strip() == str(ROOT / "build" / "release" / "fs" / "sharrfs")


def test_run_makes_the_built_module_importable(tmp_path):
    code = "import SharedArray; print(SharedArray.__file__)"
    done = dev("run", "python3", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(PYMOD)


def test_run_takes_another_python_where_the_callers_lacks_numpy(tmp_path):
    bare = tmp_path / "python3"
    bare.write_text("#!/bin/sh\nexec /usr/bin/false\n")
    bare.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    code = "import numpy, SharedArray, sys; print(sys.executable)"
    done = dev("run", "python3", "-c", code, env={**os.environ, "PATH": path})
    assert done.stdout.strip() == str(ROOT / ".dev" / "venv" / "bin" / "python3"), done.stderr


def test_setup_has_nothing_to_do_the_second_time():
    assert dev("build").returncode == 0
    done = dev("build")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_unknown_command_shows_the_usage():
    done = dev("frobnicate")
    assert done.returncode == 1
    assert "usage: ./dev setup" in done.stderr
    assert "there is no ./dev frobnicate" in done.stderr


# Failures, in a copy that has nothing set up yet, with a PATH that has only what we put there


@pytest.fixture
def fresh(tmp_path):
    """A copy of ./dev, and how to run it: fresh(tool="shell script that stands in for it")."""
    tree = tmp_path / "tree"
    (tree / "tests").mkdir(parents=True)
    shutil.copy(DEV, tree / "dev")
    (tree / "tests" / "requirements.txt").write_text("-r missing.txt\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    coreutils = (
        "bash cat chmod cut dirname env flock grep head id mkdir readlink rm sha256sum sleep tail"
    )
    for name in coreutils.split():
        (tools / name).symlink_to(shutil.which(name))

    def run(**stand_ins: str) -> subprocess.CompletedProcess:
        for name, script in stand_ins.items():
            tool = tools / name.replace("_", "-")
            tool.unlink(missing_ok=True)
            tool.write_text(f"#!/bin/sh\n{script}\n")
            tool.chmod(0o755)
        return dev("build", script=tree / "dev", env={"PATH": str(tools)}, timeout=60)

    return run


NOTHING_INSTALLED = "exit 1"
ALL_INSTALLED = 'shift 3; for name; do echo "$name installed"; done'


def test_failing_apt_is_told_in_two_lines_with_the_log(fresh):
    done = fresh(
        dpkg_query=NOTHING_INSTALLED,
        apt_get='case "$*" in *install*) echo "E: No space left" >&2; exit 100;; esac',
        sleep="exit 0",
        id="echo 0",
    )
    assert done.returncode == 1
    failure, mend = done.stderr.splitlines()[-2:]
    assert failure.endswith("failed: E: No space left")
    assert "apt-get install" in mend
    assert Path(mend.split("the whole log: ")[1]).read_text() == "E: No space left\n" * 3


def test_failing_downloads_are_tried_again(fresh, tmp_path):
    counter = tmp_path / "counter"
    third = f"echo x >> {counter}; grep -c x {counter} | grep -q 3"
    flaky = f'case "$*" in *update*) {third};; *) exit 1;; esac'
    done = fresh(dpkg_query=NOTHING_INSTALLED, apt_get=flaky, sleep="exit 0", id="echo 0")
    assert counter.read_text() == "x\n" * 3
    assert "reading Debian's package lists failed" not in done.stderr
    assert "dev: installing build-essential" in done.stderr


def test_user_without_sudo_is_told_what_root_must_install(fresh):
    done = fresh(dpkg_query=NOTHING_INSTALLED, apt_get="exit 1", id="echo 1000")
    assert done.returncode == 1
    failure, mend = done.stderr.splitlines()
    assert "neither root nor may" in failure
    assert "apt-get install build-essential" in mend


def test_failing_pip_is_told_and_apt_is_not_asked_where_all_is_installed(fresh, tmp_path):
    asked = tmp_path / "asked"
    done = fresh(dpkg_query=ALL_INSTALLED, apt_get=f"touch {asked}", sleep="exit 0")
    assert not asked.exists()
    assert done.returncode == 1
    failure, mend = done.stderr.splitlines()[-2:]
    assert "installing into .dev/venv" in failure
    assert "ERROR: Could not open requirements file" in failure
    assert "run it again; the whole log: " in mend


def test_folder_of_somebody_else_is_told(fresh, tmp_path):
    (tmp_path / "tree" / ".dev").write_text("in the way")
    done = fresh(dpkg_query=ALL_INSTALLED)
    assert done.returncode == 1
    assert "is not writable" in done.stderr


@pytest.mark.slow
def test_a_clean_clone_needs_one_command(tmp_path):
    clone = tmp_path / "clone"
    copy_tree(clone)
    code = "import SharedArray; print(SharedArray.__file__)"
    done = dev("run", "python3", "-c", code, script=clone / "dev", cwd="/", timeout=900)
    assert done.returncode == 0, done.stderr
    assert str(clone) in done.stdout
    again = dev("run", "true", script=clone / "dev", cwd="/")
    assert (again.returncode, again.stderr) == (0, "")
