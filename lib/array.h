/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handle of an attached array: a map, and what is known of it. Of one allocation: strings and
 * shape lie behind the struct.
 */
#ifndef SHARR_ARRAY_H
#define SHARR_ARRAY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "format.h"
#include "sharr.h"
#include "staging.h"

/* An array that is not published yet. */
struct array_draft {
	struct name name;
	struct staging staging;
	bool replace;
	bool ephemeral;
	bool in_mount; /* its last close publishes it (mount_create.h) */
};

struct sharr {
	void *data;       /* the map's address */
	size_t map_bytes; /* of the data and the fixed block */
	size_t mapped;    /* of all that was mapped, at least those */
	bool readonly;
	bool in_mount;
	_Atomic int mount_map; /* sync.c: what its map turned out to be; 0: not known yet */
	int hold_fd;           /* of an ephemeral array, owned; else -1 */
	struct sharr_info info;
	struct array_draft *draft; /* owned; NULL once published */
};

/* Map the array that `fd` is open on. The descriptor stays the caller's. */
int array_new(const char *name, int fd, const struct stat *st, const struct format_meta *meta,
	      bool readonly, struct sharr **ret_array);

#endif
