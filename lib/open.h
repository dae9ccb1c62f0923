/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening the file of an array: a regular file, no symlink of a store, without ever blocking, and
 * its metadata read.
 */
#ifndef SHARR_OPEN_H
#define SHARR_OPEN_H

#include <sys/stat.h>

#include "format.h"
#include "name.h"

struct opened {
	int fd;        /* owned */
	bool in_mount; /* of a sharrfs: locks on its file are its own, not the store's */
	struct stat st;
	struct format_meta meta;
	void *map; /* owned; NULL: none was made */
	size_t mapped;
};

/*
 * access: O_RDONLY or O_RDWR. -EBADMSG for all that is no array. What is not in the store may be in
 * its mount: the name leads there then. Free with opened_deinit.
 */
int open_array(struct name *name, int access, struct opened *ret_opened);

/*
 * The same to attach it: an array in a mount may be mapped already, data and fixed block, with
 * access. (Its metadata are then read from the map, which saves a request.)
 */
int open_array_to_map(struct name *name, int access, struct opened *ret_opened);

/* The same for an entry of an open directory. */
int open_array_at(int dir, const char *entry, int access, bool in_mount, struct opened *ret_opened);

/*
 * The same for who has rights that others lack: what may have been put there is not opened for data
 * before it is known to be a regular file.
 */
int open_array_warily(int dir, const char *entry, int access, bool in_mount,
		      struct opened *ret_opened);

/*
 * Open anew what a descriptor, O_PATH or not, is of: the very file, whatever has its name by now. A
 * new descriptor, or a negative errno: -ENOENT without /proc.
 */
int open_again(int fd, int flags);

void opened_deinit(struct opened *opened);

/*
 * Must a listing end with this error of one entry? Without the descriptors, the memory or the time
 * to look at it the list would be short without a word.
 */
bool open_is_fatal(int r);

#define CLEANUP_OPENED __attribute__((cleanup(opened_deinit)))

#endif
