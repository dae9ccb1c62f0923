/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of user.sharr.npy, .dtype, .order, .shape and .dtype_name that somebody sets on an array: the first byte says which,
 * the second of which array. What is taken leaves the bytes of the data as many as they are, is nothing new when it is set
 * again, and comes back the same from a file.
 */
#include <string.h>

#include "format.h"
#include "fuzz.h"
#include "recompose.h"
#include "reinterpret.h"

static const struct {
	const char *descr;
	char order;
	int ndim;
	int64_t shape[2];
} arrays[] = {
	{ "<f8", 'C', 2, { 4, 3 } },
	{ "|u1", 'C', 1, { 96 } },
	{ "|V2", 'F', 2, { 2, 24 } },
	{ "[('a', '<i4'), ('b', '|S4', (2,))]", 'F', 2, { 2, 4 } },
	{ "<c16", 'C', 0, { 0 } },
	{ "<M8[ns]", 'C', 1, { 0 } },
};

enum { ARRAYS = sizeof(arrays) / sizeof(arrays[0]) };

static void check_same(const struct format_meta *a, const struct format_meta *b)
{
	REQUIRE(a->nbytes == b->nbytes && a->itemsize == b->itemsize && a->ndim == b->ndim);
	REQUIRE(memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof(a->shape[0])) == 0);
	REQUIRE(format_same_dtype(a, b) && strcmp(a->dtype_name, b->dtype_name) == 0);
}

static void check_written(const struct format_meta *meta)
{
	struct format_meta again;
	unsigned char *bytes;

	if (!recompose(meta, &bytes, &again))
		return;
	check_same(meta, &again);
	format_meta_release(&again);
	free(bytes);
}

static void check_shown(const struct format_meta *meta)
{
	char text[REINTERPRET_SHAPE_TEXT_MAX];
	struct format_meta again;
	int bytes = reinterpret_shape_text(meta, text);

	REQUIRE(bytes >= 0 && bytes < REINTERPRET_SHAPE_TEXT_MAX && strlen(text) == (size_t)bytes);
	REQUIRE(reinterpret_shape(meta, text, (size_t)bytes, &again) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct format_meta meta, changed, again;
	const char *text = (const char *)data + 2;
	const struct reinterpretation *way;
	int which;

	if (size < 2)
		return 0;
	way = &reinterpretations[data[0] % REINTERPRETATION_COUNT];
	which = data[1] % ARRAYS;
	REQUIRE(format_describe(arrays[which].descr, strlen(arrays[which].descr), arrays[which].order, arrays[which].ndim,
				arrays[which].shape, &meta) == 0);
	if (way->apply(&meta, text, size - 2, &changed) == 0) {
		REQUIRE(changed.nbytes == meta.nbytes && changed.itemsize > 0);
		REQUIRE(way->apply(&changed, text, size - 2, &again) == 1);
		check_shown(&changed);
		check_written(&changed);
		format_meta_release(&changed);
	}
	format_meta_release(&meta);
	return 0;
}
