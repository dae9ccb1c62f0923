/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes that are set on a new file in the mount, before there is an array. The first byte says how long the file becomes,
 * then come a byte for the name and how it is set, one for the length of the value, and the value, again and again. What is
 * made of them fits the file, and has all of the user's attributes.
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "attrs.h"
#include "draft.h"
#include "draft_attributes.h"
#include "file.h"
#include "format.h"
#include "fuzz.h"
#include "recompose.h"

static const char *const names[] = {
	"sharr.npy", "sharr.dtype", "sharr.order", "sharr.shape", "sharr.dtype_name", "sharr.nbytes", "note", "",
};

enum { NAMES = sizeof(names) / sizeof(names[0]), REMOVES = 0x40 };

static const int flags[4] = { 0, XATTR_CREATE, XATTR_REPLACE, 0 };

static bool describes(const char *name)
{
	return strncmp(name, "sharr.", 6) == 0;
}

/* What is set is there as it was set. */
static void set(struct file *file, uint8_t how, const void *value, size_t bytes)
{
	const char *name = names[how % NAMES];
	const void *given = how & REMOVES ? NULL : value;
	int r = draft_set_attribute(file, name, given, bytes, flags[how >> 3 & 3]);
	size_t there_bytes;
	char *there;

	if (r < 0)
		return;
	r = draft_get_attribute(file, name, &there, &there_bytes);
	REQUIRE(r == (given ? 0 : -ENODATA));
	if (r < 0)
		return;
	REQUIRE(there_bytes == bytes && memcmp(there, given, bytes) == 0);
	free(there);
}

static void check_users(const struct draft_attribute *kept, const struct format_meta *meta)
{
	struct attr attr;

	for (; kept; kept = kept->next) {
		if (describes(kept->name))
			continue;
		REQUIRE(attrs_get(meta->attrs, meta->attrs_bytes, kept->name, &attr) == 0);
		REQUIRE(attr.value_bytes == kept->bytes && memcmp(attr.value, kept->value, kept->bytes) == 0);
	}
}

static void check_listed(struct file *file)
{
	size_t bytes, listed = 0, kept = 0;
	char *list;

	REQUIRE(draft_list_attributes(file, &list, &bytes) == 0);
	for (size_t at = 0; at < bytes; at += strlen(list + at) + 1)
		listed++;
	for (const struct draft_attribute *one = file->draft->attributes; one; one = one->next)
		kept++;
	REQUIRE(listed == kept);
	free(list);
}

static void describe(const struct draft_attribute *kept, uint64_t nbytes)
{
	struct format_meta meta, again;
	unsigned char *attrs, *bytes;

	if (draft_attributes_describe(kept, nbytes, &attrs, &meta) < 0)
		return;
	REQUIRE(meta.nbytes == nbytes && meta.itemsize > 0);
	check_users(kept, &meta);
	if (recompose(&meta, &bytes, &again)) {
		REQUIRE(again.nbytes == nbytes && again.itemsize == meta.itemsize);
		check_users(kept, &again);
		format_meta_release(&again);
		free(bytes);
	}
	format_meta_release(&meta);
	free(attrs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	atomic_size_t all = 0;
	struct draft draft = { .lock = PTHREAD_MUTEX_INITIALIZER, .attributes_of_all = &all };
	struct file file = { .draft = &draft };
	size_t at = 1;

	if (size < 1)
		return 0;
	while (size - at >= 2) {
		size_t bytes = data[at + 1];

		if (bytes > size - at - 2)
			bytes = size - at - 2;
		set(&file, data[at], data + at + 2, bytes);
		at += 2 + bytes;
	}
	check_listed(&file);
	describe(draft.attributes, data[0]);
	REQUIRE(all == draft.attributes_bytes);
	draft_attributes_clear(&draft);
	REQUIRE(all == 0);
	return 0;
}
