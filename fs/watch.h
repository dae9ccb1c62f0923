/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What changes in the store while the kernel remembers it. A listing hands the kernel names and
 * attributes to keep for seconds, so that `ls -l` asks for each file once; each directory that was
 * listed is watched by inotify, and what changes in it is forgotten within some 10 ms: the kernel
 * asks for the attributes anew then, is told ESTALE if the name is another file's now, and looks it
 * up again. (Invalidating names themselves takes locks that clients hold while they wait for this
 * daemon: were it killed in that, they would hang for ever.)
 *
 * A directory that cannot be watched, since the user's limit is reached (fs.inotify.max_user_watches)
 * or nothing is (watch_portable.c), is listed like any other, but nothing of it is remembered for
 * longer than what was asked for by name. That keeps the 50 ms which are promised, and `ls -l`, which
 * asks for each name as it reads it, is as fast as where all is watched; were nothing remembered, it
 * would take five times as long.
 */
#ifndef SHARRFS_WATCH_H
#define SHARRFS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct fs;
struct inode;
struct watcher;

/* One watched directory. All is under the inode table's lock. */
struct watch {
	struct watch *next;  /* in its bucket */
	int wd;              /* inotify's */
	struct inode *dir;   /* the newest inode of that directory, whose `watch` is this; NULL: the
			       kernel has forgotten it */
	uint32_t generation; /* counts what has happened in it; never 0 */
};

/* In the process that serves, before it does: the thread that tells the kernel what it has to
 * forget. -ENOSYS: this daemon is built without. */
int watch_start(struct fs *fs, struct watcher **ret_watcher);

/* Before the session ends. NULL is fine. */
void watch_stop(struct fs *fs, struct watcher *watcher);

/*
 * Watch the directory that `dir` is, open as dirfd (it may be O_PATH), if it is not watched yet.
 * What is read of it afterwards, and changes then, will be forgotten.
 */
void watch_directory(struct fs *fs, struct inode *dir, int dirfd);

/* Where nothing is watched: 0. Otherwise it changes with every change in the directory. */
uint32_t watch_generation(struct fs *fs, const struct inode *dir);

#endif
