/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting and removing the attributes of a published array: the describing ones reinterpret it, the
 * user's own are kept in its tail. Either way a whole new tail is appended (rewrite.h), so that a
 * reader finds the old or the new.
 */
#ifndef SHARRFS_XATTR_CHANGE_H
#define SHARRFS_XATTR_CHANGE_H

#include <stddef.h>
#include <sys/types.h>

struct client;
struct fs;
struct inode;

/* name: without "user."; value NULL removes; flags as those of setxattr. */
int xattr_change(struct fs *fs, struct inode *inode, const struct client *client, const char *name,
		 const char *value, size_t bytes, int flags);

#endif
