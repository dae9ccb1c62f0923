/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tail parser: the input is the end of a file. What it takes for an array has to fit that file, and has to come back the
 * same after composing it anew. The first byte says how much longer the file is than what is seen of it.
 */
#include <ctype.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes.h"
#include "format.h"
#include "fuzz.h"
#include "recompose.h"

static void check_same(const struct format_meta *a, const struct format_meta *b)
{
	REQUIRE(a->nbytes == b->nbytes && a->itemsize == b->itemsize && a->ndim == b->ndim);
	REQUIRE(memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof(a->shape[0])) == 0);
	REQUIRE(a->order == b->order && a->descr_bytes == b->descr_bytes);
	REQUIRE(memcmp(a->descr, b->descr, a->descr_bytes) == 0);
	REQUIRE(a->attrs_bytes == b->attrs_bytes);
	REQUIRE(strcmp(a->dtype_name, b->dtype_name) == 0);
}

/* Whoever reads it prints it, and hands it to Python. */
static void check_name(const struct format_meta *meta)
{
	size_t bytes = strnlen(meta->dtype_name, sizeof(meta->dtype_name));

	REQUIRE(bytes < sizeof(meta->dtype_name));
	for (size_t i = 0; i < bytes; i++)
		REQUIRE((unsigned char)meta->dtype_name[i] < 0x80 &&
			(isalnum(meta->dtype_name[i]) || strchr("_.", meta->dtype_name[i])));
}

/* A stand-in for the data: what a composed tail is parsed behind. */
static void check_composed(const struct format_meta *meta)
{
	unsigned char *bytes;
	struct format_meta again;

	if (!recompose(meta, &bytes, &again))
		return;
	check_same(meta, &again);
	format_meta_release(&again);
	free(bytes);
}

/* Of the file itself, of which more can be seen: what is before the input are zeros. */
static void check_read(const uint8_t *end, size_t bytes, uint64_t file_bytes)
{
	int fd = memfd_create("tail", MFD_CLOEXEC);
	struct format_meta meta;

	REQUIRE(fd >= 0 && ftruncate(fd, (off_t)file_bytes) == 0);
	REQUIRE(pwrite(fd, end, bytes, (off_t)(file_bytes - bytes)) == (ssize_t)bytes);
	if (format_read(fd, file_bytes, &meta) == 0) {
		REQUIRE(meta.nbytes <= file_bytes && format_map_bytes(&meta) <= file_bytes);
		check_composed(&meta);
		format_meta_release(&meta);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct format_meta meta;
	uint64_t file_bytes;
	char *text;

	if (size < 1)
		return 0;
	file_bytes = size - 1 + ((uint64_t)data[0] << (data[0] & 31));
	check_read(data + 1, size - 1, file_bytes);
	if (size > FORMAT_BLOCK_BYTES && format_is_block(data + 1))
		REQUIRE(memcmp(data + 1, "sharr", 5) == 0);
	if (format_parse(data + 1, size - 1, file_bytes, &meta) < 0)
		return 0;
	REQUIRE(meta.nbytes <= file_bytes && format_map_bytes(&meta) <= file_bytes);
	check_name(&meta);
	REQUIRE(meta.itemsize > 0 && meta.ndim >= 0 && meta.ndim <= FORMAT_NDIM_MAX);
	if (format_npy_text(&meta, &text) == 0) {
		REQUIRE(strlen(text) > meta.descr_bytes);
		free(text);
	}
	check_composed(&meta);
	format_meta_release(&meta);
	return 0;
}
