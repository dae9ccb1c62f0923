# SPDX-License-Identifier: BSD-3-Clause
"""`.npy` in every directory of the mount: its arrays as npy files, and npy files as arrays."""

from __future__ import annotations

import io
import mmap
import os
import shutil
import signal
import stat
import subprocess

import numpy as np
import pytest
from support.build import native_environment
from support.wait import wait_for

pytestmark = pytest.mark.fuse

NOBODY = 65534
STRUCTURED = np.dtype([("a", "<i4"), ("bé", ">f8", (2,)), ("c", [("d", "S3")])])
ARRAYS = {
    "C": np.arange(24.0).reshape(2, 3, 4),
    "Fortran": np.asfortranarray(np.arange(24, dtype="<i2").reshape(4, 6)),
    "0-d": np.array(7.5),
    "empty": np.zeros((3, 0, 2), "<f4"),
    "big-endian": np.arange(5, dtype=">u8"),
    "text": np.array(["a", "bcd", "é€"]),
    "dates": np.array(["2020-01-01", "NaT"], "<M8[D]"),
    "complex": np.arange(3) * 1j,
    "structured": np.array([(1, (2, 3), (b"x",)), (4, (5, 6), (b"yz",))], STRUCTURED),
    "wide": np.zeros(3, [(f"field{i}", "<f8") for i in range(200)]),
    "large": np.random.default_rng(1).random((301, 1001)),
}
kinds = pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)


def saved(array, **how) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def run(*command, **how):
    return subprocess.run(command, capture_output=True, env=native_environment(), **how)


def assert_same(a, b):
    assert (a.dtype, a.shape, a.tobytes("A")) == (b.dtype, b.shape, b.tobytes("A"))
    assert (a.flags.c_contiguous, a.flags.f_contiguous) == (
        b.flags.c_contiguous,
        b.flags.f_contiguous,
    )


@pytest.fixture
def view(either):
    return either / ".npy"


@pytest.fixture
def x(sa):
    """The array x, 0.0 to 11.0 in 3 rows."""
    array = sa.create("x", (3, 4))
    array[:] = np.arange(12).reshape(3, 4)
    return array


# What is in it


def test_view_is_found_but_not_listed(x, either, view):
    assert stat.S_ISDIR(os.stat(view).st_mode)
    assert os.listdir(either) == ["x"]


def test_view_lists_arrays_and_nothing_else(sa, store, x, view):
    os.mkdir(store / "group")
    (store / "foreign").write_bytes(b"no array" * 1000)
    sa.create("y.npy", 3)
    assert sorted(os.listdir(view)) == ["x.npy", "y.npy.npy"]
    assert sorted(e.name for e in os.scandir(view) if e.is_file()) == ["x.npy", "y.npy.npy"]


def test_each_group_has_its_own(sa, store, x, either):
    os.mkdir(store / "group")
    sa.create("shm://group/y", 3)[:] = 5
    assert os.listdir(either / "group" / ".npy") == ["y.npy"]
    assert np.load(either / "group" / ".npy" / "y.npy").tolist() == [5] * 3


def test_view_of_a_renamed_group_stays_with_it(sa, store, either):
    os.mkdir(store / "a")
    sa.create("shm://a/x", 3)[:] = 5
    assert np.load(either / "a" / ".npy" / "x.npy").tolist() == [5] * 3
    os.rename(either / "a", either / "b")
    assert np.load(either / "b" / ".npy" / "x.npy").tolist() == [5] * 3


@pytest.mark.parametrize("name", ["x", "y.npy", ".npy", "group.npy", "x.npy.npy", "foreign.npy"])
def test_what_is_no_array_is_not_found(store, x, view, errno_of, name):
    os.mkdir(store / "group")
    (store / "foreign").write_bytes(b"no array" * 1000)
    assert errno_of(os.stat, view / name) == "ENOENT"


@pytest.mark.parametrize("name", ["a,b", "a b", "a\nb", "ä€😀", "n" * 251, b"\xff\xfe"], ids=repr)
def test_any_name_shows(sa, view, name):
    sa.create(name, 3)[:] = 5
    (shown,) = os.listdir(os.fsencode(view))
    assert shown == os.fsencode(name) + b".npy"
    assert np.load(os.path.join(os.fsencode(view), shown)).tolist() == [5] * 3


