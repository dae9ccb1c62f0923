/* SPDX-License-Identifier: BSD-3-Clause */
#include "nameless.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int nameless_open(int at, const char *dir)
{
	int fd = openat(at, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);

	/* A kernel or file system that does not know O_TMPFILE sees a directory opened for writing. */
	if (fd < 0)
		return errno == EISDIR ? -EOPNOTSUPP : -errno;
	return fd;
}

int nameless_link(int fd, int at, const char *path)
{
	char from[32];

	/* From Linux 6.10 on who opened it may link the descriptor itself, before that root alone. */
	if (linkat(fd, "", at, path, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, from, at, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}
