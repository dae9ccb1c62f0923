/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way from an inode to its file in the store. Whoever may write to a directory of the store may
 * swap what lies in it at any moment, so that a path is walked from the root's descriptor by one
 * component at a time, no symlink is ever followed, and what was found is compared with what the
 * inode was. A file is first opened by O_PATH, which has no effect on anything that may lie there,
 * and then anew through /proc/self/fd once it is known to be a regular file.
 *
 * -ESTALE: another file is there now; the kernel then looks the name up again and retries. -ENOENT:
 * none.
 */
#ifndef SHARRFS_STORE_AT_H
#define SHARRFS_STORE_AT_H

#include <stdbool.h>
#include <sys/types.h>

#include "facts.h"

struct client;
struct fs;
struct inode;

/* Names that the mount does not show even if they are arrays: of temporary files. */
bool store_hides(const char *name);

/* A descriptor (O_PATH) of the directory of this path in the store; "" is the store itself. */
int store_walk(struct fs *fs, const char *path, int *ret_fd);

/* A descriptor (O_PATH) of the directory that the inode is. The caller closes it. */
int store_open_dir(struct fs *fs, struct inode *dir, int *ret_fd);

/*
 * A descriptor (O_PATH) of the file or directory that the inode is, and its facts. The caller
 * closes it. `client`, here and below, is the thread that asks and will ask again if it is told
 * ESTALE (pins.h); 0: none.
 */
int store_open(struct fs *fs, struct inode *inode, pid_t client, int *ret_fd,
	       struct facts *ret_facts);

/* The facts of `name` in the directory `dirfd`, as shown; -ENOENT for what the mount hides. */
int store_look(struct fs *fs, int dirfd, const char *name, struct facts *ret_facts);

/* Likewise, and a descriptor (O_PATH) of the very file that they are of. The caller closes it. */
int store_look_and_open(struct fs *fs, int dirfd, const char *name, int *ret_fd,
			struct facts *ret_facts);

/*
 * As store_look, for who wants to take the name: -EEXIST for what the mount hides; -ENOENT: it is
 * free.
 */
int store_look_taken(struct fs *fs, int dirfd, const char *name, struct facts *ret_facts);

/*
 * Was the client told ESTALE of this directory? Once more does not help: it is to be told that there
 * is none (pins_give_up).
 */
bool store_give_up(struct fs *fs, struct inode *dir, pid_t client);

/* -ESTALE, for an inode that the client is to look up again: what it finds then is held for it. */
int store_expect(struct fs *fs, struct inode *inode, pid_t client);

/*
 * The facts of an inode, as shown; of an open one by its descriptor, so that a deleted file has
 * them too.
 */
int store_facts(struct fs *fs, struct inode *inode, pid_t client, struct facts *ret_facts);

/*
 * Likewise, and a descriptor of it (perhaps O_PATH, to be opened anew for anything else). The
 * caller closes it.
 */
int store_open_shown(struct fs *fs, struct inode *inode, pid_t client, int *ret_fd,
		     struct facts *ret_facts);

/*
 * May the client have `access`, though the kernel decided by what it was told last? Yes if that is
 * so still. And `retries`, who has been told ESTALE already and would get it as an error: yes if
 * it is sure to be let in by what is so now.
 */
bool store_is_as_told(struct fs *fs, struct inode *inode, const struct facts *facts,
		      const struct client *client, int access, bool retries);

/* Likewise, from such a descriptor: for what was just done by it, whatever the name is now. */
int store_facts_of(struct fs *fs, struct inode *inode, int fd, struct facts *ret_facts);

/* Open anew what a descriptor, O_PATH or not, is of. */
int store_reopen(struct fs *fs, int path_fd, int flags, int *ret_fd);

/*
 * An inode's file, for reading its tail; its facts are the file's own (st_size is that of the
 * file).
 */
int store_open_tail(struct fs *fs, struct inode *inode, pid_t client, int *ret_fd,
		    struct facts *ret_facts);

#endif
