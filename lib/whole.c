/* SPDX-License-Identifier: BSD-3-Clause */
#include "whole.h"

#include <errno.h>
#include <unistd.h>

int whole_pread(int fd, void *buffer, size_t bytes, uint64_t offset)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(fd, (char *)buffer + done, bytes - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ENODATA;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int whole_pwrite(int fd, const void *buffer, size_t bytes, uint64_t offset)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pwrite(fd, (const char *)buffer + done, bytes - done,
				   (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}
