/* SPDX-License-Identifier: BSD-3-Clause */
/* The dtype parser: numpy's spelling of what it takes is taken as well, means the same and is spelled the same. */
#include <string.h>

#include "format.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t shape[2] = { 2, 3 };
	struct format_meta meta, again;

	if (format_describe((const char *)data, size, 'F', 2, shape, &meta) < 0)
		return 0;
	REQUIRE(meta.itemsize > 0 && meta.nbytes == 6 * meta.itemsize);
	REQUIRE(format_describe(meta.descr, meta.descr_bytes, 'F', 2, shape, &again) == 0);
	REQUIRE(again.itemsize == meta.itemsize && again.typenum == meta.typenum);
	REQUIRE(again.descr_bytes == meta.descr_bytes && memcmp(again.descr, meta.descr, meta.descr_bytes) == 0);
	format_meta_release(&again);
	format_meta_release(&meta);
	return 0;
}