def test_name_that_would_be_too_long_is_not_in_it(sa, view, errno_of):
    sa.create("n" * 252, 3)
    assert os.listdir(view) == []
    assert errno_of(os.stat, view / ("n" * 252 + ".npy")) == "ENAMETOOLONG"


def test_view_wins_over_a_group_of_that_name(sa, store, x, either, view):
    os.mkdir(store / ".npy")
    sa.create("shm://.npy/y", 3)
    assert os.listdir(either) == ["x"]
    assert os.listdir(view) == ["x.npy"]


# Reading


@kinds
def test_file_is_what_save_writes(sa, view, array):
    sa.put("x", array)
    assert (view / "x.npy").read_bytes() == saved(array)
    assert os.stat(view / "x.npy").st_size == len(saved(array))


@kinds
def test_load(sa, view, array):
    sa.put("x", array)
    assert_same(np.load(view / "x.npy"), array)


@pytest.mark.parametrize("mode", ["r", "c"])
def test_load_as_a_map(x, view, mode):
    loaded = np.load(view / "x.npy", mmap_mode=mode)
    assert isinstance(loaded, np.memmap)
    assert loaded.tolist() == x.tolist()


def test_each_open_sees_what_is_there_then(x, view):
    maps = []
    for value in (1, 2, 3):
        x[:] = value
        maps.append(np.load(view / "x.npy", mmap_mode="r"))
        assert maps[-1].tolist() == np.load(view / "x.npy").tolist() == x.tolist()


@pytest.mark.parametrize("first", ["array", "view"])
def test_array_and_its_view_are_open_together(x, either, view, first):
    """One inode that is opened in two ways would be EIO."""
    paths = [either / "x", view / "x.npy"]
    for path in paths if first == "array" else paths[::-1]:
        np.memmap(path, np.uint8, "r")[0] + 0
    kept = [np.memmap(path, np.uint8, "r") for path in paths + paths]
    assert kept[0].tobytes() == x.tobytes()
    assert np.load(view / "x.npy").tolist() == x.tolist()
    with open(either / "x", "r+b", buffering=0) as file:
        file.write(bytes(8))
    assert x[0, 0] == 0


@pytest.mark.passthrough
def test_view_is_never_passed_through(x, direct):
    np.load(direct / ".npy" / "x.npy", mmap_mode="r").sum()
    assert direct.counters()["reads"] > 0


def test_read_at_any_offset(sa, view):
    array = np.arange(3000, dtype="<u2")
    sa.put("x", array)
    whole = saved(array)
    with open(view / "x.npy", "rb", buffering=0) as file:
        for offset in (0, 1, 127, 128, 129, 6127, 6128, 1 << 40):
            for count in (1, 2, 130, 10_000):
                assert os.pread(file.fileno(), count, offset) == whole[offset : offset + count]


def test_header_and_data_are_data_to_seek(x, view, errno_of):
    with open(view / "x.npy", "rb") as file:
        fd = file.fileno()
        for offset in (0, 5, 128, 130):
            assert os.lseek(fd, offset, os.SEEK_DATA) == offset
            assert os.lseek(fd, offset, os.SEEK_HOLE) == 128 + 96
        assert errno_of(os.lseek, fd, 128 + 96, os.SEEK_DATA) == "ENXIO"


def test_sparse_array_stays_sparse_when_it_is_read(sa, store, view):
    sa.create("x", 1 << 20, reserve=False)
    blocks = os.stat(store / "x").st_blocks
    assert np.load(view / "x.npy").sum() == 0
    assert os.stat(store / "x").st_blocks == blocks


def test_stat_is_the_array_s_but_read_only_and_another_file(store, x, either, view):
    os.chmod(store / "x", 0o642)
    os.chown(store / "x", 12, 34)
    os.utime(store / "x", ns=(5, 7))
    seen, true = os.stat(view / "x.npy"), os.stat(either / "x")
    assert stat.S_IMODE(seen.st_mode) == 0o440
    for field in ("st_uid", "st_gid", "st_nlink", "st_mtime_ns", "st_ctime_ns", "st_dev"):
        assert getattr(seen, field) == getattr(true, field)
    assert seen.st_ino != true.st_ino
    assert os.stat(view).st_ino != os.stat(either).st_ino


