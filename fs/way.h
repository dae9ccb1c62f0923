/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel checks permissions by the modes that it was told up to 10 ms ago, those of the
 * directories on the way included. What opens an array or changes a directory is compared with the
 * store first, so that a chmod made there directly holds at once.
 */
#ifndef SHARRFS_WAY_H
#define SHARRFS_WAY_H

struct fs;
struct inode;

/* Are `dir` and all above it as the kernel was told? -ESTALE: not, and the kernel is to walk again. */
int way_check(struct fs *fs, struct inode *dir);

/* The same for the directory that the inode is in; of one that has no name any more it is none. */
int way_check_above(struct fs *fs, struct inode *inode);

#endif
