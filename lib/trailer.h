/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trailer of SharedArray 3.x: a packed struct at the end of the file, {char magic[16]; u64
 * size; i32 typenum; i32 itemsize; i32 ndims; i64 dims[N]}, with N = 32 if it was built against
 * numpy 1 and N = 64 for numpy 2. We write the longer with the shorter laid over its unused end
 * (from dims[27] on), so that both builds read it.
 */
#ifndef SHARR_TRAILER_H
#define SHARR_TRAILER_H

#include <stddef.h>
#include <stdint.h>

enum {
	TRAILER_NDIM_1 = 32,
	TRAILER_NDIM_2 = 64,
	TRAILER_HEAD_BYTES = 36,
	TRAILER_BYTES_1 = TRAILER_HEAD_BYTES + 8 * TRAILER_NDIM_1,
	TRAILER_BYTES_2 = TRAILER_HEAD_BYTES + 8 * TRAILER_NDIM_2,
	TRAILER_NDIM_DUAL = 27, /* the most dimensions that leave room for both */
};

struct trailer {
	uint64_t size; /* bytes of the data */
	int32_t typenum;
	int32_t itemsize;
	int32_t ndim;
	int64_t dims[TRAILER_NDIM_2]; /* C order */
};

/* Write the dual trailer, TRAILER_BYTES_2 bytes. */
void trailer_encode(const struct trailer *trailer, unsigned char *ret_bytes);

/*
 * Find a trailer at the end of `end`, the last `bytes` of a file of file_bytes: the longer one
 * first. Returns its length, or -EBADMSG if there is none whose numbers hold together and fit the
 * file.
 */
int trailer_decode(const unsigned char *end, size_t bytes, uint64_t file_bytes,
		   struct trailer *ret_trailer);

#endif
