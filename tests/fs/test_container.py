# SPDX-License-Identifier: BSD-3-Clause
"""A container: another directory where the store is, and the host's mount bound at /mnt/sharr.

`host` is the store of this process, mounted; a container is a process in namespaces of its own.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from support.build import python_environment
from support.namespace import contained
from support.remote import Remote
from support.wait import wait_for

pytestmark = [pytest.mark.fuse, pytest.mark.root]

IMPORTS = "import numpy as np, SharedArray as sa, os"


@pytest.fixture(params=[pytest.param("passthrough", marks=pytest.mark.passthrough), "fallback"])
def host(request, mount, store):
    return mount(store, f"io={request.param}", "allow_other")


@pytest.fixture
def passing(mount, store):
    return mount(store, "io=passthrough", "allow_other")


@pytest.fixture
def container(store, remotes):
    """container(mount, "ro"): Python with sa where the store is a tmpfs of its own, and the mount
    is bound at /mnt/sharr; within="unshare …" starts it in further namespaces."""

    def start(mounted, bound: str = "rw", within: str = "", **environment: str) -> Remote:
        script = f"""
            mount -t tmpfs none "$0" && mount -t tmpfs none /mnt && mkdir /mnt/sharr &&
            mount --bind "$1" /mnt/sharr && mount -o remount,bind,{bound} /mnt/sharr &&
            shift && exec {within} "$@"
        """
        variables = python_environment(SHARR_STORE=str(store), **environment)
        remotes.append(Remote(contained(script, store, mounted, sys.executable), variables))
        remotes[-1].run(IMPORTS)
        return remotes[-1]

    return start


def names(remote) -> list[str]:
    return remote.run("sorted(item.name.decode() for item in sa.list())")


def test_sees_the_hosts_arrays_by_their_names(sa, host, container):
    sa.create("x", (2, 3), np.int16)[:] = 7
    inside = container(host)
    assert inside.run("[(i.name, i.dtype, i.dims) for i in sa.list()]") == [
        (b"x", "numpy.int16", (2, 3))
    ]
    assert inside.run("sa.attach('x', ro=True)") == [[7] * 3] * 2
    assert inside.run("sa.attach('shm://x', ro=True).flags.writeable") is False
    assert inside.run("sa.copy('x')") == [[7] * 3] * 2
    assert inside.run("i = sa.info('x'); (i.name, i.shape, i.nbytes)") == ("x", (2, 3), 12)
    assert inside.run("os.listdir(os.environ['SHARR_STORE'])") == []


@pytest.mark.passthrough
def test_shares_memory_with_the_host(sa, passing, container):
    array = sa.create("x", 1000)
    inside = container(passing)
    inside.run("a = sa.attach('x'); a[1] = 5")
    array[0] = 4
    assert inside.run("a[:2]") == [4, 5] == array[:2].tolist()
    assert passing.counters()["reads"] == passing.counters()["writes"] == 0


def test_creates_its_own_unless_told_otherwise(sa, host, container, store):
    inside = container(host)
    inside.run("sa.put('own', np.ones(3))")
    assert (names(inside), store.names()) == (["own"], [])
    other = container(host, SHARR_VIA="mount")
    other.run("sa.put('given', np.ones(3))")
    assert sa.attach("given").tolist() == [1, 1, 1]
    assert (names(inside), names(other)) == (["given", "own"], ["given"])


@pytest.mark.passthrough
def test_creates_in_the_mount_what_the_host_attaches(sa, passing, container):
    inside = container(passing, SHARR_VIA="mount")
    inside.run("a = sa.create('x', (3, 4), 'f4'); a[0, 1] = 5")
    array = sa.attach("x")
    assert (array.shape, array.dtype, array[0, 1]) == ((3, 4), np.float32, 5)
    array[2, 3] = 6
    assert inside.run("a[2, 3]") == 6
    with pytest.raises(FileExistsError):
        inside.run("sa.create('x', 3)")


def test_deletes_its_own_first(sa, host, container, store):
    sa.create("x", 3)
    inside = container(host)
    inside.run("sa.put('x', np.ones(5))")
    assert inside.run("[i.dims for i in sa.list()]") == [(5,)]
    inside.run("sa.delete('x')")
    assert inside.run("[i.dims for i in sa.list()]") == [(3,)]
    inside.run("sa.delete('x')")
    assert (names(inside), store.names()) == ([], [])
    with pytest.raises(FileNotFoundError):
        inside.run("sa.delete('x')")


def test_groups_of_both_are_listed_together(sa, host, container, store):
    os.mkdir(store / "group")
    sa.create("group/x", 3)
    sa.create("group/y", 3)
    inside = container(host)
    listing = "sorted((i.name, i.dims) for i in sa.list('group'))"
    assert inside.run(listing) == [(b"group/x", (3,)), (b"group/y", (3,))]
    assert inside.run("sa.attach('group/x', ro=True)") == [0, 0, 0]
    inside.run("os.mkdir(os.environ['SHARR_STORE'] + '/group'); sa.put('group/y', np.ones(5))")
    assert inside.run(listing) == [(b"group/x", (3,)), (b"group/y", (5,))]
    with pytest.raises(FileNotFoundError):
        inside.run("sa.list('none')")


def test_via_shm_sees_its_own_only(sa, host, container):
    sa.create("x", 3)
    inside = container(host, SHARR_VIA="shm")
    assert names(inside) == []
    with pytest.raises(FileNotFoundError):
        inside.run("sa.attach('x')")


def test_listing_out_of_descriptors_is_not_short(sa, host, container):
    for i in range(3):
        sa.create(f"x{i}", 3)
    inside = container(host)
    inside.run("sa.put('own', np.ones(3)); import resource; sa.list()")
    inside.run("free = os.open('/', os.O_RDONLY); os.close(free)")
    limit = "resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, 4096)); len(sa.list())"
    found = [errno_of_or_value(inside, limit, more) for more in range(8)]
    assert set(found) == {"EMFILE", 4}


def errno_of_or_value(remote, code, more):
    try:
        return remote.run(code, more=more)
    except OSError as error:
        return errno.errorcode[error.errno]


@pytest.mark.release_only
def test_mount_that_shows_the_store_itself_is_not_listed_again(sa, host, store, tmp_path):
    sa.create("x", 3)
    code = "import SharedArray as sa; print([item.name for item in sa.list()])"
    trace = ["strace", "-f", "-e", "trace=openat", "-o", tmp_path / "trace"]
    listed = subprocess.run(
        [*trace, sys.executable, "-c", code],
        env=python_environment(SHARR_STORE=str(store), SHARR_MOUNT=str(host)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert listed.stdout == "[b'x']\n"
    opened = (tmp_path / "trace").read_text()
    assert f'"{store}"' in opened
    assert f'"{host}"' not in opened


@pytest.mark.parametrize("within", ["unshare --map-root-user", "setpriv --reuid 1 --clear-groups"])
@pytest.mark.passthrough
def test_root_of_a_user_namespace_and_other_users(sa, passing, container, store, within):
    array = sa.create("x", 3)
    os.chmod(store / "x", 0o666)
    sa.create("private", 3)
    os.chmod(store / "private", 0o600)
    inside = container(passing, within=within)
    assert inside.run("os.getuid()") == (0 if "map-root" in within else 1)
    inside.run("sa.attach('x')[:] = 3")
    assert array.tolist() == [3, 3, 3]
    assert names(inside) == ["private", "x"] if "map-root" in within else ["x"]
    inside.run("os.environ['SHARR_VIA'] = 'mount'; sa.put('y', np.ones(3))")
    assert os.stat(store / "y").st_uid == (0 if "map-root" in within else 1)


def test_read_only_bind_mount(sa, host, container, store):
    sa.create("x", 3)[:] = 7
    inside = container(host, "ro")
    assert inside.run("sa.attach('x', ro=True)") == [7, 7, 7]
    assert inside.run("sa.copy('x')") == [7, 7, 7]
    for call in ("sa.attach('x')", "sa.delete('x')"):
        with pytest.raises(OSError, match="read-only"):
            inside.run(call)
    inside.run("os.environ['SHARR_VIA'] = 'mount'")
    with pytest.raises(OSError, match="read-only"):
        inside.run("sa.put('y', np.ones(3))")
    assert store.names() == ["x"]


def test_mount_that_lets_nobody_else_in_is_none(sa, mount, container):
    sa.create("x", 3)
    inside = container(mount(), within="setpriv --reuid 1 --clear-groups")
    assert names(inside) == []
    with pytest.raises(FileNotFoundError):
        inside.run("sa.attach('x')")


@pytest.mark.passthrough
def test_daemon_dies_and_what_is_attached_lives(sa, passing, container):
    array = sa.create("x", 3)
    inside = container(passing)
    inside.run("a = sa.attach('x')")
    passing.kill()
    inside.run("a[0] = 5")
    assert array[0] == 5
    array[1] = 6
    assert inside.run("a") == [5, 6, 0]
    inside.run("sa.put('own', np.ones(3))")
    assert names(inside) == ["own"]
    with pytest.raises(FileNotFoundError):
        inside.run("sa.attach('x')")


def test_mount_that_is_made_anew_comes_by_the_directory_above_it(sa, area, store, mount, remotes):
    above = area / "above"
    (above / "m").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", above], check=True)
    subprocess.run(["mount", "--make-shared", above], check=True)
    (above / "m").mkdir()
    sa.create("x", 3)[:] = 7
    first = mount(store, "allow_other", at=above / "m")
    script = """
        mount --make-rslave "$1" && mount --make-private "$0" && mount -t tmpfs none "$0" &&
        shift && exec "$@"
    """
    command = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script]
    variables = python_environment(SHARR_STORE=str(store), SHARR_MOUNT=str(above / "m"))
    inside = Remote([*command, store, above, sys.executable], variables)
    remotes.append(inside)
    inside.run(IMPORTS)
    assert names(inside) == ["x"]
    first.kill()
    assert names(inside) == []
    first.detach()
    mount(store, "allow_other", at=above / "m")
    wait_for(lambda: names(inside) == ["x"])
    assert inside.run("sa.attach('x', ro=True)") == [7, 7, 7]
    inside.close()
