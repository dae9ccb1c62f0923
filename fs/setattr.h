/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chmod, chown, utimens and truncate on behalf of a client: forwarded to the store's file, but for
 * a size, which is fixed.
 */
#ifndef SHARRFS_SETATTR_H
#define SHARRFS_SETATTR_H

#include <sys/stat.h>
#include <sys/types.h>

struct client;
struct facts;
struct fs;
struct inode;

/* to_set: libfuse's FUSE_SET_ATTR_… bits. *ret_facts: what the file is then, as the mount shows it.
 */
int setattr_apply(struct fs *fs, struct inode *inode, const struct stat *attr, int to_set,
		  const struct client *client, struct facts *ret_facts);

#endif
