# SPDX-License-Identifier: BSD-3-Clause
"""What pip builds the package by: meson-python, which gives up where a package wants the stable ABI
and Python has none, as without the GIL. There the module is built for that one Python. What
building needs and is missing is told before meson tells it at length."""

import os
import shlex
import shutil
import sys
import sysconfig

import mesonpy
from mesonpy import build_sdist

__all__ = ["build_editable", "build_sdist", "build_wheel"]


def _settings(given):
    settings = dict(given or {})
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        arguments = settings.get("setup-args", [])
        arguments = [arguments] if isinstance(arguments, str) else list(arguments)
        settings["setup-args"] = [*arguments, "-Dpython.allow_limited_api=false"]
    return settings


def _check_tools():
    if sys.version_info < (3, 9):  # noqa: UP036  pip asks only after it has built
        raise SystemExit("sharr: it needs Python 3.9 or newer, and this is an older one.")
    words = []
    compilers = (
        [shlex.split(os.environ["CC"])[0]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    )
    if not any(map(shutil.which, compilers)):
        words.append(f"a C compiler ({', '.join(compilers)}): on Debian apt-get install gcc")
    folder = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(folder, "Python.h")):
        words.append(f"Python.h in {folder}: on Debian apt-get install python3-dev")
    if words:
        raise SystemExit(
            f"sharr: to build it from source this machine lacks {'; and '.join(words)}. "
            "A wheel or a package of it that was built elsewhere needs neither."
        )


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _check_tools()
    return mesonpy.build_wheel(wheel_directory, _settings(config_settings), metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    _check_tools()
    return mesonpy.build_editable(wheel_directory, _settings(config_settings), metadata_directory)


def get_requires_for_build_wheel(config_settings=None):
    return mesonpy.get_requires_for_build_wheel(_settings(config_settings))


get_requires_for_build_editable = get_requires_for_build_wheel
get_requires_for_build_sdist = mesonpy.get_requires_for_build_sdist
