/* SPDX-License-Identifier: BSD-3-Clause */
/* The npy header parser: a header that is taken has to come back the same after it is composed anew. */
#include <string.h>

#include "fuzz.h"
#include "npy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct npy_header header, again;
	void *owned = NULL, *owned_again = NULL;
	unsigned char *bytes;
	size_t count;
	int r = npy_header_parse(data, size, &header, &owned);

	if (r < 0)
		return 0;
	REQUIRE((size_t)r <= size);
	if (npy_header_compose(&header, &bytes, &count) == 0) {
		REQUIRE(count % 64 == 0);
		REQUIRE(npy_header_parse(bytes, count, &again, &owned_again) == (int)count);
		REQUIRE(again.order == header.order && again.ndim == header.ndim);
		REQUIRE(memcmp(again.shape, header.shape, (size_t)header.ndim * sizeof(header.shape[0])) == 0);
		REQUIRE(again.descr_bytes == header.descr_bytes);
		REQUIRE(memcmp(again.descr, header.descr, header.descr_bytes) == 0);
		free(bytes);
	}
	free(owned_again);
	free(owned);
	return 0;
}
