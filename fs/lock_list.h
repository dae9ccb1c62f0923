/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who holds ephemeral arrays, from /proc/locks: told without opening them. A file system may number
 * its devices otherwise there than in stat (btrfs does); then it has no lock that is ours.
 */
#ifndef SHARRFS_LOCK_LIST_H
#define SHARRFS_LOCK_LIST_H

#include <stdbool.h>
#include <sys/types.h>

/* The list, as text for the caller to free. NULL: it can't be read. */
char *lock_list_read(void);

/* Does somebody hold the ephemeral array that is this file? */
bool lock_list_has(const char *list, dev_t dev, ino_t ino);

#endif
