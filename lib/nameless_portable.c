/* SPDX-License-Identifier: BSD-3-Clause */
#include "nameless.h"

#include <errno.h>

int nameless_open(int at, const char *dir)
{
	return -EOPNOTSUPP;
}

int nameless_link(int fd, int at, const char *path)
{
	return -EOPNOTSUPP;
}