def test_listing_and_stat_agree_on_the_inode(x, view):
    (entry,) = os.scandir(view)
    assert entry.inode() == os.stat(view / "x.npy").st_ino


def test_deleted_array_stays_readable_while_its_view_is_open(sa, x, view, errno_of):
    with open(view / "x.npy", "rb") as file:
        sa.delete("x")
        assert np.load(file).tolist() == x.tolist()
        assert os.fstat(file.fileno()).st_nlink == 0
    assert errno_of(os.stat, view / "x.npy") == "ENOENT"


def test_replaced_array_is_another_file(sa, x, view):
    old = np.load(view / "x.npy", mmap_mode="r")
    sa.delete("x")
    sa.create("x", 5, "<i2")[:] = 9
    assert np.load(view / "x.npy").tolist() == [9] * 5
    assert old.tolist() == x.tolist()


def test_reinterpreted_array_is_another_file(x, either, view):
    with open(view / "x.npy", "rb", buffering=0) as old:
        os.setxattr(either / "x", "user.sharr.shape", b"4,3")
        assert np.load(view / "x.npy").shape == (4, 3)
        assert np.load(io.BytesIO(old.read())).shape == (3, 4)


@pytest.mark.parametrize("command", ["cp {} {}", "cat {} > {}", "dd if={} of={} bs=7 status=none"])
def test_programs_copy_it_out(sa, area, view, command):
    array = ARRAYS["large"]
    sa.put("x", array)
    run("sh", "-c", command.format(view / "x.npy", area / "out"), check=True)
    assert (area / "out").read_bytes() == saved(array)


def test_tar_and_cp_take_the_whole_view(sa, x, area, either, view):
    sa.create("y", 3)[:] = 5
    for command in (["cp", "-a", view, area / "cp"], ["tar", "-C", either, "-cf", "t", ".npy"]):
        done = run(*command, cwd=area)
        assert (done.returncode, done.stderr) == (0, b"")
    run("tar", "-xf", "t", cwd=area, check=True)
    for folder in ("cp", ".npy"):
        assert np.load(area / folder / "x.npy").tolist() == x.tolist()
        assert np.load(area / folder / "y.npy").tolist() == [5] * 3


@pytest.mark.root
@pytest.mark.parametrize(("mode", "code"), [(0o600, "EACCES"), (0o644, None)])
def test_who_may_not_read_the_array_may_not_read_it_there(x, store, mount, python, mode, code):
    mounted = mount(store, "allow_other")
    os.chmod(store, 0o755)
    os.chmod(store / "x", mode)
    other = python(uid=NOBODY)
    other.run("import errno\nload = lambda: np.load(path).sum()", path=str(mounted / ".npy/x.npy"))
    lines = ["code = None", "try: load()", "except OSError as e: code = errno.errorcode[e.errno]"]
    assert other.run("\n".join([*lines, "code"])) == code


# Nothing that is in it changes


