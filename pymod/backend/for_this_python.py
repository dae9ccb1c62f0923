# SPDX-License-Identifier: BSD-3-Clause
"""What pip builds the package by: meson-python, which gives up where a package wants the stable ABI
and Python has none, as without the GIL. There the module is built for that one Python."""

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


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return mesonpy.build_wheel(wheel_directory, _settings(config_settings), metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return mesonpy.build_editable(wheel_directory, _settings(config_settings), metadata_directory)


def get_requires_for_build_wheel(config_settings=None):
    return mesonpy.get_requires_for_build_wheel(_settings(config_settings))


get_requires_for_build_editable = get_requires_for_build_wheel
get_requires_for_build_sdist = mesonpy.get_requires_for_build_sdist
