/* SPDX-License-Identifier: BSD-3-Clause */
/* Nobody looks after ephemeral arrays here: the next call that meets one, or reap(), does. */
#include "ephemerals.h"

#include <errno.h>

int ephemerals_start(struct fs *fs, struct ephemerals **ret_ephemerals)
{
	return -ENOSYS;
}

void ephemerals_stop(struct ephemerals *ephemerals)
{
}
