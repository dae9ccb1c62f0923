/* SPDX-License-Identifier: BSD-3-Clause */
#include "info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ephemeral.h"
#include "error.h"
#include "open.h"
#include "timespec.h"

size_t info_payload_bytes(const char *name, const struct format_meta *meta)
{
	return (size_t)meta->ndim * sizeof(meta->shape[0]) + meta->descr_bytes + 1 +
	       strlen(meta->dtype_name) + 1 + strlen(name) + 1;
}

static const char *put_string(char **at, const char *text, size_t bytes)
{
	char *start = *at;

	memcpy(start, text, bytes);
	start[bytes] = '\0';
	*at = start + bytes + 1;
	return start;
}

void info_fill(const char *name, const struct format_meta *meta, const struct stat *st,
	       void *payload, struct sharr_info *ret_info)
{
	char *at = (char *)payload + (size_t)meta->ndim * sizeof(meta->shape[0]);

	memcpy(payload, meta->shape, (size_t)meta->ndim * sizeof(meta->shape[0]));
	*ret_info = (struct sharr_info){
		.shape = payload,
		.dtype = put_string(&at, meta->descr, meta->descr_bytes),
		.dtype_name = put_string(&at, meta->dtype_name, strlen(meta->dtype_name)),
		.name = put_string(&at, name, strlen(name)),
		.ndim = meta->ndim,
		.order = meta->order,
		.typenum = meta->typenum,
		.foreign = meta->foreign,
		.itemsize = meta->itemsize,
		.nbytes = meta->nbytes,
		.created_ns = meta->origin.created_ns,
		.creator_pid = meta->origin.pid,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mode = st->st_mode & 07777,
		.flags = meta->flags & EPHEMERAL_FLAG && meta->inode == st->st_ino ? SHARR_EPHEMERAL
										   : 0,
		.inode = st->st_ino,
		.changed_ns = (uint64_t)timespec_ns(&st->st_ctim),
	};
}

size_t info_bytes(const struct sharr_info *info)
{
	return (size_t)info->ndim * sizeof(info->shape[0]) + strlen(info->dtype) + 1 +
	       strlen(info->dtype_name) + 1 + strlen(info->name) + 1;
}

void info_copy(const struct sharr_info *info, void *payload, struct sharr_info *ret_copy)
{
	size_t shape_bytes = (size_t)info->ndim * sizeof(info->shape[0]);
	char *at = (char *)payload + shape_bytes;

	*ret_copy = *info;
	ret_copy->shape = memcpy(payload, info->shape, shape_bytes);
	ret_copy->dtype = put_string(&at, info->dtype, strlen(info->dtype));
	ret_copy->dtype_name = put_string(&at, info->dtype_name, strlen(info->dtype_name));
	ret_copy->name = put_string(&at, info->name, strlen(info->name));
}

int info_open(const char *name, struct opened *ret_opened, struct sharr_info **ret_info)
{
	CLEANUP_NAME struct name place;
	struct sharr_info *info;
	int r;

	place.at = -1;
	error_clear();
	r = name_find(name, 0, &place);
	if (r == 0)
		r = ephemeral_open(&place, O_RDONLY, ret_opened);
	if (r < 0)
		return r;
	info = malloc(sizeof(*info) + info_payload_bytes(name, &ret_opened->meta));
	if (!info) {
		opened_deinit(ret_opened);
		return -ENOMEM;
	}
	info_fill(name, &ret_opened->meta, &ret_opened->st, info + 1, info);
	*ret_info = info;
	return 0;
}

int sharr_stat(const char *name, struct sharr_info **ret_info)
{
	struct opened opened;
	int r = info_open(name, &opened, ret_info);

	if (r == 0)
		opened_deinit(&opened);
	return r;
}

void sharr_info_free(struct sharr_info *info)
{
	free(info);
}
