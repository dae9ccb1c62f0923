/* SPDX-License-Identifier: BSD-3-Clause */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "stat_of.h"
#include "timespec.h"

/* statx, since stat tells no birth time. */
static int facts_get(int dirfd, const char *name, int flags, struct facts *ret_facts)
{
	struct statx stx;
	struct timespec born;

	if (statx(dirfd, name, flags | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &stx) <
	    0)
		return -errno;
	born = stat_time_of(&stx.stx_btime);
	ret_facts->ephemeral = false;
	ret_facts->st = stat_of(&stx);
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
