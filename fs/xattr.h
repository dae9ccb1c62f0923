/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The extended attributes: an array's metadata under user.sharr., and on the root what the daemon
 * tells of itself. Names outside user. are ENOTSUP, never ENODATA: ls then stops asking for them.
 */
#ifndef SHARRFS_XATTR_H
#define SHARRFS_XATTR_H

#include <stddef.h>
#include <sys/types.h>

struct client;
struct fs;
struct inode;

/* The caller frees the value. */
int xattr_get(struct fs *fs, struct inode *inode, const struct client *client, const char *name,
	      char **ret_value, size_t *ret_bytes);

/* Names with their NULs, one after the other; the caller frees. */
int xattr_list(struct fs *fs, struct inode *inode, const struct client *client, char **ret_names,
	       size_t *ret_bytes);

/*
 * flags as those of setxattr. -EINVAL: the value makes no sense or does not fit the data; -EPERM:
 * it can't be set, or can't be removed.
 */
int xattr_set(struct fs *fs, struct inode *inode, const struct client *client, const char *name,
	      const char *value, size_t bytes, int flags);
int xattr_remove(struct fs *fs, struct inode *inode, const struct client *client, const char *name);

#endif
