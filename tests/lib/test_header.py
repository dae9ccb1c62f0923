# SPDX-License-Identifier: BSD-3-Clause
"""sharr.h and what the tests know of it are the same."""

from __future__ import annotations

import re

import pytest
from support.build import ROOT

from lib import clib

HEADER = (ROOT / "lib" / "sharr.h").read_text()
TEXT = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)


@pytest.mark.parametrize("name", ["Spec", "Info", "Attr"])
def test_fields_of_a_struct(name):
    (body,) = re.findall(rf"struct sharr_{name.lower()} {{(.*?)\n}};", TEXT, re.S)
    declared = [re.findall(r"\w+", part)[-1] for part in re.split(r"[;,]", body) if part.strip()]
    assert [field for field, _ in getattr(clib, name)._fields_] == declared


@pytest.mark.parametrize("name", ["READONLY", "SPARSE", "REPLACE", "EPHEMERAL"])
def test_flags(name):
    assert f"#define SHARR_{name} {getattr(clib, name):#x}u" in HEADER


def test_version_of_the_library_is_that_of_its_header(c):
    assert f'#define SHARR_VERSION "{c.c.sharr_version().decode()}"\n' in HEADER
