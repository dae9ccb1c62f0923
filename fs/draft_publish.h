/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of a draft: what was written becomes an array under its name, or is let go. */
#ifndef SHARRFS_DRAFT_PUBLISH_H
#define SHARRFS_DRAFT_PUBLISH_H

struct draft;
struct file;
struct fs;
struct name;

/*
 * The place of `name` in the directory `dirfd`, which stays the caller's, as libsharr has it; to be
 * freed. NULL: no memory.
 */
struct name *draft_place(int dirfd, const char *name);

/*
 * Under the draft's lock. -EEXIST: its name has been taken in the store meanwhile; -EPERM: it
 * was renamed onto an array, which is another user's by now, in a sticky directory; -EINVAL: what
 * was written does not fit the attributes that were set; -ENOSPC: no room for its metadata.
 * Whatever the outcome, it is no open draft any more.
 */
int draft_publish(struct fs *fs, struct file *file);

/*
 * Under the draft's lock, or when nobody else has it: if it has a hidden name, as some stores have no
 * nameless files, take that away.
 */
void draft_unstage(struct draft *draft);

#endif
