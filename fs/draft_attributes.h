/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The extended attributes that a client sets on a draft: checked for syntax when they are set, and
 * for whether they fit the data only when it is published, since cp sets them before the data and
 * rsync after.
 */
#ifndef SHARRFS_DRAFT_ATTRIBUTES_H
#define SHARRFS_DRAFT_ATTRIBUTES_H

#include <stddef.h>
#include <stdint.h>

struct draft;
struct draft_attribute;
struct format_meta;

/*
 * What an array of nbytes with these attributes is: uint8 of its length, or as npy, dtype, order
 * and shape say, in that order. *ret_attrs is what the user attributes in *ret_meta lie in, for the
 * caller to free. -EINVAL: they do not fit.
 */
int draft_attributes_describe(const struct draft_attribute *attributes, uint64_t nbytes,
			      unsigned char **ret_attrs, struct format_meta *ret_meta);

/* Put one of that name in front of all others, unchecked. -ENOMEM. */
int draft_attributes_put(struct draft_attribute **attributes, const char *name, const void *value,
			 size_t bytes);

/* Under the draft's lock: none is kept any more. */
void draft_attributes_clear(struct draft *draft);

#endif
