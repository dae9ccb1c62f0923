# SPDX-License-Identifier: BSD-3-Clause
"""C8: which exception, with which arguments, for which mistake."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

NO_ARRAY = "No SharedArray at this address"


def outcome(call):
    with pytest.raises(OSError) as error:  # noqa: PT011
        call()
    return type(error.value), error.value.errno, error.value.strerror, error.value.filename


def refused_with_words(call):
    """The original's words, and then why."""
    kind, number, words, name = outcome(call)
    assert (kind, number, name) == (PermissionError, errno.EACCES, "x")
    assert words.startswith("Permission denied: ")


@pytest.mark.parametrize("name", ["x", "shm://x", "/x", b"x"])
def test_name_that_is_taken(sa, name):
    sa.create("x", 3)
    expected = (FileExistsError, errno.EEXIST, "File exists", name)
    assert outcome(lambda: sa.create(name, 3)) == expected


@pytest.mark.parametrize("name", ["x", "shm://x", "file:///nowhere/x", "nogroup/x", b"x"])
def test_name_of_nothing(sa, name):
    expected = (FileNotFoundError, errno.ENOENT, "No such file or directory", name)
    assert outcome(lambda: sa.attach(name)) == expected
    assert outcome(lambda: sa.delete(name)) == expected
    assert outcome(lambda: sa.info(name)) == expected
    assert outcome(lambda: sa.copy(name)) == expected


@pytest.mark.parametrize(
    "name", ["", ".", "..", "foo://x", "shm://", "file://", "a/../b", "http:///"]
)
def test_name_that_cannot_be(sa, name):
    expected = (OSError, errno.EINVAL, "Invalid argument", name)
    for call in (sa.attach, sa.delete, sa.info, sa.copy, lambda n: sa.create(n, 3)):
        assert outcome(lambda call=call: call(name)) == expected


@pytest.mark.parametrize("name", ["x" * 256, "shm://" + "x" * 256, "é" * 128, b"x" * 256])
def test_name_that_is_too_long(sa, name):
    expected = (OSError, errno.ENAMETOOLONG, "File name too long", name)
    for call in (sa.attach, sa.delete, lambda n: sa.create(n, 3)):
        assert outcome(lambda call=call: call(name)) == expected


@pytest.mark.parametrize("name", ["a\0b", b"a\0b", "\0", "x\0"])
def test_nul_in_a_name(sa, name):
    for call in (sa.attach, sa.delete, sa.info, lambda n: sa.create(n, 3)):
        with pytest.raises(ValueError, match="embedded null character"):
            call(name)


@pytest.mark.parametrize("name", [3, None, 2.5, ["x"], object])
def test_name_of_a_wrong_type(sa, name):
    for call in (sa.attach, sa.delete, sa.info, lambda n: sa.create(n, 3)):
        with pytest.raises(TypeError, match="name"):
            call(name)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(5000), b"\x93NUMPY"], ids=repr)
def test_file_that_is_no_array(sa, store, content):
    (store / "x").write_bytes(content)
    for call in (sa.attach, sa.delete, sa.info, sa.copy):
        with pytest.raises(OSError) as error:  # noqa: PT011
            call("x")
        assert error.value.args == (NO_ARRAY,)
        assert str(error.value) == NO_ARRAY
        assert error.value.errno is None
        assert error.value.filename == "x"
        assert type(error.value) is sa.NotAnArrayError
    assert (store / "x").read_bytes() == content


def test_error_of_a_file_that_is_no_array_is_the_originals(sa, store, old):
    (store / "x").write_bytes(b"hello")
    with pytest.raises(OSError) as theirs:  # noqa: PT011
        old.run("sa.attach('x')")
    with pytest.raises(OSError) as ours:  # noqa: PT011
        sa.attach("x")
    assert ours.value.args == theirs.value.args
    assert str(ours.value) == str(theirs.value)


def test_folder_is_no_array(sa, store):
    (store / "x").mkdir()
    with pytest.raises(sa.NotAnArrayError):
        sa.attach("x")
    with pytest.raises(sa.NotAnArrayError):
        sa.delete("x")
    assert store.names() == ["x"]


def test_path_is_the_filename_as_given(sa, area):
    path = area / "x"
    assert outcome(lambda: sa.attach(path)) == (FileNotFoundError, 2, os.strerror(2), path)
    assert isinstance(outcome(lambda: sa.attach(path))[3], Path)


@pytest.mark.root
@pytest.mark.parametrize("call", ["sa.attach('x')", "sa.attach('x', True)", "sa.copy('x')"])
def test_array_of_somebody_else(sa, python, call):
    sa.create("x", 3, mode=0o600)
    nobody = python(uid=65534)
    refused_with_words(lambda: nobody.run(call))


@pytest.mark.root
def test_store_that_may_not_be_written(sa, store, python):
    store.path.chmod(0o755)
    nobody = python(uid=65534)
    refused_with_words(lambda: nobody.run("sa.create('x', 3)"))
    assert store.names() == []


@pytest.mark.root
def test_array_of_somebody_else_is_not_deleted(sa, store, python):
    sa.create("x", 3, mode=0o666)
    kind, number, _, filename = outcome(lambda: python(uid=65534).run("sa.delete('x')"))
    assert kind is PermissionError
    assert number in (errno.EACCES, errno.EPERM)
    assert filename == "x"
    assert store.names() == ["x"]


def test_full_store_says_what_was_asked_and_what_is_free(sa, store, monkeypatch):
    small = store(size="1m")
    monkeypatch.setenv("SHARR_STORE", str(small))
    kind, number, text, filename = outcome(lambda: sa.create("x", 1_000_000))
    assert (kind, number, filename) == (OSError, errno.ENOSPC, "x")
    assert str(small) in text
    assert "8001" in text
    assert "1048576" in text
    assert small.names() == []


def test_recovery_from_an_existing_array_ends_on_a_full_store(sa, store, monkeypatch):
    """As programs do: create, and on an OSError delete and create again."""
    monkeypatch.setenv("SHARR_STORE", str(store(size="1m")))

    def create_or_recreate():
        try:
            sa.create("x", 1_000_000)
        except OSError:
            sa.delete("x")
            create_or_recreate()

    with pytest.raises(FileNotFoundError):
        create_or_recreate()


def test_errors_are_the_originals(sa, old):
    """Type, errno, text and filename, of every mistake that both know."""
    sa.create("x", 3)
    mistakes = [
        *("sa.create('x', 3)", "sa.attach('y')", "sa.attach('shm://y')", "sa.delete('y')"),
        *("sa.attach('foo://x')", "sa.attach('.')", "sa.attach('q' * 256)"),
        *("sa.delete('file:///nowhere/x')", "sa.create('foo://x', 3)", "sa.delete('.')"),
        "sa.create('q' * 256, 3)",
    ]
    for mistake in mistakes:
        theirs = outcome(lambda mistake=mistake: old.run(mistake))
        ours = outcome(lambda mistake=mistake: eval(mistake, {"sa": sa}))
        assert ours == theirs, mistake
