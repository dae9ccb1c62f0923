/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rewrites the metadata of one array once, to be killed at any of its system calls: `rewriting PATH DTYPE`, as soon as stdin
 * has a byte.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "reinterpret.h"
#include "rewrite.h"

static int change(const struct format_meta *meta, void *userdata, struct format_meta *ret_changed)
{
	const char *dtype = userdata;

	return reinterpret_dtype(meta, dtype, strlen(dtype), ret_changed);
}

int main(int argc, char **argv)
{
	char byte;
	int fd;

	if (argc != 3 || read(STDIN_FILENO, &byte, 1) != 1)
		return 2;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	return fd >= 0 && rewrite_array(fd, REWRITE_WAIT_MS, change, argv[2]) == 0 ? 0 : 1;
}
