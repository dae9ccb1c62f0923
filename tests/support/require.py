# SPDX-License-Identifier: BSD-3-Clause
"""What a machine may lack. Where SHARR_REQUIRE names it, lacking it is a failure, not a skip."""

from __future__ import annotations

import os

import pytest


def lacking(feature: str, reason: str) -> None:
    """Ends the test: skipped with the reason, or failed where SHARR_REQUIRE has the feature."""
    required = os.environ.get("SHARR_REQUIRE", "").replace(",", " ").split()
    if feature in required:
        pytest.fail(f"{reason} (SHARR_REQUIRE has {feature})", pytrace=False)
    pytest.skip(reason)


def need_root() -> None:
    if os.geteuid() != 0:
        lacking("root", "needs root")


def need_fuse() -> None:
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        lacking("fuse", f"/dev/fuse cannot be opened: {error.strerror}")
