/* SPDX-License-Identifier: BSD-3-Clause */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "linux_calls.h"
#include "timespec.h"

static struct timespec time_of(const struct statx_timestamp *stamp)
{
	return (struct timespec){.tv_sec = stamp->tv_sec, .tv_nsec = stamp->tv_nsec};
}

/* statx, since stat tells no birth time. */
static int facts_get(int dirfd, const char *name, int flags, struct facts *ret_facts)
{
	struct statx stx;
	struct timespec born;

	if (statx(dirfd, name, flags | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &stx) <
	    0)
		return -errno;
	born = time_of(&stx.stx_btime);
	ret_facts->ephemeral = false;
	ret_facts->st = (struct stat){
		.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.st_ino = stx.stx_ino,
		.st_mode = stx.stx_mode,
		.st_nlink = stx.stx_nlink,
		.st_uid = stx.stx_uid,
		.st_gid = stx.stx_gid,
		.st_size = (off_t)stx.stx_size,
		.st_blocks = (blkcnt_t)stx.stx_blocks,
		.st_blksize = (blksize_t)stx.stx_blksize,
		.st_atim = time_of(&stx.stx_atime),
		.st_mtim = time_of(&stx.stx_mtime),
		.st_ctim = time_of(&stx.stx_ctime),
	};
	ret_facts->id = (struct identity){
		.dev = ret_facts->st.st_dev,
		.ino = stx.stx_ino,
		.born_ns = stx.stx_mask & STATX_BTIME ? timespec_ns(&born) : 0,
	};
	return 0;
}

int facts_of_fd(int fd, struct facts *ret_facts)
{
	return facts_get(fd, "", AT_EMPTY_PATH, ret_facts);
}

int facts_of_name(int dirfd, const char *name, struct facts *ret_facts)
{
	return facts_get(dirfd, name, 0, ret_facts);
}
