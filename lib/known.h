/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the last listing of a directory found, for the next one of this process: a file that is as it
 * was then, by inode, ctime and size, needs not be opened and read again. That is believed of files
 * that had not changed for two seconds when they were read, as ctime advances by up to that on some
 * file systems. Ephemeral arrays are never kept: whether they still are one is seen by opening them.
 *
 * One listing at a time has what is known of a directory; another one at that time knows nothing.
 * Of the directories that were listed last 16 are known, of arrays 262,144, at some 250 bytes each.
 */
#ifndef SHARR_KNOWN_H
#define SHARR_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sharr.h"

struct known_array {
	struct known_array *next; /* in its bucket, or in the chain of what was found */
	uint64_t serial;          /* of this process: no other array has or had it, nor this one
				     after a change */
	ino_t ino;
	int64_t ctime_ns;
	off_t bytes;            /* of the file */
	struct sharr_info info; /* what it points to follows */
};

/* For one listing. */
struct known {
	dev_t dev; /* of the directory, like the next */
	ino_t ino;
	uid_t uid; /* who looked: others may be let read other files */
	struct known_array *
		*buckets;    /* what the last listing found and this one has not, yet; owned */
	size_t bucket_count; /* a power of 2; 0: nothing */
	struct known_array *found; /* by this one; owned */
	size_t found_count;
	int64_t old_ns; /* what changed after that is too young */
};

/* Never fails: what can't be known is not, and of a directory -1 nothing is. To be ended by known_end. */
void known_begin(struct known *known, int dir);

/* What a file of that inode number was, or NULL. */
struct known_array *known_find(const struct known *known, ino_t ino);

/* It still is that. */
bool known_is(const struct known_array *array, const struct stat *st);

/* It was found again: it is kept for the next listing. */
void known_found(struct known *known, struct known_array *array);

/*
 * `info` is that of a file that was read after `st` was taken. The serial under which it is known from
 * now on; 0: it is not kept.
 */
uint64_t known_keep(struct known *known, const struct stat *st, const struct sharr_info *info);

/* complete: all of the directory was seen. Else nothing is known of it any more. */
void known_end(struct known *known, bool complete);

#endif
