/* SPDX-License-Identifier: BSD-3-Clause */
#include "trailer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "shape.h"

static const unsigned char magic[16] = "[SharedArray]";

static void encode(const struct trailer *trailer, int ndim_max, unsigned char *ret_bytes)
{
	memcpy(ret_bytes, magic, sizeof(magic));
	bytes_put64(ret_bytes + 16, trailer->size);
	bytes_put32(ret_bytes + 24, (uint32_t)trailer->typenum);
	bytes_put32(ret_bytes + 28, (uint32_t)trailer->itemsize);
	bytes_put32(ret_bytes + 32, (uint32_t)trailer->ndim);
	for (int i = 0; i < trailer->ndim && i < ndim_max; i++)
		bytes_put64(ret_bytes + TRAILER_HEAD_BYTES + 8 * i, (uint64_t)trailer->dims[i]);
}

void trailer_encode(const struct trailer *trailer, unsigned char *ret_bytes)
{
	memset(ret_bytes, 0, TRAILER_BYTES_2);
	encode(trailer, TRAILER_NDIM_2, ret_bytes);
	if (trailer->ndim <= TRAILER_NDIM_DUAL)
		encode(trailer, TRAILER_NDIM_1, ret_bytes + TRAILER_BYTES_2 - TRAILER_BYTES_1);
}

/* Are the numbers of this trailer those of an array whose data fit into the bytes before it? */
static bool decode(const unsigned char *at, int ndim_max, uint64_t bytes_before,
		   struct trailer *ret_trailer)
{
	uint64_t nbytes = 0;

	if (memcmp(at, magic, sizeof(magic)) != 0)
		return false;
	ret_trailer->size = bytes_get64(at + 16);
	ret_trailer->typenum = (int32_t)bytes_get32(at + 24);
	ret_trailer->itemsize = (int32_t)bytes_get32(at + 28);
	ret_trailer->ndim = (int32_t)bytes_get32(at + 32);
	if (ret_trailer->size > bytes_before || ret_trailer->itemsize <= 0 ||
	    ret_trailer->typenum < 0 || ret_trailer->ndim < 0 || ret_trailer->ndim > ndim_max)
		return false;
	for (int i = 0; i < ret_trailer->ndim; i++)
		ret_trailer->dims[i] = (int64_t)bytes_get64(at + TRAILER_HEAD_BYTES + 8 * i);
	return shape_nbytes((uint64_t)ret_trailer->itemsize, ret_trailer->ndim, ret_trailer->dims,
			    &nbytes) == 0 &&
	       nbytes == ret_trailer->size;
}

int trailer_decode(const unsigned char *end, size_t bytes, uint64_t file_bytes,
		   struct trailer *ret_trailer)
{
	if (bytes >= TRAILER_BYTES_2 && decode(end + bytes - TRAILER_BYTES_2, TRAILER_NDIM_2,
					       file_bytes - TRAILER_BYTES_2, ret_trailer))
		return TRAILER_BYTES_2;
	if (bytes >= TRAILER_BYTES_1 && decode(end + bytes - TRAILER_BYTES_1, TRAILER_NDIM_1,
					       file_bytes - TRAILER_BYTES_1, ret_trailer))
		return TRAILER_BYTES_1;
	return -EBADMSG;
}
