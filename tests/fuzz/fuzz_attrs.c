/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * User attributes: the input is the value of user.sharr.attrs, many changes in one, and what a tail may have for attributes.
 * Changes that are taken are packed the same, and have all happened in the end, the last of each name.
 */
#include <errno.h>
#include <string.h>

#include "attributes.h"
#include "attrs.h"
#include "fuzz.h"

static void check_packed(const struct sharr_attr *changes, size_t count, const uint8_t *data, size_t size)
{
	unsigned char *packed;
	size_t bytes;

	if (attributes_pack(changes, count, &packed, &bytes) < 0)
		return;
	REQUIRE(bytes == size && (size == 0 || memcmp(packed, data, size) == 0));
	free(packed);
}

static const struct sharr_attr *last_of(const struct sharr_attr *changes, size_t count, const char *name)
{
	while (strcmp(changes[count - 1].name, name) != 0)
		count--;
	return &changes[count - 1];
}

static void check_changed(const struct sharr_attr *changes, size_t count, const unsigned char *attrs, size_t bytes)
{
	struct attr attr;
	size_t at = 0;

	while (attrs_next(attrs, bytes, &at, &attr)) {
		char name[ATTRS_NAME_MAX + 1] = { 0 };

		memcpy(name, attr.name, attr.name_bytes);
		REQUIRE(last_of(changes, count, name)->value);
	}
	REQUIRE(at == bytes);
	for (size_t i = 0; i < count; i++) {
		const struct sharr_attr *last = last_of(changes, count, changes[i].name);
		int r = attrs_get(attrs, bytes, last->name, &attr);

		REQUIRE(r == (last->value ? 0 : -ENODATA));
		if (r == 0)
			REQUIRE(attr.value_bytes == last->bytes && memcmp(attr.value, last->value, last->bytes) == 0);
	}
}

/* As a tail has them, perhaps damaged: what comes before the damage is kept beside what is new. */
static void check_beside(const uint8_t *data, size_t size)
{
	unsigned char *changed;
	size_t bytes, at = 0, before = 0, after = 0;
	struct attr attr;

	while (attrs_next(data, size, &at, &attr))
		before++;
	REQUIRE(at <= size);
	if (attrs_get(data, size, "new", &attr) == 0)
		return;
	REQUIRE(attrs_change(data, size, "new", "1", 1, &changed, &bytes) == 0);
	for (at = 0; attrs_next(changed, bytes, &at, &attr);)
		after++;
	REQUIRE(after == before + 1 && at == bytes);
	free(changed);
	REQUIRE(attrs_change_all(data, size, NULL, 0, &changed, &bytes) == 0);
	REQUIRE(bytes == size && (size == 0 || memcmp(changed, data, size) == 0));
	free(changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sharr_attr *changes;
	unsigned char *attrs;
	size_t count, bytes;

	check_beside(data, size);
	if (attributes_unpack(data, size, &changes, &count) < 0)
		return 0;
	check_packed(changes, count, data, size);
	if (attrs_change_all(NULL, 0, changes, count, &attrs, &bytes) == 0) {
		check_changed(changes, count, attrs, bytes);
		free(attrs);
	}
	free(changes);
	return 0;
}
