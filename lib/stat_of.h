/* SPDX-License-Identifier: BSD-3-Clause */
/* What statx() tells, as stat() has it; and whether two of them are of one file. */
#ifndef SHARR_STAT_OF_H
#define SHARR_STAT_OF_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "linux_calls.h"

static inline struct timespec stat_time_of(const struct statx_timestamp *stamp)
{
	return (struct timespec){.tv_sec = stamp->tv_sec, .tv_nsec = stamp->tv_nsec};
}

/* What was not asked for is as statx() left it. */
static inline struct stat stat_of(const struct statx *stx)
{
	return (struct stat){
		.st_dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
		.st_ino = stx->stx_ino,
		.st_mode = stx->stx_mode,
		.st_nlink = stx->stx_nlink,
		.st_uid = stx->stx_uid,
		.st_gid = stx->stx_gid,
		.st_size = (off_t)stx->stx_size,
		.st_blocks = (blkcnt_t)stx->stx_blocks,
		.st_blksize = (blksize_t)stx->stx_blksize,
		.st_atim = stat_time_of(&stx->stx_atime),
		.st_mtim = stat_time_of(&stx->stx_mtime),
		.st_ctim = stat_time_of(&stx->stx_ctime),
	};
}

static inline bool stat_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

#endif
