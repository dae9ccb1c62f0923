/* SPDX-License-Identifier: BSD-3-Clause */
#include "array.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "ephemeral.h"
#include "error.h"
#include "info.h"
#include "map.h"
#include "open.h"
#include "whole.h"

/* All but the map. */
static struct sharr *describe(const char *name, const struct stat *st,
			      const struct format_meta *meta, bool readonly)
{
	struct sharr *array = malloc(sizeof(*array) + info_payload_bytes(name, meta));

	if (!array)
		return NULL;
	array->map_bytes = array->mapped = (size_t)format_map_bytes(meta);
	array->readonly = readonly;
	array->in_mount = false;
	array->mount_map = 0;
	array->hold_fd = -1;
	array->draft = NULL;
	info_fill(name, meta, st, array + 1, &array->info);
	return array;
}

int array_new(const char *name, int fd, const struct stat *st, const struct format_meta *meta,
	      bool readonly, struct sharr **ret_array)
{
	CLEANUP_FREE struct sharr *array = NULL;
	int r = map_check(format_map_bytes(meta));

	if (r < 0)
		return r;
	array = describe(name, st, meta, readonly);
	r = array ? map_file(fd, array->mapped, readonly, &array->data) : -ENOMEM;
	if (r == 0)
		*ret_array = steal_ptr(array);
	return r;
}

/* The map, if there is one already, is the array's from here on. */
static int array_of(const char *name, struct opened *opened, bool readonly,
		    struct sharr **ret_array)
{
	struct sharr *array;

	if (!opened->map)
		return array_new(name, opened->fd, &opened->st, &opened->meta, readonly, ret_array);
	array = describe(name, &opened->st, &opened->meta, readonly);
	if (!array)
		return -ENOMEM;
	array->data = steal_ptr(opened->map);
	array->mapped = opened->mapped;
	*ret_array = array;
	return 0;
}

/* Until it is certain that what was opened is not about to go. */
static int open_and_hold(struct name *place, int access, struct opened *ret_opened)
{
	int r;

	for (;;) {
		r = open_array_to_map(place, access, ret_opened);
		if (r < 0)
			return r;
		r = ephemeral_attach(place, ret_opened);
		if (r == 0)
			return 0;
		opened_deinit(ret_opened);
		if (r < 0)
			return r;
	}
}

int sharr_attach(const char *name, unsigned flags, struct sharr **ret_array)
{
	CLEANUP_NAME struct name place;
	bool readonly = flags & SHARR_READONLY;
	struct opened opened;
	int r;

	place.at = -1;
	error_clear();
	if (flags & ~(SHARR_READONLY | SHARR_VIA_SHM | SHARR_VIA_MOUNT))
		return -EINVAL;
	r = name_find(name, flags, &place);
	if (r == 0)
		r = open_and_hold(&place, readonly ? O_RDONLY : O_RDWR, &opened);
	if (r < 0)
		return r;
	r = array_of(name, &opened, readonly, ret_array);
	if (r == 0)
		(*ret_array)->in_mount = opened.in_mount;
	if (r == 0 && (ephemeral_is(&opened) || ephemeral_is_in_mount(&opened)))
		(*ret_array)->hold_fd = steal_fd(&opened.fd);
	opened_deinit(&opened);
	return r;
}

/*
 * By closing, never by unlocking: a forked child has the same lock as its parent. What was attached
 * through a mount is the daemon's to let go.
 */
static void let_go(struct sharr *array)
{
	struct stat st;
	int r = fstat(array->hold_fd, &st);

	close(array->hold_fd);
	if (r == 0 && !array->in_mount)
		ephemeral_release(array->info.name, &st);
}

void sharr_detach(struct sharr *array)
{
	if (!array)
		return;
	munmap(array->data, array->mapped);
	if (array->hold_fd >= 0)
		let_go(array);
	if (array->draft) {
		staging_close(&array->draft->staging);
		name_deinit(&array->draft->name);
		free(array->draft);
	}
	free(array);
}

void *sharr_data(const struct sharr *array)
{
	return array->data;
}

size_t sharr_map_bytes(const struct sharr *array)
{
	return array->map_bytes;
}

const struct sharr_info *sharr_info(const struct sharr *array)
{
	return &array->info;
}

int sharr_copy_to(const char *name,
		  int (*place)(const struct sharr_info *info, void *userdata, void **ret_buffer),
		  void *userdata)
{
	struct opened opened;
	struct sharr_info *info;
	void *buffer;
	int r = info_open(name, &opened, &info);

	if (r < 0)
		return r;
	r = map_check(info->nbytes);
	if (r == 0) {
		r = place(info, userdata, &buffer);
		error_clear(); /* `place` may have called anything */
	}
	if (r == 0)
		r = whole_pread(opened.fd, buffer, (size_t)info->nbytes, 0);
	sharr_info_free(info);
	opened_deinit(&opened);
	return r == -ENODATA ? -ERANGE : r; /* it has become shorter */
}

struct wanted {
	const char *dtype;
	void *buffer;
	size_t bytes;
};

static int place_wanted(const struct sharr_info *info, void *userdata, void **ret_buffer)
{
	const struct wanted *wanted = userdata;

	if (info->nbytes != wanted->bytes ||
	    (wanted->dtype && strcmp(wanted->dtype, info->dtype) != 0))
		return -ERANGE;
	*ret_buffer = wanted->buffer;
	return 0;
}

int sharr_copy(const char *name, const char *dtype, void *buffer, size_t bytes)
{
	struct wanted wanted = {dtype, buffer, bytes};

	return sharr_copy_to(name, place_wanted, &wanted);
}
