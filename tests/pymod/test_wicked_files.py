# SPDX-License-Identifier: BSD-3-Clause
"""One file that somebody else wrote never breaks what is asked of all, or of another."""

from __future__ import annotations

import numpy as np
import pytest
from support.wicked import DTYPE_NAMES, fill

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def names(sa, store):
    return fill(sa, store)


def test_list_has_them_and_all_others(sa, names):
    found = {item.name: item for item in sa.list()}
    assert set(found) == names
    assert found[b"good"][1:] == (np.float64, (3,))
    assert {item.name for item in sa.list()} == names


def test_each_is_told_of_attached_and_copied(sa, names):
    for name in names:
        info = sa.info(name)
        array = sa.attach(name, ro=True)
        assert (array.shape, array.dtype) == (info.shape, info.dtype)
        assert sa.copy(name).tobytes() == array.tobytes()
        assert isinstance(sa.attrs(name).copy(), dict)


@pytest.mark.parametrize("what", DTYPE_NAMES)
def test_name_that_is_none_is_void(sa, names, what):
    assert sa.attach(f"dtype {what}").dtype == np.dtype("V2")
    assert sa.create(f"dtype {what}", 3, "V2", exist_ok=True).shape == (3,)


def test_reap_keeps_them(sa, names):
    assert {name for name, _, _ in sa.reap()} <= names
    sa.reap(dead_creator=True)
    assert {item.name for item in sa.list()} == names


def test_each_is_deleted(sa, store, names):
    for name in names:
        sa.delete(name)
    assert store.is_empty()
