# SPDX-License-Identifier: BSD-3-Clause
"""The tests against all builds, one after the other: what ./dev test does once they are built.

The sanitizer build comes first, with the tests that it can see into, then the portable one, with
those of what it does otherwise; the last line printed is pytest's own, of the ordinary build, or of
the run that failed. Arguments go to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys

from support.build import ROOT

LOGS = ROOT / ".dev" / "log"
NO_TESTS_COLLECTED = 5


def say(text: str) -> None:
    print(f"dev: {text}", file=sys.stderr, flush=True)


def absolute(argument: str) -> str:
    """A path is one where the caller stands, while pytest runs in the root of the tree."""
    path, *test = argument.split("::")
    if ("/" in path or path.endswith(".py")) and os.path.exists(path):
        return "::".join([os.path.realpath(path), *test])
    return argument


def compiler_library(name: str) -> str:
    done = subprocess.run(
        ["gcc", f"-print-file-name={name}"], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def sanitizer_environment() -> dict[str, str]:
    """For Python itself: no leaks, since the interpreter has its own, and signals stay what they
    are, for tests that expect one. Reports go to files: pytest's capture dies with its process."""
    reports = f"log_path={LOGS / 'sanitizer'}"
    return {
        "LD_PRELOAD": f"{compiler_library('libasan.so')} {compiler_library('libstdc++.so')}",
        "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0:handle_sigbus=0:allocator_may_return_null=1:"
        + reports,
        "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:{reports}",
    }


def run_pytest(build: str, arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Its exit code and its last line; what it prints is passed on as it comes, and kept."""
    say(f"tests against build/{build}")
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    own = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "SHARR_BUILD": f"build/{build}"}
    options = [f"--color={'yes' if sys.stdout.isatty() else 'no'}"]
    options += ["-o", f"cache_dir={ROOT / '.dev'}/pytest-{build}"]
    command = [sys.executable, "-m", "pytest", *options, *arguments]
    last = b""
    with (
        (LOGS / f"pytest-{build}.log").open("wb") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as pytest,
    ):
        while part := os.read(pytest.stdout.fileno(), 1 << 16):
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
            log.write(part)
            last = (last + part)[-4096:]
    if not 0 <= pytest.returncode <= NO_TESTS_COLLECTED or not last.endswith(b"\n"):
        print()
        say(f"pytest itself ended with {pytest.returncode}: a crash, or a test that hung")
        return 1, "pytest did not come to its end"
    return pytest.returncode, last.decode(errors="replace").splitlines()[-1]


def code_of_part(code: int) -> int:
    """Of a build that not all tests are for: perhaps none of the chosen ones is."""
    return 0 if code == NO_TESTS_COLLECTED else code


def run_sanitized(arguments: list[str]) -> tuple[int, str]:
    for old in LOGS.glob("sanitizer.*"):
        old.unlink()
    code, closing = run_pytest("asan", arguments, sanitizer_environment())
    reports = sorted(LOGS.glob("sanitizer.*"))
    for report in reports:
        print(report.read_text(errors="replace"), file=sys.stderr)
    return code_of_part(code) or len(reports), closing


def run_portable(arguments: list[str]) -> tuple[int, str]:
    code, closing = run_pytest("portable", arguments, {})
    return code_of_part(code), closing


def main() -> int:
    arguments = [absolute(argument) for argument in sys.argv[1:]]
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        parts = {"asan": run_sanitized(arguments), "portable": run_portable(arguments)}
        code, _ = run_pytest("release", arguments, {})
        failed = {build: closing for build, (failure, closing) in parts.items() if failure}
        for build, closing in {} if code else failed.items():
            # the last line is not that of a run that passed
            say(f"the run against build/{build} failed ({LOGS}/pytest-{build}.log); it closed with")
            print(closing)
        return code or min(len(failed), 1)
    except KeyboardInterrupt:
        return 130
    finally:
        if owner := os.environ.get("SUDO_UID"):  # what was written as root is the caller's again
            subprocess.run(["chown", "-R", owner, ROOT / ".dev"], check=False)


if __name__ == "__main__":
    sys.exit(main())
