/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who holds ephemeral arrays, from /proc/locks: told without opening them. A file system may number
 * its devices otherwise there than in stat (btrfs does); then it has no lock that is ours.
 */
#ifndef SHARRFS_LOCK_LIST_H
#define SHARRFS_LOCK_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The files that are held, in order. */
struct lock_list {
	struct locked_file {
		dev_t dev;
		ino_t ino;
	} * files; /* owned */
	size_t count, room;
};

/* What the caller gives back by lock_list_deinit. A negative errno: it can't be read. */
int lock_list_read(struct lock_list *ret_list);

void lock_list_deinit(struct lock_list *list);

/* Does somebody hold the ephemeral array that is this file? */
bool lock_list_has(const struct lock_list *list, dev_t dev, ino_t ino);

#endif