REFUSED = {
    "write": ("EACCES", lambda v: os.open(v / "x.npy", os.O_WRONLY)),
    "update": ("EACCES", lambda v: os.open(v / "x.npy", os.O_RDWR)),
    "truncating open": ("EACCES", lambda v: os.open(v / "x.npy", os.O_RDONLY | os.O_TRUNC)),
    "save": ("EACCES", lambda v: np.save(v / "x.npy", np.zeros(3))),
    "writable map": ("EACCES", lambda v: np.load(v / "x.npy", mmap_mode="r+")),
    "exclusive create": ("EEXIST", lambda v: os.open(v / "x.npy", os.O_CREAT | os.O_EXCL)),
    "truncate": ("EPERM", lambda v: os.truncate(v / "x.npy", 0)),
    "unlink": ("EPERM", lambda v: os.unlink(v / "x.npy")),
    "unlink what is not there": ("ENOENT", lambda v: os.unlink(v / "y.npy")),
    "rename": ("EPERM", lambda v: os.rename(v / "x.npy", v / "y.npy")),
    "rename out": ("EPERM", lambda v: os.rename(v / "x.npy", v.parent / "y")),
    "rename in": ("EPERM", lambda v: os.rename(v.parent / "x", v / "y.npy")),
    "rename the view": ("EPERM", lambda v: os.rename(v, v.parent / "y")),
    "rename to the view": ("EPERM", lambda v: os.rename(v.parent / "group", v)),
    "chmod of the view": ("EPERM", lambda v: os.chmod(v, 0o777)),
    "chown of the view": ("EPERM", lambda v: os.chown(v, 1, 1)),
    "utime of the view": ("EPERM", lambda v: os.utime(v, (1, 1))),
    "setxattr": ("EPERM", lambda v: os.setxattr(v / "x.npy", "user.a", b"1")),
    "setxattr sharr": ("EPERM", lambda v: os.setxattr(v / "x.npy", "user.sharr.shape", b"12")),
    "removexattr": ("EPERM", lambda v: os.removexattr(v / "x.npy", "user.unit")),
    "getxattr": ("ENODATA", lambda v: os.getxattr(v / "x.npy", "user.unit")),
    "getxattr trusted": ("ENOTSUP", lambda v: os.getxattr(v / "x.npy", "security.selinux")),
    "mkdir": ("EPERM", lambda v: os.mkdir(v / "y.npy")),
    "mkdir of the view": ("EEXIST", lambda v: os.mkdir(v)),
    "rmdir of the view": ("EPERM", lambda v: os.rmdir(v)),
    "symlink": ("EPERM", lambda v: os.symlink("x.npy", v / "y.npy")),
    "link": ("EPERM", lambda v: os.link(v / "x.npy", v / "y.npy")),
    "link of the array": ("EPERM", lambda v: os.link(v / "x.npy", v.parent / "y")),
    "fifo": ("EPERM", lambda v: os.mkfifo(v / "y.npy")),
    "name without .npy": ("EINVAL", lambda v: os.open(v / "y", os.O_CREAT | os.O_WRONLY)),
    "name of nothing": ("EINVAL", lambda v: os.open(v / ".npy", os.O_CREAT | os.O_WRONLY)),
    "name of the view": ("EPERM", lambda v: os.open(v / ".npy.npy", os.O_CREAT | os.O_WRONLY)),
    "nameless": ("EOPNOTSUPP", lambda v: os.open(v, os.O_TMPFILE | os.O_WRONLY)),
}


@pytest.mark.parametrize(("code", "attempt"), REFUSED.values(), ids=REFUSED)
def test_refused(x, store, either, view, errno_of, code, attempt):
    os.mkdir(store / "group")
    os.setxattr(either / "x", "user.unit", b"m")
    before = (store / "x").read_bytes()
    assert errno_of(attempt, view) in (code, {"EOPNOTSUPP": "ENOTSUP"}.get(code))
    assert store.names() == ["group", "x"]
    assert (store / "x").read_bytes() == before
    assert np.load(view / "x.npy").tolist() == x.tolist()


def test_array_called_as_its_view_is_not_deleted_in_its_stead(sa, store, x, view, errno_of):
    """The name that a client sees is not the one that the store has."""
    sa.create("x.npy", 3)
    sa.create("y.npy", 3)
    assert errno_of(os.unlink, view / "x.npy") == "EPERM"
    assert errno_of(os.unlink, view / "y.npy") == "ENOENT"
    assert store.names() == ["x", "x.npy", "y.npy"]


def test_it_has_no_attributes(x, view):
    assert os.listxattr(view / "x.npy") == os.listxattr(view) == []


# Writing


@kinds
def test_saved_is_an_array(sa, store, view, array):
    np.save(view / "x.npy", array)
    assert_same(np.asarray(sa.attach("x")), array)
    assert store.names() == ["x"]


@kinds
def test_saved_is_read_back_as_it_was(view, array):
    np.save(view / "x.npy", array)
    assert_same(np.load(view / "x.npy"), array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)], ids=str)
@pytest.mark.parametrize("kind", ["C", "Fortran", "0-d", "empty", "structured"])
def test_versions(sa, view, version, kind):
    array = ARRAYS[kind]
    if version == (1, 0) and kind == "structured":
        array = array.view(STRUCTURED.descr[:1] + [("bé", ">f8", (2,)), ("c", "V3")])
    with open(view / "x.npy", "wb") as file:
        np.lib.format.write_array(file, array, version)
    assert_same(np.asarray(sa.attach("x")), array)


