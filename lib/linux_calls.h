/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of Linux that its C library may not know: of musl, 1.2.3 has no statx(), and 1.2.5 neither
 * renameat2() nor MADV_POPULATE_WRITE. What is missing stands here as the C library would have it.
 */
#ifndef SHARR_LINUX_CALLS_H
#define SHARR_LINUX_CALLS_H

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STATX_BASIC_STATS
#include <linux/stat.h>

static inline int statx(int dir, const char *path, int flags, unsigned mask,
			struct statx *ret_found)
{
	return (int)syscall(SYS_statx, dir, path, flags, mask, ret_found);
}
#endif

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE 2u

static inline int renameat2(int from_dir, const char *from, int to_dir, const char *to,
			    unsigned flags)
{
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#endif
