/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tail comes back as: composed, and parsed behind data that are not there. */
#ifndef SHARR_FUZZ_RECOMPOSE_H
#define SHARR_FUZZ_RECOMPOSE_H

#include <stdbool.h>

#include "format.h"
#include "fuzz.h"

/* False: it can't be composed. *ret_bytes is the caller's to free, after format_meta_release. */
static inline bool recompose(const struct format_meta *meta, unsigned char **ret_bytes, struct format_meta *ret_again)
{
	size_t count;

	if (format_compose(meta, ret_bytes, &count) < 0)
		return false;
	REQUIRE(format_parse(*ret_bytes, count, format_block_offset(meta->nbytes) + count, ret_again) == 0);
	return true;
}

#endif
