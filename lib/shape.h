/* SPDX-License-Identifier: BSD-3-Clause */
/* How many bytes a shape takes; the one place where lengths are multiplied. */
#ifndef SHARR_SHAPE_H
#define SHARR_SHAPE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Multiply it out. As in numpy the lengths that aren't 0 may not overflow even if another is 0.
 * -EINVAL: a negative length; -EOVERFLOW: more bytes than a file can have.
 */
static inline int shape_nbytes(uint64_t itemsize, int ndim, const int64_t *shape,
			       uint64_t *ret_nbytes)
{
	uint64_t bytes = itemsize;
	bool empty = false;

	for (int i = 0; i < ndim; i++) {
		if (shape[i] < 0)
			return -EINVAL;
		if (shape[i] == 0)
			empty = true;
		else if (__builtin_mul_overflow(bytes, (uint64_t)shape[i], &bytes))
			return -EOVERFLOW;
	}
	if (bytes > (uint64_t)INT64_MAX - 2 * 65536)
		return -EOVERFLOW;
	*ret_nbytes = empty ? 0 : bytes;
	return 0;
}

/* Does the order make no difference, so that numpy calls such an array C-contiguous? */
static inline bool shape_is_flat(int ndim, const int64_t *shape)
{
	int longer_count = 0;

	for (int i = 0; i < ndim; i++) {
		if (shape[i] == 0)
			return true;
		longer_count += shape[i] > 1;
	}
	return longer_count <= 1;
}

#endif
