# SPDX-License-Identifier: BSD-3-Clause
"""User attributes: a mapping that reads and writes the array's file."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import MutableMapping

import pytest


@pytest.fixture
def x(sa):
    return sa.create("x", 3, attrs={"units": "m/s", "note": "Größe"})


def test_attributes_are_a_mapping(sa, x):
    attrs = sa.attrs(x)
    assert isinstance(attrs, MutableMapping)
    assert isinstance(attrs, sa.Attributes)
    assert dict(attrs) == {"units": "m/s", "note": "Größe"}
    assert (len(attrs), "units" in attrs, "axes" in attrs) == (2, True, False)
    assert repr(attrs) == "SharedArray.attrs({'units': 'm/s', 'note': 'Größe'})"


def test_setting_and_removing(sa, x):
    attrs = sa.attrs(x)
    attrs["axes"] = "time"
    del attrs["note"]
    assert attrs.copy() == {"units": "m/s", "axes": "time"}
    with pytest.raises(KeyError):
        attrs["note"]
    with pytest.raises(KeyError):
        del attrs["note"]
    assert attrs.pop("axes") == "time"
    attrs.clear()
    assert attrs.copy() == {}
    attrs.clear()


@pytest.mark.parametrize("how", ["str", "bytes", "path", "item", "array", "view"])
def test_whatever_names_the_array(sa, x, store, how):
    named = {
        "str": "shm://x",
        "bytes": b"x",
        "path": store / "x",
        "item": sa.list()[0],
        "array": x,
        "view": x[1:].reshape(1, 2)[0],
    }
    sa.attrs(named[how])["how"] = how
    assert sa.attrs("x")["how"] == how


@pytest.mark.parametrize("value", [b"\xff\x00raw", bytearray(b"\xfe"), memoryview(b"\xfd")])
def test_what_is_not_utf8_stays_bytes(sa, x, value):
    sa.attrs(x)["raw"] = value
    assert sa.attrs(x)["raw"] == bytes(value)


def test_bytes_that_are_utf8_come_back_as_text(sa, x):
    sa.attrs(x)["text"] = b"text"
    assert sa.attrs(x)["text"] == "text"


@pytest.mark.parametrize("value", [1, 1.5, None, ["a"], {}])
def test_value_of_another_type_is_refused(sa, x, value):
    for call in (lambda: sa.attrs(x).update(v=value), lambda: sa.put("y", x, attrs={"v": value})):
        with pytest.raises(TypeError, match="attribute"):
            call()
    assert "v" not in sa.attrs(x)
    assert [item.name for item in sa.list()] == [b"x"]


def test_number_is_told_how_to_become_text(sa, x):
    with pytest.raises(TypeError, match=r"str\(\) makes text of a number"):
        sa.attrs(x)["scale"] = 0.5


def test_bad_names(sa, x):
    attrs = sa.attrs(x)
    with pytest.raises(OSError, match="1 to 250 bytes, not 251") as caught:
        attrs["n" * 251] = "v"
    assert (caught.value.errno, caught.value.filename) == (errno.ERANGE, "x")
    with pytest.raises(PermissionError, match="reserved") as caught:
        attrs["sharr.dtype"] = "v"
    assert caught.value.filename == "x"
    with pytest.raises(ValueError, match="null"):
        attrs["a\0b"] = "v"
    with pytest.raises(TypeError, match="must be str"):
        attrs.update({1: "v"})
    assert len(attrs) == 2


def test_too_many_do_not_fit_and_change_nothing(sa, x):
    with pytest.raises(OSError, match="4096 bytes") as caught:
        sa.attrs(x).update(units="km/h", big="v" * 5000)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "x")
    assert sa.attrs(x).copy() == {"units": "m/s", "note": "Größe"}


@pytest.mark.parametrize("how", ["create", "put", "building"])
def test_attributes_from_the_start(sa, how):
    attrs = {"units": "K", "raw": b"\xff"}
    if how == "create":
        sa.create("y", 3, attrs=attrs)
    elif how == "put":
        sa.put("y", [1, 2], attrs=attrs)
    else:
        with sa.building("y", 3, attrs=attrs) as a:
            sa.attrs(a)["more"] = "yes"
            assert sa.attrs(a)["units"] == "K"
        assert sa.attrs("y").pop("more") == "yes"
    assert sa.attrs("y").copy() == attrs


def test_attributes_of_what_exists_stay(sa, x):
    again = sa.create("x", 3, exist_ok=True, attrs={"units": "other"})
    assert sa.attrs(again)["units"] == "m/s"


def test_array_that_was_replaced_is_not_taken_for_the_new_one(sa, x):
    sa.put("x", [1.0], replace=True)
    attrs = sa.attrs("x")
    with pytest.raises(OSError, match="deleted or replaced") as caught:
        sa.attrs(x)
    assert (caught.value.errno, caught.value.filename) == (errno.ESTALE, "x")
    assert attrs.copy() == {}
    sa.delete("x")
    with pytest.raises(FileNotFoundError) as caught:
        attrs["a"] = "b"
    assert caught.value.filename == "x"


def test_many_are_changed_at_once_for_readers(sa, x, python):
    """A reader never sees one of the two without the other."""
    sa.attrs(x).update(a="0", b="0")
    writer = python()
    writer.start("m = sa.attrs('x')\nfor i in range(3000): m.update(a=str(i), b=str(i))")
    seen = set()
    while writer.is_waiting(0):
        now = sa.attrs("x").copy()
        assert now["a"] == now["b"]
        seen.add(now["a"])
    writer.result()
    assert len(seen) > 1


def test_permissions_of_others(sa, x, python, store):
    (store / "x").chmod(0o644)
    nobody = python(uid=65534)
    assert nobody.run("sa.attrs('x')['units']") == "m/s"
    with pytest.raises(PermissionError) as caught:
        nobody.run("sa.attrs('x')['units'] = 'K'")
    assert caught.value.filename == "x"


@pytest.mark.parametrize("how", ["cp", "mv", "tar"])
def test_attributes_go_with_the_file(sa, x, store, area, how):
    other = area / "copy"
    other.mkdir()
    script = {"cp": "cp $0 $1", "mv": "mv $0 $1", "tar": "tar cC ${0%/*} x | tar xC $1"}[how]
    subprocess.run(["sh", "-c", script, store / "x", other], check=True)
    assert dict(sa.attrs(other / "x")) == {"units": "m/s", "note": "Größe"}


@pytest.mark.fuse
def test_mount_shows_and_sets_the_same_text(sa, x, mount):
    seen = mount()
    assert os.getxattr(seen / "x", "user.note").decode() == "Größe"
    os.setxattr(seen / "x", "user.axes", b"time")
    assert sa.attrs(x)["axes"] == "time"
    through = sa.attrs(seen / "x")
    through.update(units="K", more="m")
    del through["axes"]
    assert sa.attrs(x).copy() == through.copy() == {"note": "Größe", "units": "K", "more": "m"}


@pytest.mark.fuse
@pytest.mark.parametrize(
    "how",
    [
        "cp -a $0 $1",
        "rsync -aX $0 $1",
        "tar --xattrs -cC ${0%/*} x | tar --xattrs --xattrs-include='*' -xC $1",
    ],
)
def test_copies_from_mount_to_mount_keep_them(sa, x, store, mount, how):
    if not shutil.which(how.split()[0]):
        pytest.fail(f"{how.split()[0]} is missing")
    second = store()
    one, two = mount(), mount(second)
    subprocess.run(["sh", "-c", how, one / "x", two.path], check=True)
    assert dict(sa.attrs(second / "x")) == {"units": "m/s", "note": "Größe"}
