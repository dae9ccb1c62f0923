/* SPDX-License-Identifier: BSD-3-Clause */
/* The public calls for user attributes; how they lie in a tail is attrs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attrs.h"
#include "cleanup.h"
#include "ephemeral.h"
#include "error.h"
#include "open.h"
#include "rewrite.h"
#include "sharr.h"

static int tell_all(const struct format_meta *meta,
		    int (*fn)(const struct sharr_attr *attr, void *userdata), void *userdata)
{
	char name[ATTRS_NAME_MAX + 1];
	struct attr attr;
	int r = 0;

	for (size_t at = 0; r == 0 && attrs_next(meta->attrs, meta->attrs_bytes, &at, &attr);) {
		memcpy(name, attr.name, attr.name_bytes);
		name[attr.name_bytes] = '\0';
		r = fn(&(struct sharr_attr){name, attr.value, attr.value_bytes}, userdata);
	}
	return r;
}

int sharr_attrs_list(const char *name, int (*fn)(const struct sharr_attr *attr, void *userdata),
		     void *userdata)
{
	CLEANUP_NAME struct name place;
	struct opened opened;
	int r;

	place.at = -1;
	error_clear();
	r = name_init(name, &place);
	if (r == 0)
		r = ephemeral_open(&place, O_RDONLY, &opened);
	if (r < 0)
		return r;
	r = tell_all(&opened.meta, fn, userdata);
	opened_deinit(&opened);
	return r;
}

struct change {
	const struct sharr_attr *attrs;
	size_t count;
	unsigned char *block; /* owned; what the new tail gets */
};

static int change_attrs(const struct format_meta *meta, void *userdata,
			struct format_meta *ret_changed)
{
	struct change *change = userdata;
	int r;

	r = format_describe(meta->descr, meta->descr_bytes, meta->order, meta->ndim, meta->shape,
			    ret_changed);
	if (r < 0)
		return r;
	ret_changed->order = meta->order;
	format_inherit(ret_changed, meta);
	r = attrs_change_all(meta->attrs, meta->attrs_bytes, change->attrs, change->count,
			     &change->block, &ret_changed->attrs_bytes);
	ret_changed->attrs = change->block;
	if (r < 0)
		format_meta_release(ret_changed);
	return r;
}

int sharr_attrs_set(const char *name, const struct sharr_attr *attrs, size_t count)
{
	CLEANUP_NAME struct name place;
	struct change change = {attrs, count, NULL};
	struct timespec times[2] = {{0, 0}, {0, UTIME_OMIT}};
	struct opened opened;
	int r;

	place.at = -1;
	error_clear();
	r = name_init(name, &place);
	if (r == 0)
		r = ephemeral_open(&place, O_RDWR, &opened);
	if (r < 0)
		return r;
	r = rewrite_array(opened.fd, change_attrs, &change);
	times[0] = opened.st.st_atim; /* the first look moved it */
	futimens(opened.fd, times);
	opened_deinit(&opened);
	free(change.block);
	if (r == -E2BIG)
		return error_set(
			-ENOSPC,
			"the metadata of an array that is changed have to fit into %d bytes",
			FORMAT_PAGE_BYTES);
	return r;
}
