/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel checks permissions by the modes that it was told up to 10 ms ago, those of the
 * directories on the way included. What opens an array or changes a directory is compared with the
 * store first, so that a chmod made there directly holds at once.
 */
#ifndef SHARRFS_WAY_H
#define SHARRFS_WAY_H

struct client;
struct fs;
struct inode;

/*
 * Are `dir` and all above it as the kernel was told? -ESTALE: not, and the kernel is to walk again.
 * `retrier`, unless NULL, is who has just done so for an ESTALE, and would get the next as an error:
 * -ENOENT then, if there is none for the moment; 0, if all that has changed lets it in for sure.
 */
int way_check(struct fs *fs, struct inode *dir, const struct client *retrier);

/* The same for the directory that the inode is in; of one that has no name any more it is none. */
int way_check_above(struct fs *fs, struct inode *inode, const struct client *retrier);

#endif
