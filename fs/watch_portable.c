/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No directory is watched. What the kernel keeps for some milliseconds only, it may keep: changes
 * show within 50 ms by that alone.
 */
#include "watch.h"

#include <errno.h>

int watch_start(struct fs *fs, struct watcher **ret_watcher)
{
	return -ENOSYS;
}

void watch_stop(struct fs *fs, struct watcher *watcher)
{
}

void watch_directory(struct fs *fs, struct inode *dir, int dirfd)
{
}

uint32_t watch_generation(struct fs *fs, const struct inode *dir)
{
	return 0;
}
