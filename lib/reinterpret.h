/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same bytes under another dtype, shape or order. Each function takes what an array's metadata
 * are and makes those that are wanted, for rewrite_array or format_compose; user attributes and
 * origin are handed on (they stay where `meta` has them, which has to outlive *ret_changed).
 * Returns 0 with *ret_changed to be released, 1 if that is what the array is already, -EINVAL if
 * the text makes no sense or does not fit nbytes, -ENOTSUP for dtypes with pointers, -ENOMEM,
 * -E2BIG.
 */
#ifndef SHARR_REINTERPRET_H
#define SHARR_REINTERPRET_H

#include <stddef.h>

#include "format.h"

/* Text of an npy header's dict: all at once. */
int reinterpret_npy(const struct format_meta *meta, const char *text, size_t bytes,
		    struct format_meta *ret_changed);

/* A type string or a list of fields; another dtype makes the shape flat and the order C. */
int reinterpret_dtype(const struct format_meta *meta, const char *text, size_t bytes,
		      struct format_meta *ret_changed);

/* "C" or "F". */
int reinterpret_order(const struct format_meta *meta, const char *text, size_t bytes,
		      struct format_meta *ret_changed);

/* Lengths with commas, "3,4"; nothing for 0-d. */
int reinterpret_shape(const struct format_meta *meta, const char *text, size_t bytes,
		      struct format_meta *ret_changed);

/*
 * The name of an extension dtype, such as "ml_dtypes.bfloat16", which readers who know it take void
 * elements for; nothing for none. -EINVAL: the elements are no void of one size.
 */
int reinterpret_dtype_name(const struct format_meta *meta, const char *text, size_t bytes,
			   struct format_meta *ret_changed);

/* An attribute, without "user.", that does one of these to an array. */
struct reinterpretation {
	const char *name;
	/* Does the text make sense at all, for some array? -EINVAL; -ENOTSUP is told as -EINVAL too. */
	int (*check)(const char *text, size_t bytes);
	int (*apply)(const struct format_meta *meta, const char *text, size_t bytes,
		     struct format_meta *ret_changed);
};

enum { REINTERPRETATION_COUNT = 5 };

/* In the order in which several are applied: each may undo what comes behind it. */
extern const struct reinterpretation reinterpretations[REINTERPRETATION_COUNT];

/* NULL: no attribute of that name does. */
const struct reinterpretation *reinterpretation_by(const char *name);

enum { REINTERPRET_SHAPE_TEXT_MAX = FORMAT_NDIM_MAX * 21 };

/* The shape as the text above, NUL-terminated, into that many bytes; returns its length. */
int reinterpret_shape_text(const struct format_meta *meta, char *ret_text);

#endif
