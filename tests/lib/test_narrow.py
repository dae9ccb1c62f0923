# SPDX-License-Identifier: BSD-3-Clause
"""A process of 32 bits: what it has no addresses for is refused in words, and listed."""

from __future__ import annotations

import os
import subprocess
from errno import EOVERFLOW

import pytest
from lib.clib import SPARSE
from support.area import make_area, remove_area
from support.compilers import compiled, sources

pytestmark = [pytest.mark.slow, pytest.mark.release_only]

CALL = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sharr.h"

static int tell(const struct sharr_info *info, void *userdata)
{
	printf("%s %lld\n", info->name, (long long)info->nbytes);
	return 0;
}

static int place(const struct sharr_info *info, void *userdata, void **ret_buffer)
{
	*ret_buffer = userdata;
	return 0;
}

static int call(const char *what, const char *name, int64_t bytes)
{
	const struct sharr_spec spec = {.dtype = "|u1", .shape = &bytes, .ndim = 1};
	const struct sharr_attr attr = {"units", "m", 1};
	struct sharr *array = NULL;
	struct sharr_info *info = NULL;
	char buffer[3];
	int r = -1;

	if (!strcmp(what, "create"))
		r = sharr_create(name, &spec, SHARR_SPARSE, &array);
	if (!strcmp(what, "prepare"))
		r = sharr_prepare(name, &spec, 0, &array);
	if (!strcmp(what, "put"))
		r = sharr_put(name, &spec, buffer, 0);
	if (!strcmp(what, "attach"))
		r = sharr_attach(name, SHARR_READONLY, &array);
	if (!strcmp(what, "copy"))
		r = sharr_copy(name, NULL, buffer, (size_t)bytes);
	if (!strcmp(what, "copy_to"))
		r = sharr_copy_to(name, place, buffer);
	if (!strcmp(what, "list"))
		r = sharr_list(NULL, tell, NULL);
	if (!strcmp(what, "set"))
		r = sharr_attrs_set(name, &attr, 1);
	if (!strcmp(what, "delete"))
		r = sharr_delete(name);
	if (!strcmp(what, "stat"))
		r = sharr_stat(name, &info);
	if (info)
		tell(info, NULL);
	sharr_info_free(info);
	sharr_detach(array);
	return r;
}

int main(int argc, char **argv)
{
	int r = call(argv[1], argv[2], atoll(argv[3]));

	printf("%d %s\n", r, sharr_error());
	return 0;
}
"""

SMALL = 3
# As a size_t the first is 3 bytes, so that a part would be mapped; the other is just too large.
LARGE = [(4 << 30) + 3, 1 << 31]


@pytest.fixture(scope="module")
def program():
    folder = make_area()
    (folder / "call.c").write_text(CALL)
    compiled("gcc -m32", folder / "call.c", *sources("lib"), "-o", folder / "call")
    yield folder / "call"
    remove_area(folder)


@pytest.fixture
def narrow(program, store):
    """narrow("attach", "x", bytes): the lines that a process of 32 bits prints of that call."""

    def run(what: str, name: object, count: int = 0, **environment) -> list[str]:
        done = subprocess.run(
            [program, what, str(name), str(count)],
            env={**os.environ, "SHARR_STORE": str(store), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    return run


def refusal(count: int) -> str:
    return f"({count} bytes) are more than a process of 32 bits has addresses for"


def refused(lines: list[str], count: int) -> bool:
    return lines[-1].startswith(f"{-EOVERFLOW} ") and lines[-1].endswith(refusal(count))


def block_offset(count: int) -> int:
    return -(-count // 64) * 64


def mapped(count: int) -> int:
    """Of an array: its data and the fixed block."""
    return block_offset(count) + 128


def test_small_arrays_are_as_anywhere(c, narrow):
    c.create("x", dtype="|u1", shape=SMALL)
    for what in ("attach", "copy", "copy_to", "set", "delete"):
        assert narrow(what, "x", SMALL) == ["0 "]
    for what in ("create", "put", "prepare"):
        assert narrow(what, f"new_{what}", SMALL) == ["0 "]


@pytest.mark.parametrize("count", LARGE)
def test_large_arrays_are_not_made(narrow, store, count):
    for what in ("create", "prepare", "put"):
        assert refused(narrow(what, "x", count), mapped(count))
    assert store.names() == []


@pytest.mark.parametrize("count", LARGE)
def test_large_arrays_are_neither_attached_nor_copied(c, narrow, count):
    c.create("x", SPARSE, dtype="|u1", shape=count)
    assert refused(narrow("attach", "x"), mapped(count))
    for what in ("copy", "copy_to"):
        assert refused(narrow(what, "x", count & 0xFFFFFFFF), count)


@pytest.mark.parametrize("count", LARGE)
def test_large_arrays_are_listed_described_and_deleted(c, narrow, count):
    c.create("x", SPARSE, dtype="|u1", shape=count)
    c.create("y", dtype="|u1", shape=SMALL)
    *listed, result = narrow("list", "-")
    assert sorted(listed) == [f"x {count}", f"y {SMALL}"]
    assert result == "0 "
    assert narrow("stat", "x") == [f"x {count}", "0 "]
    assert narrow("set", "x") == ["0 "]
    assert c.attrs("x") == {"units": b"m"}
    assert narrow("delete", "x") == ["0 "]
    assert c.names() == ["y"]


@pytest.mark.fuse
@pytest.mark.parametrize("count", LARGE)
@pytest.mark.parametrize("io", ["auto", "fallback"])
def test_large_arrays_are_not_attached_through_the_mount(c, narrow, store, mount, io, count):
    c.create("x", SPARSE, dtype="|u1", shape=count).detach()
    c.create("y", dtype="|u1", shape=SMALL)
    with open(store / "x", "r+b") as file:  # its metadata once more, where a part would end
        file.seek(block_offset(count))
        metadata = file.read()
        file.seek(block_offset(count) & 0xFFFFFFFF)
        file.write(metadata)
    mounted = mount(store, f"io={io}")
    via = {"SHARR_MOUNT": str(mounted), "SHARR_VIA": "mount"}
    assert refused(narrow("attach", "x", **via), mapped(count))
    assert narrow("attach", "y", **via) == ["0 "]
