/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory that is open: the names that it had when it was read first, once each, so that
 * offsets stay what they are and no array is listed twice or left out while others come and go.
 * Reading from the start again takes a new snapshot. All snapshots together have so much memory that
 * a few of very many names fit, or very many of few; who wants more is told ENOMEM.
 */
#ifndef SHARRFS_DIR_H
#define SHARRFS_DIR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fs;
struct inode;

enum { DIRS_BYTES_MAX = 512 << 20 }; /* of all snapshots */

struct dir {
	atomic_size_t *all_bytes; /* the fs's: of all snapshots */
	uint64_t seed;            /* of hashes of names */
	pthread_mutex_t lock;     /* of all below; outermost */
	bool taken;
	int fd;      /* O_PATH of the directory; owned; -1: it is dead (inode_is_dead()) */
	char *names; /* one after the other, each with its NUL */
	size_t names_bytes;
	size_t names_room;
	size_t *starts; /* of each name in names */
	size_t count;
	size_t starts_room;
};

/* `client`: as of store_open. */
int dir_open(struct fs *fs, struct inode *inode, pid_t client, struct dir **ret_dir);
void dir_close(struct dir *dir);

/* Under the lock: take a snapshot, instead of the one there is. -ENOMEM: no room is left for it. */
int dir_take(struct dir *dir);

/* Under the lock: the name at `index`; NULL behind the last one. */
const char *dir_name(const struct dir *dir, size_t index);

#endif
