/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dtypes as npy headers spell them: a type string ("<f8", "|S3", "<M8[25ms]") or a list of fields.
 * Here they are checked and measured, and brought into numpy's own spelling; what they mean is left
 * to numpy.
 */
#ifndef SHARR_DTYPE_H
#define SHARR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "literal.h"

enum {
	DTYPE_BOOL = 0,
	DTYPE_INT8 = 1,
	DTYPE_UINT8 = 2,
	DTYPE_INT16 = 3,
	DTYPE_UINT16 = 4,
	DTYPE_INT32 = 5,
	DTYPE_UINT32 = 6,
	DTYPE_LONG = 7, /* 8 bytes, or 4 on 32-bit systems */
	DTYPE_ULONG = 8,
	DTYPE_LONGLONG = 9,
	DTYPE_ULONGLONG = 10,
	DTYPE_FLOAT32 = 11,
	DTYPE_FLOAT64 = 12,
	DTYPE_LONGDOUBLE = 13,
	DTYPE_COMPLEX64 = 14,
	DTYPE_COMPLEX128 = 15,
	DTYPE_CLONGDOUBLE = 16,
	DTYPE_OBJECT = 17,
	DTYPE_BYTES = 18,
	DTYPE_STR = 19,
	DTYPE_VOID = 20,
	DTYPE_DATETIME = 21,
	DTYPE_TIMEDELTA = 22,
	DTYPE_FLOAT16 = 23,

	DTYPE_STRING_MAX = 48, /* a type string in numpy's spelling, NUL included */
	DTYPE_DEPTH_MAX = 32,  /* of fields within fields */
};

struct dtype {
	uint64_t itemsize; /* 0 to INT32_MAX */
	int typenum; /* numpy's, for a trailer: DTYPE_VOID for what SharedArray can't express */
};

/*
 * Check and measure a type string. ret_spelling, if not NULL, has DTYPE_STRING_MAX bytes and gets
 * numpy's spelling of it. -EINVAL: no type string. -ENOTSUP: elements with pointers.
 */
int dtype_parse_string(const char *text, size_t bytes, struct dtype *ret_dtype, char *ret_spelling);

/*
 * The same for a list of fields that comes next in `fields`. ret_spelling, if not NULL, gets
 * numpy's spelling, NUL-terminated: it needs 4 bytes for each of the text and 16 more.
 */
int dtype_parse_fields(struct literal *fields, struct dtype *ret_dtype, char *ret_spelling);

/*
 * The type string of a numpy type number and item size as a trailer has them, NUL-terminated, into
 * DTYPE_STRING_MAX bytes. Types that numpy does not define are void. -EINVAL: the two don't fit
 * together.
 */
int dtype_from_typenum(int typenum, uint64_t itemsize, char *ret_text);

#endif
