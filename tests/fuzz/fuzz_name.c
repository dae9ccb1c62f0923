/* SPDX-License-Identifier: BSD-3-Clause */
/* Names: what is taken leads to one entry of one directory, below the store unless it is a file:// name. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name name = { .at = -1 };
	char *text = malloc(size + 1);
	const char *leaf;

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	setenv("SHARR_STORE", "/nonexistent", 1);
	if (name_init(text, 0, &name) == 0) {
		leaf = strrchr(name.path, '/');
		leaf = leaf ? leaf + 1 : name.path;
		REQUIRE(*leaf && strcmp(leaf, ".") != 0 && strcmp(leaf, "..") != 0 && strlen(leaf) <= NAME_MAX);
		if (name.in_store)
			REQUIRE(strncmp(name.path, "/nonexistent/", 13) == 0 && strchr(name.path + 13, '/') == NULL);
		name_deinit(&name);
	}
	free(text);
	return 0;
}
