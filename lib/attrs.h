/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * User attributes of an array as they lie in its tail: for each a 16-bit length of its name, a
 * 32-bit length of its value, both little-endian, then name and value. Names are what follows
 * "user." of an extended attribute; untrusted when read.
 */
#ifndef SHARR_ATTRS_H
#define SHARR_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ATTRS_NAME_MAX = 250, /* XATTR_NAME_MAX less "user." */
	ATTRS_HEAD_BYTES = 6, /* what an attribute takes beside its name and value */
};

struct attr {
	const char *name; /* name_bytes long, not NUL-terminated */
	size_t name_bytes;
	const unsigned char *value;
	size_t value_bytes;
};

/*
 * Take the attribute at *at, which starts at 0, and step past it. 1: there it is; 0: no more, or
 * what comes is damaged.
 */
int attrs_next(const unsigned char *attrs, size_t bytes, size_t *at, struct attr *ret_attr);

/* -ENODATA: there is none of that name. */
int attrs_get(const unsigned char *attrs, size_t bytes, const char *name, struct attr *ret_attr);

/*
 * The attributes with one set (value not NULL) or removed (value NULL), as a new block for the
 * caller to free; NULL and 0 if none is left. The order of the others stays. Removing what isn't
 * there: -ENODATA. -ENOMEM, -ENOSPC: a value too long for any tail; errors of attrs_check_name.
 */
int attrs_change(const unsigned char *attrs, size_t bytes, const char *name, const void *value,
		 size_t value_bytes, unsigned char **ret_attrs, size_t *ret_bytes);

/* Is it one of sharr's own, that say what the array is? */
bool attrs_is_reserved(const char *name);

/* Write one at `at`, where there is room. Returns what is behind it. */
unsigned char *attrs_put(unsigned char *at, const char *name, size_t name_bytes, const void *value,
			 size_t value_bytes);

struct sharr_attr;

/* The same for `count` changes in turn. */
int attrs_change_all(const unsigned char *attrs, size_t bytes, const struct sharr_attr *changes,
		     size_t count, unsigned char **ret_attrs, size_t *ret_bytes);

/* May a user attribute be called so? -EPERM: reserved; -ERANGE: of no or too many bytes. */
int attrs_check_name(const char *name);

#endif
