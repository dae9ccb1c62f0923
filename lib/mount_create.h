/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making an array through a mounted sharrfs, as any program would: create the file, give it its
 * size, set its attributes, close it. The daemon keeps it out of sight until then, and publishes it
 * whole.
 */
#ifndef SHARR_MOUNT_CREATE_H
#define SHARR_MOUNT_CREATE_H

#include "format.h"
#include "name.h"
#include "sharr.h"

/* 1: this name leads into a mounted sharrfs; 0: it does not. -ENOENT: its directory is not there. */
int mount_has(const struct name *name);

/*
 * data: what it holds, or NULL for zeros, whose space is reserved unless flags has SHARR_SPARSE.
 * Errors are those of sharr_create; -EOPNOTSUPP for flags that can't be had through a mount.
 */
int mount_create(const struct name *name, const struct sharr_spec *spec,
		 const struct format_meta *meta, const void *data, unsigned flags);

#endif
