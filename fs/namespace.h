/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of names in the store on behalf of a client: only what the mount shows is ever removed or
 * replaced. The kernel has checked the permission bits of the directories; ownership in sticky
 * directories is checked again here, with the client's uid, since the daemon may do what the client
 * may not. Check and change both go by name: what SECURITY.md says of the instant between them could
 * be mended only by a daemon that keeps CAP_SETUID, to be the client for the change.
 */
#ifndef SHARRFS_NAMESPACE_H
#define SHARRFS_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

struct client;
struct facts;
struct fs;
struct inode;

/* The rule of sticky directories: -EPERM, the user may not take the victim out of this one. */
int namespace_may_remove(int dirfd, const struct facts *victim, uid_t uid);

int namespace_remove(struct fs *fs, struct inode *dir, const char *name, bool directory, uid_t uid);

/* flags as those of renameat2. */
int namespace_rename(struct fs *fs, struct inode *from, const char *from_name, struct inode *to,
		     const char *to_name, unsigned flags, uid_t uid);

/* A new group, which belongs to the client. Its facts are those of the directory in the store. */
int namespace_mkdir(struct fs *fs, struct inode *dir, const char *name, mode_t mode,
		    const struct client *client, struct facts *ret_facts);

#endif
