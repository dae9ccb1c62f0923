/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes to the user attributes of an array, all at once: done on its file, or packed into one
 * value that a mounted sharrfs takes as the attribute user.sharr.attrs, so that through a mount as
 * well a reader sees all of them or none. Packed, they are as in a tail (attrs.h), with a value
 * length of 0xFFFFFFFF for one that is to be removed.
 */
#ifndef SHARR_ATTRIBUTES_H
#define SHARR_ATTRIBUTES_H

#include <stddef.h>

#include "sharr.h"

#define ATTRIBUTES_CHANGES "user.sharr.attrs"

/* fd: of the array's file, open for reading and writing; wait_ms as for rewrite_array(). Returns what sharr_attrs_set does. */
int attributes_change(int fd, unsigned wait_ms, const struct sharr_attr *changes, size_t count);

/* *ret_packed is for the caller to free. -EPERM, -ERANGE: a name that can't be; -ENOMEM. */
int attributes_pack(const struct sharr_attr *changes, size_t count, unsigned char **ret_packed,
		    size_t *ret_bytes);

/*
 * *ret_changes, in one block with the names, is for the caller to free; the values stay in
 * `packed`, which is not trusted. -EINVAL, -ENOMEM.
 */
int attributes_unpack(const unsigned char *packed, size_t bytes, struct sharr_attr **ret_changes,
		      size_t *ret_count);

#endif
