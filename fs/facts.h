/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the store says of one file at one moment: who it is and what stat() of it shows. A name
 * alone tells nothing, since others delete and recreate; device, inode number and birth time
 * together tell whether a file is still the same, where inode numbers are used again.
 */
#ifndef SHARRFS_FACTS_H
#define SHARRFS_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct identity {
	uint64_t dev;
	uint64_t ino;
	int64_t born_ns; /* 0 where the file system keeps no birth time */
};

struct facts {
	struct identity id;
	struct stat st; /* as the mount shows it once the verdict is in: st_size is the array's
			   nbytes */
	bool ephemeral; /* known once the verdict is in */
};

/* Of the open descriptor `fd`, which may be O_PATH. */
int facts_of_fd(int fd, struct facts *ret_facts);

/* Of `name` in `dirfd`, without following a symlink. */
int facts_of_name(int dirfd, const char *name, struct facts *ret_facts);

static inline bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->born_ns == b->born_ns;
}

#endif
