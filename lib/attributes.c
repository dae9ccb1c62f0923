/* SPDX-License-Identifier: BSD-3-Clause */
/* The public calls for user attributes; how they lie in a tail is attrs.h. */
#include "attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "array.h"
#include "attrs.h"
#include "bytes.h"
#include "cleanup.h"
#include "ephemeral.h"
#include "error.h"
#include "open.h"
#include "rewrite.h"

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

/* A descriptor of its own on an array that is not published yet. */
static int open_draft(const struct sharr *array, struct opened *ret_opened)
{
	int r;

	if (array->draft->in_mount)
		return error_set(-EOPNOTSUPP, "through a mount an array has its attributes from "
					      "the start, or once it is published");
	ret_opened->in_mount = false;
	ret_opened->map = NULL;
	ret_opened->fd = fcntl(array->draft->staging.fd, F_DUPFD_CLOEXEC, 0);
	if (ret_opened->fd < 0)
		return -errno;
	r = fstat(ret_opened->fd, &ret_opened->st) < 0 ? -errno : 0;
	if (r == 0)
		r = format_read(ret_opened->fd, (uint64_t)ret_opened->st.st_size,
				&ret_opened->meta);
	if (r < 0)
		cleanup_fd(&ret_opened->fd);
	return r;
}

static bool is_same(const struct sharr *array, const struct opened *opened)
{
	return array->info.inode == opened->st.st_ino &&
	       array->info.created_ns == opened->meta.origin.created_ns;
}

static int open_by_name(const char *name, unsigned via, int access, struct opened *ret_opened)
{
	CLEANUP_NAME struct name place;
	int r;

	place.at = -1;
	r = name_find(name, via, &place);
	return r < 0 ? r : ephemeral_open(&place, access, ret_opened);
}

/* By its name, which may be another array's by now. */
static int open_attached(const struct sharr *array, int access, struct opened *ret_opened)
{
	int r;

	if (array->draft)
		return open_draft(array, ret_opened);
	r = open_by_name(array->info.name, array->in_mount ? SHARR_VIA_MOUNT : SHARR_VIA_SHM,
			 access, ret_opened);
	if (r == 0 && is_same(array, ret_opened))
		return 0;
	if (r == 0)
		opened_deinit(ret_opened);
	else if (r != -ENOENT && r != -EBADMSG)
		return r;
	return error_set(-ESTALE, "the array was deleted or replaced since it was attached");
}

/* Tells all, and closes. */
static int list_opened(struct opened *opened,
		       int (*fn)(const struct sharr_attr *attr, void *userdata), void *userdata)
{
	int r = tell_all(&opened->meta, fn, userdata);

	opened_deinit(opened);
	return r;
}

int sharr_attrs_list(const char *name, int (*fn)(const struct sharr_attr *attr, void *userdata),
		     void *userdata)
{
	struct opened opened;
	int r;

	error_clear();
	r = open_by_name(name, 0, O_RDONLY, &opened);
	return r < 0 ? r : list_opened(&opened, fn, userdata);
}

int sharr_attrs_list_of(const struct sharr *array,
			int (*fn)(const struct sharr_attr *attr, void *userdata), void *userdata)
{
	struct opened opened;
	int r;

	error_clear();
	r = open_attached(array, O_RDONLY, &opened);
	return r < 0 ? r : list_opened(&opened, fn, userdata);
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
	int r = format_describe_same(meta, ret_changed);

	if (r < 0)
		return r;
	r = attrs_change_all(meta->attrs, meta->attrs_bytes, change->attrs, change->count,
			     &change->block, &ret_changed->attrs_bytes);
	ret_changed->attrs = change->block;
	if (r < 0)
		format_meta_release(ret_changed);
	return r;
}

int attributes_change(int fd, unsigned wait_ms, const struct sharr_attr *changes, size_t count)
{
	struct change change = {changes, count, NULL};
	int r = rewrite_array(fd, wait_ms, change_attrs, &change);

	free(change.block);
	if (r == -E2BIG)
		return error_set(
			-ENOSPC,
			"the metadata of an array that is changed have to fit into %d bytes",
			FORMAT_PAGE_BYTES);
	return r;
}

/* As in a tail: lengths of name and value, then both. */
enum { HEAD_BYTES = 6 };

#define REMOVED UINT32_MAX

