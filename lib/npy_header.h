/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header of numpy's npy files: magic, version, length and a Python dict of descr, fortran_order
 * and shape, read from untrusted bytes and written byte for byte as numpy.save does (spare blanks
 * for a growing first length included).
 */
#ifndef SHARR_NPY_HEADER_H
#define SHARR_NPY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtype.h"

enum { NPY_HEADER_NDIM_MAX = 64 };

/* What a header says. descr points into the text it was read from. */
struct npy_header {
	const char *descr; /* a type string without its quotes, or a list */
	size_t descr_bytes;
	struct dtype dtype;
	char order; /* 'C' or 'F' */
	int ndim;
	int64_t shape[NPY_HEADER_NDIM_MAX];
};

/*
 * Read a header from the start of `bytes`; returns its whole length, or -EBADMSG, -ENOTSUP (dtype
 * with pointers), -ENOMEM. *ret_owned is NULL, or what the descr lies in if the text had to be
 * converted to UTF-8, for the caller to free later.
 */
int npy_header_parse(const unsigned char *bytes, size_t count, struct npy_header *ret_header,
		     void **ret_owned);

/* The same from the dict text alone, in UTF-8. 0, -EBADMSG, -ENOTSUP. */
int npy_header_parse_text(const char *text, size_t bytes, struct npy_header *ret_header);

/* The dict text as numpy spells it, NUL-terminated, not padded; the caller frees it. -ENOMEM. */
int npy_header_text(const struct npy_header *header, char **ret_text);

/* The whole header as numpy.save writes it; the caller frees it. -ENOMEM. */
int npy_header_compose(const struct npy_header *header, unsigned char **ret_bytes,
		       size_t *ret_count);

#endif
