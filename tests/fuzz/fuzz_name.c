/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names: what is taken leads to one entry of one directory, below the store unless it is a file:// name; of a store that is
 * not there, and of one that has groups.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "name.h"

static void check(const char *text, const char *store)
{
	struct name name = { .at = -1 };
	size_t bytes = strlen(store);
	const char *leaf;

	setenv("SHARR_STORE", store, 1);
	if (name_init(text, 0, &name) < 0)
		return;
	leaf = strrchr(name.path, '/');
	leaf = leaf ? leaf + 1 : name.path;
	REQUIRE(*leaf && strcmp(leaf, ".") != 0 && strcmp(leaf, "..") != 0 && strlen(leaf) <= NAME_MAX);
	if (name.in_store && name.at == AT_FDCWD)
		REQUIRE(strncmp(name.path, store, bytes) == 0 && leaf == name.path + bytes + 1);
	else if (name.in_store)
		REQUIRE(leaf == name.path);
	name_deinit(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	check(text, "/nonexistent");
	check(text, "/usr");
	free(text);
	return 0;
}