@pytest.mark.parametrize("padding", [0, 1, 15, 16, 63, 1000, 60_000])
def test_padding(sa, view, padding):
    text = b"{'shape': (3,), 'fortran_order': False, 'descr': '<i2'}" + b" " * padding + b"\n"
    header = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text
    (view / "x.npy").write_bytes(header + b"\1\0\2\0\3\0")
    assert sa.attach("x").tolist() == [1, 2, 3]


DAMAGED = {
    "one byte short": saved(np.arange(10))[:-1],
    "no data": saved(np.arange(10))[:128],
    "half a header": saved(np.arange(10))[:70],
    "magic only": b"\x93NUMPY",
    "not npy": b"something else" * 100,
    "something behind": saved(np.arange(10)) + b"\0",
    "two in one": saved(np.arange(10)) * 2,
    "version 4": saved(np.arange(10)).replace(b"NUMPY\1", b"NUMPY\4"),
    "objects": saved(np.array([None, {}]), allow_pickle=True),
    "objects in fields": saved(np.zeros(2, [("a", "O")]), allow_pickle=True),
    "no such dtype": saved(np.arange(10)).replace(b"<i8", b"<q9"),
    "negative length": saved(np.arange(10)).replace(b"(10,)", b"(-1,)"),
    "too large": saved(np.arange(10)).replace(b"(10,), } ", b"(%d,), }" % (1 << 61)),
    "code": saved(np.arange(10)).replace(b"(10,)", b"f(1,)"),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_an_error_of_close(store, view, errno_of, data):
    fd = os.open(view / "x.npy", os.O_CREAT | os.O_WRONLY)
    os.write(fd, data)
    assert errno_of(os.close, fd) == "EINVAL"
    assert store.names() == os.listdir(view) == []


def test_file_with_nothing_in_it_makes_nothing(store, either, view):
    os.close(os.open(view / "x.npy", os.O_CREAT | os.O_WRONLY))
    wait_for(lambda: not os.path.exists(view / "x.npy"))
    assert store.names() == []


WRITERS = {
    "cp": "cp in.npy {}/x.npy",
    "cp -a": "cp -a in.npy {}/x.npy",
    "into the folder": "cp in.npy x.npy; cp x.npy {}",
    "mv": "mv in.npy {}/x.npy",
    "cat": "cat in.npy > {}/x.npy",
    "dd": "dd if=in.npy of={}/x.npy bs=4097 status=none",
    "two programs": "{{ head -c 100 in.npy; tail -c +101 in.npy; }} > {}/x.npy",
    "tar": "cp -p in.npy x.npy; tar -cf t x.npy; tar -C {} -xf t",
    "tar with attributes": "cp -p in.npy x.npy; tar --xattrs -cf t x.npy; tar --xattrs -C {} -xf t",
    "rsync": "cp -p in.npy x.npy; rsync --inplace x.npy {}/",
    "install": "install -m 600 in.npy {}/x.npy",
}


@pytest.mark.parametrize("script", WRITERS.values(), ids=WRITERS)
def test_programs_write_arrays(sa, store, area, view, script):
    array = np.asfortranarray(ARRAYS["large"])
    np.save(area / "in.npy", array)
    done = run("sh", "-c", script.format(view), cwd=area)
    assert done.returncode == 0, done.stderr
    assert_same(np.asarray(sa.attach("x")), array)
    assert store.names() == ["x"]


KEEPERS = {
    "cp": "cp -p in/x.npy {}",
    "cp -a": "cp -a in/x.npy {}/",
    "install": "install -p -m 640 -o 12 -g 34 in/x.npy {}/x.npy",
    "mv": "mv in/x.npy {}/",
    "rsync": "rsync -a --inplace in/x.npy {}/",
    "rsync with attributes": "rsync -aX --inplace in/x.npy {}/",
    "tar": "tar -C in -cf t x.npy; tar -C {} -xpf t",
    "copy2": 'python3 -c \'import shutil; shutil.copy2("in/x.npy", "{}")\'; chown 12:34 {}/x.npy',
    "touch": "cp in/x.npy {}; cd {}; chmod 640 x.npy; chown 12:34 x.npy; touch -d @7 x.npy",
}


@pytest.mark.root
@pytest.mark.parametrize("script", KEEPERS.values(), ids=KEEPERS)
def test_programs_keep_owner_mode_and_time(sa, store, area, view, script):
    (area / "in").mkdir()
    np.save(area / "in/x.npy", ARRAYS["structured"])
    os.chmod(area / "in/x.npy", 0o640)
    os.chown(area / "in/x.npy", 12, 34)
    os.utime(area / "in/x.npy", ns=(5, 7_000_000_007))
    done = run("sh", "-ec", script.replace("{}", str(view)), cwd=area)
    assert (done.returncode, done.stderr) == (0, b"")
    made = os.stat(store / "x")
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (12, 34, 0o640)
    assert made.st_mtime_ns // 10**9 == 7
    assert_same(np.asarray(sa.attach("x")), ARRAYS["structured"])


def test_mode_owner_and_times_are_the_array_s(x, store, view):
    os.chmod(view / "x.npy", 0o7604)
    os.chown(view / "x.npy", 12, 34)
    os.utime(view / "x.npy", ns=(5, 7))
    made = os.stat(store / "x")
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (12, 34, 0o604)
    assert (made.st_atime_ns, made.st_mtime_ns) == (5, 7)
    seen = os.stat(view / "x.npy")
    assert (stat.S_IMODE(seen.st_mode), seen.st_mtime_ns) == (0o404, 7)


@pytest.mark.root
@pytest.mark.parametrize("how", ["chmod(p, 0o777)", "chown(p, 65534, 65534)", "utime(p, (1, 1))"])
def test_only_the_owner_changes_them(x, store, mount, python, how):
    path = str(mount(store, "allow_other") / ".npy/x.npy")
    before = os.stat(store / "x")
    with pytest.raises(PermissionError):
        python(uid=NOBODY).run(f"os.{how}", p=path)
    assert os.stat(store / "x").st_ctime_ns == before.st_ctime_ns


def test_copy_keeps_times_mode_and_user_attributes(sa, area, either, view):
    np.save(area / "in.npy", np.arange(5))
    os.chmod(area / "in.npy", 0o640)
    os.utime(area / "in.npy", ns=(5, 7_000_000_007))
    with open(area / "in.npy", "rb") as source, open(view / "x.npy", "wb") as target:
        target.write(source.read())
        target.flush()
        os.setxattr(target.fileno(), "user.unit", b"m")
        os.fchmod(target.fileno(), 0o640)
        os.utime(target.fileno(), ns=(5, 7_000_000_007))
    made = os.stat(either / "x")
    assert (stat.S_IMODE(made.st_mode), made.st_mtime_ns) == (0o640, 7_000_000_007)
    assert os.getxattr(either / "x", "user.unit") == b"m"
    assert sa.attach("x").tolist() == [0, 1, 2, 3, 4]


def test_header_says_what_it_is_and_no_attribute(view, store, errno_of):
    with open(view / "x.npy", "wb") as file:
        assert errno_of(os.setxattr, file.fileno(), "user.sharr.dtype", b"<f8") == "EPERM"
        np.save(file, np.arange(5, dtype="<i2"))
    assert np.load(view / "x.npy").dtype == np.int16


def test_attach_right_after_save(sa, view):
    for i in range(200):
        np.save(view / f"x{i}.npy", np.full((2, 3), i))
        assert sa.attach(f"x{i}").tolist() == [[i] * 3] * 2


def test_nobody_sees_it_before_it_is_finished(sa, store, either, view):
    with open(view / "x.npy", "wb") as file:
        np.save(file, np.arange(5))
        file.flush()
        assert store.names() == os.listdir(view) == os.listdir(either) == []
    assert os.listdir(view) == ["x.npy"]


def test_parts_in_any_order(sa, view):
    whole = saved(ARRAYS["large"])
    with open(view / "x.npy", "wb", buffering=0) as file:
        for at in (2_000_000, 1_000_000, 0):
            os.pwrite(file.fileno(), whole[at : at + 1_000_000], at)
        os.pwrite(file.fileno(), whole[1:100], 1)
    assert (len(whole) + 999_999) // 1_000_000 == 3
    assert_same(np.asarray(sa.attach("x")), ARRAYS["large"])


def test_writer_sees_its_own_file(view):
    with open(view / "x.npy", "w+b") as file:
        file.write(saved(np.arange(5)))
        file.flush()
        assert os.fstat(file.fileno()).st_size == os.stat(view / "x.npy").st_size == 128 + 40
        file.seek(0)
        assert np.load(file).tolist() == [0, 1, 2, 3, 4]
        inode = os.fstat(file.fileno()).st_ino
    assert os.stat(view / "x.npy").st_ino == inode


def test_own_unfinished_file_can_be_deleted_and_not_renamed(store, view, errno_of):
    with open(view / "x.npy", "wb") as file:
        file.write(saved(np.arange(5)))
        assert errno_of(os.rename, view / "x.npy", view / "y.npy") == "EPERM"
        os.unlink(view / "x.npy")
    assert store.names() == []


def test_unfinished_file_is_not_mapped(view):
    """Its data move when it is finished."""
    with open(view / "x.npy", "w+b") as file:
        file.write(saved(np.arange(5)))
        file.flush()
        with pytest.raises(OSError, match="No such device"):
            mmap.mmap(file.fileno(), 100)


def test_name_taken_meanwhile_is_an_error_of_close(sa, store, view, errno_of):
    fd = os.open(view / "x.npy", os.O_CREAT | os.O_WRONLY)
    os.write(fd, saved(np.arange(5)))
    sa.create("x", 3)[:] = 7
    assert errno_of(os.close, fd) == "EEXIST"
    assert sa.attach("x").tolist() == [7] * 3
    assert store.names() == ["x"]


def test_foreign_file_is_not_replaced(store, view, errno_of):
    (store / "x").write_bytes(b"no array")
    assert errno_of(np.save, view / "x.npy", np.arange(5)) == "EEXIST"
    assert (store / "x").read_bytes() == b"no array"


def test_killed_writer_leaves_nothing(store, view, python):
    other = python()
    other.run("f = open(path, 'wb', buffering=0)", path=str(view / "x.npy"))
    other.run("np.save(f, np.arange(5))")
    other.process.send_signal(signal.SIGKILL)
    other.process.wait(10)
    wait_for(lambda: not os.path.exists(view / "x.npy"))
    assert store.names() == []


def test_full_store_is_an_error_and_leaves_nothing(store, mount, errno_of):
    small = store(size="1m")
    mounted = mount(small, "io=fallback")
    assert errno_of(np.save, mounted / ".npy" / "x.npy", np.zeros(1 << 20)) == "ENOSPC"
    wait_for(lambda: small.names() == [])
    wait_for(lambda: os.statvfs(small).f_bfree > 200, what="the release of the draft")


def test_it_takes_no_more_than_its_size(store, mount):
    small = store(size="3m")
    mounted = mount(small, "io=fallback")
    np.save(mounted / ".npy" / "x.npy", np.ones(1 << 18))
    assert np.load(mounted / ".npy" / "x.npy").sum() == 1 << 18


@pytest.mark.root
def test_it_belongs_to_who_wrote_it(store, mount, python):
    os.chmod(store, 0o1777)
    mounted = mount(store, "allow_other")
    other = python(uid=NOBODY)
    other.run("os.umask(0o027); np.save(path, np.arange(5))", path=str(mounted / ".npy/x.npy"))
    made = os.stat(store / "x")
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (NOBODY, NOBODY, 0o640)


@pytest.mark.root
def test_who_may_not_write_to_the_directory_saves_nothing(store, mount, python):
    os.chmod(store, 0o755)
    mounted = mount(store, "allow_other")
    other = python(uid=NOBODY)
    with pytest.raises(PermissionError):
        other.run("np.save(path, np.arange(5))", path=str(mounted / ".npy/x.npy"))


def test_saved_in_a_group(sa, store, either):
    os.mkdir(either / "group")
    np.save(either / "group" / ".npy" / "x.npy", np.arange(5))
    assert sa.attach("shm://group/x").tolist() == [0, 1, 2, 3, 4]
    shutil.copyfile(either / "group" / ".npy" / "x.npy", either / ".npy" / "y.npy")
    assert sa.attach("y").tolist() == [0, 1, 2, 3, 4]