static unsigned char *pack_one(unsigned char *at, const struct sharr_attr *change)
{
	size_t name_bytes = strlen(change->name);

	bytes_put16(at, (uint16_t)name_bytes);
	bytes_put32(at + 2, change->value ? (uint32_t)change->bytes : REMOVED);
	at += HEAD_BYTES;
	memcpy(at, change->name, name_bytes);
	at += name_bytes;
	if (change->value && change->bytes)
		memcpy(at, change->value, change->bytes);
	return change->value ? at + change->bytes : at;
}

int attributes_pack(const struct sharr_attr *changes, size_t count, unsigned char **ret_packed,
		    size_t *ret_bytes)
{
	unsigned char *packed, *at;
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		int r = attrs_check_name(changes[i].name);

		if (r < 0)
			return r;
		if (changes[i].value && changes[i].bytes > FORMAT_TAIL_MAX)
			return -ENOSPC;
		bytes += HEAD_BYTES + strlen(changes[i].name) +
			 (changes[i].value ? changes[i].bytes : 0);
	}
	packed = at = malloc(bytes + 1);
	if (!packed)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		at = pack_one(at, &changes[i]);
	*ret_packed = packed;
	*ret_bytes = bytes;
	return 0;
}

/* Take one at *at, and step past it; its name goes to *names, which moves on. */
static int unpack_one(const unsigned char *packed, size_t bytes, size_t *at, char **names,
		      struct sharr_attr *ret_change)
{
	size_t left = bytes - *at, name_bytes, value_bytes;
	const unsigned char *name = packed + *at + HEAD_BYTES;

	if (left < HEAD_BYTES)
		return -EINVAL;
	name_bytes = bytes_get16(packed + *at);
	value_bytes = bytes_get32(packed + *at + 2);
	ret_change->value = value_bytes == REMOVED ? NULL : name + name_bytes;
	ret_change->bytes = value_bytes == REMOVED ? 0 : value_bytes;
	left -= HEAD_BYTES;
	if (name_bytes > left || ret_change->bytes > left - name_bytes ||
	    memchr(name, '\0', name_bytes))
		return -EINVAL;
	memcpy(*names, name, name_bytes);
	(*names)[name_bytes] = '\0';
	ret_change->name = *names;
	*names += name_bytes + 1;
	*at += HEAD_BYTES + name_bytes + ret_change->bytes;
	return 0;
}

int attributes_unpack(const unsigned char *packed, size_t bytes, struct sharr_attr **ret_changes,
		      size_t *ret_count)
{
	size_t most = bytes / HEAD_BYTES, count = 0, at = 0;
	CLEANUP_FREE struct sharr_attr *changes = malloc(most * sizeof(*changes) + bytes + 1);
	char *names = (char *)(changes + most);

	if (!changes)
		return -ENOMEM;
	for (; at < bytes; count++) {
		int r = unpack_one(packed, bytes, &at, &names, &changes[count]);

		if (r < 0)
			return r;
	}
	*ret_changes = steal_ptr(changes);
	*ret_count = count;
	return 0;
}

static int change_through_mount(int fd, const struct sharr_attr *changes, size_t count)
{
	CLEANUP_FREE unsigned char *packed = NULL;
	size_t bytes;
	int r = attributes_pack(changes, count, &packed, &bytes);

	if (r < 0)
		return r;
	if (fsetxattr(fd, ATTRIBUTES_CHANGES, packed, bytes, 0) < 0)
		return errno == E2BIG ? -ENOSPC : -errno;
	return 0;
}

static int change_in_store(const struct opened *opened, const struct sharr_attr *changes,
			   size_t count)
{
	/* The first look moved it. */
	struct timespec times[2] = {opened->st.st_atim, {0, UTIME_OMIT}};
	int r = attributes_change(opened->fd, REWRITE_WAIT_MS, changes, count);

	futimens(opened->fd, times);
	return r;
}

/* Changes them, and closes. */
static int set_opened(struct opened *opened, const struct sharr_attr *attrs, size_t count)
{
	int r = opened->in_mount ? change_through_mount(opened->fd, attrs, count)
				 : change_in_store(opened, attrs, count);

	opened_deinit(opened);
	return r;
}

int sharr_attrs_set(const char *name, const struct sharr_attr *attrs, size_t count)
{
	struct opened opened;
	int r;

	error_clear();
	r = open_by_name(name, 0, O_RDWR, &opened);
	return r < 0 ? r : set_opened(&opened, attrs, count);
}

int sharr_attrs_set_of(struct sharr *array, const struct sharr_attr *attrs, size_t count)
{
	struct opened opened;
	int r;

	error_clear();
	r = open_attached(array, O_RDWR, &opened);
	return r < 0 ? r : set_opened(&opened, attrs, count);
}
