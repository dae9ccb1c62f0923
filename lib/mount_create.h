/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making an array through a mounted sharrfs, as any program would: create a file, give it its size,
 * set its attributes, close it. The daemon keeps it out of sight until then, and publishes it
 * whole. It is created under a hidden name (staging.h), under which the daemon never publishes, and
 * given its own by a rename just before it is closed: so what is dropped in between is gone, and
 * what is to be replaced stays as it is until then.
 *
 * Its creator and the time of its creation are the daemon's to write.
 */
#ifndef SHARR_MOUNT_CREATE_H
#define SHARR_MOUNT_CREATE_H

#include "format.h"
#include "name.h"
#include "sharr.h"

/* 1: this name leads into a mounted sharrfs; 0: it does not. -ENOENT: its directory is not there. */
int mount_has(const struct name *name);

/*
 * Give the empty file `fd` its size and its attributes. data: what it holds, or NULL for zeros,
 * whose space is reserved if asked for. where: for messages. Errors are those of sharr_create.
 */
int mount_fill(int fd, const struct sharr_spec *spec, const struct format_meta *meta,
	       const void *data, bool reserve, const char *where);

/* What the daemon has written into the array that was made: `info` is brought up to that. */
void mount_refresh(struct name *name, struct sharr_info *info);

#endif
