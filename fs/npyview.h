/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The view of a directory's arrays as npy files: `.npy`, in every directory of the mount, not
 * listed there but found, with one x.npy for each array x: its npy header, composed when it is
 * opened, and then its data. They are read-only, and cached by the kernel from each open on, so
 * that they can be mapped: a snapshot. A new npy file that is written there is a draft (draft.h),
 * and becomes array x when it is finished (npy_unwrap.h). Mode, owner and times are the array's,
 * and can be set: programs that copy a file set them when it is finished.
 *
 * To the kernel all this is other inodes than the arrays': an array may be open by passthrough,
 * which goes together with no other kind of open of the same inode. An array that is reinterpreted
 * is another npy file, and thus another inode, too.
 *
 * The view takes the name: an array or a group of the store that is called `.npy` itself is not
 * shown. Names whose x.npy would be longer than NAME_MAX are not in the view. The kernel keeps no
 * names and attributes of it, as nobody would tell it that they have changed.
 */
#ifndef SHARRFS_NPYVIEW_H
#define SHARRFS_NPYVIEW_H

#include <limits.h>
#include <stdbool.h>

#include "facts.h"

struct file;
struct fs;
struct inode;

/* Both what the view is called, and what the names in it end with. */
#define NPYVIEW_NAME ".npy"

/* Is `name` in `dir` a view, or in one? */
bool npyview_has(const struct inode *dir, const char *name);

/* The directory of the store behind a directory of the mount: that is itself unless it is a view.
 */
struct inode *npyview_store_dir(struct inode *dir);

/*
 * The store's name of `name` in `dir`. -EINVAL: it is in a view, but no array's there.
 * -ENAMETOOLONG.
 */
int npyview_store_name(const struct inode *dir, const char *name, char ret_name[NAME_MAX + 1]);

/*
 * `name` in `dir`, which npyview_has; dirfd is store_open_dir's. A descriptor (O_PATH) of what is
 * behind it, for the caller to close, and its facts. -ENOENT.
 */
int npyview_look(struct fs *fs, struct inode *dir, int dirfd, const char *name, int *ret_fd,
		 struct facts *ret_facts);

/* What the array `name` in the directory `dirfd` is in the view. -ENOENT: it is not in it. */
int npyview_list(struct fs *fs, int dirfd, const char *name, char ret_shown[NAME_MAX + 1],
		 struct facts *ret_facts);

/* A descriptor (O_PATH) of what is now behind an inode of a view. -ESTALE: nothing. */
int npyview_open_place(struct fs *fs, struct inode *inode, int *ret_fd);

/*
 * From the facts of what path_fd is, as the mount shows it, to those in the view; id: of the inode
 * that it should be, or NULL if it is being looked up. -ENOENT: it is no array.
 */
int npyview_show(struct fs *fs, int path_fd, const struct identity *id, struct facts *facts);

/* Likewise, of an open file of a view. */
void npyview_show_open(const struct file *file, struct facts *facts);

/* Facts of a draft: its numbers are not those of the array that it will be. */
void npyview_show_draft(struct facts *facts);

/*
 * Open the new file of an inode of a view. -ESTALE: the array is another now, or another kind of
 * one.
 */
int npyview_open(struct fs *fs, int path_fd, struct file *file);

#endif
