/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ephemeral arrays go with the last process that holds them (lib/ephemeral.h). One that is killed
 * leaves that to the next who comes: this daemon, if it runs. Each ephemeral array of the store is
 * watched by inotify for being closed, and that alone: a watch for it on a directory would cost
 * every attach of every array 5 us. Directories are watched for new names.
 *
 * To open an array in order to ask who holds it would be an event again, so that /proc/locks is
 * asked first.
 *
 * What cannot be watched, since the user's limit is reached (fs.inotify.max_user_watches) or nothing
 * can be (ephemerals_portable.c), is left to the next who comes, as without a daemon.
 */
#ifndef SHARRFS_EPHEMERALS_H
#define SHARRFS_EPHEMERALS_H

struct ephemerals;
struct fs;

/* In the process that serves: the thread that looks after them, and first at what there is. -ENOSYS:
 * this daemon is built without. */
int ephemerals_start(struct fs *fs, struct ephemerals **ret_ephemerals);

/* When the mount holds no array any more: looks a last time. NULL is fine. */
void ephemerals_stop(struct ephemerals *ephemerals);

#endif
