# SPDX-License-Identifier: BSD-3-Clause
"""Whose a new file is, and whom it may replace."""

from __future__ import annotations

import os

import pytest
from support.wait import wait_for

pytestmark = pytest.mark.fuse

NOBODY = 65534


@pytest.fixture(params=["io=auto", "io=fallback"])
def shared(request, mount, store):
    return mount(store, request.param, "allow_other")


@pytest.mark.root
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_file_belongs_to_its_writer_with_its_umask(sa, store, python, shared, umask, mode):
    other = python(uid=NOBODY)
    other.run("os.umask(umask); f = open(path, 'wb')", umask=umask, path=str(shared / "x"))
    other.run("f.write(b'abc'); f.flush()")
    other.run("mine = os.fstat(f.fileno()); f.close()")
    seen = os.stat(store / "x")
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) == (NOBODY, NOBODY, mode)
    assert other.run("mine.st_uid, mine.st_gid, mine.st_mode & 0o7777") == (NOBODY, NOBODY, mode)


@pytest.mark.root
def test_special_bits_of_the_mode_are_dropped(store, shared):
    os.close(os.open(shared / "x", os.O_CREAT | os.O_WRONLY, 0o7755))
    wait_for(lambda: store.names() == ["x"])
    assert os.stat(store / "x").st_mode & 0o7000 == 0


@pytest.mark.root
def test_setgid_group_hands_its_group_down(store, python, shared):
    os.mkdir(store / "group")
    os.chown(store / "group", 0, 1234)
    os.chmod(store / "group", 0o2777)
    python(uid=NOBODY).run("open(path, 'wb').write(b'abc')", path=str(shared / "group/x"))
    seen = os.stat(store / "group/x")
    assert (seen.st_uid, seen.st_gid) == (NOBODY, 1234)


@pytest.mark.root
def test_directory_that_is_closed_to_the_user_takes_no_file(store, python, shared):
    os.mkdir(store / "group", 0o755)
    with pytest.raises(PermissionError):
        python(uid=NOBODY).run("open(path, 'wb')", path=str(shared / "group/x"))


@pytest.mark.root
def test_user_cannot_replace_the_array_of_another_in_a_sticky_store(sa, store, python, shared):
    sa.create("x", 3)
    other = python(uid=NOBODY)
    other.run("f = open(m + '/own', 'wb'); f.write(b'abc'); f.flush()", m=str(shared))
    with pytest.raises(PermissionError):
        other.run("os.rename(m + '/own', m + '/x')")
    assert sa.attach("x").shape == (3,)


@pytest.mark.root
def test_user_cannot_replace_what_became_the_array_of_another(sa, store, python, shared):
    """He might when he renamed onto it; it counts whose it is when the file is finished."""
    other = python(uid=NOBODY)
    other.run(
        "def begin():\n sa.create('x', 3)\n f = open(m + '/own', 'wb', 0); f.write(b'abc')\n"
        " os.rename(m + '/own', m + '/x')\n return f",
        m=str(shared),
    )
    other.run("f = begin(); sa.delete('x'); sa.create('x', 4)")
    other.run("f.close()")
    assert sa.attach("x").tobytes() == b"abc"
    other.run("sa.delete('x'); f = begin(); sa.delete('x')")
    sa.create("x", 5)
    with pytest.raises(PermissionError):
        other.run("f.close()")
    assert sa.attach("x").shape == (5,)
    assert store.names() == ["x"]
