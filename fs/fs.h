/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One mounted store: all the state of the daemon. It is libfuse's userdata, so that every handler
 * finds it by its request, and nothing is global.
 */
#ifndef SHARRFS_FS_H
#define SHARRFS_FS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backing.h"
#include "inode.h"
#include "io.h"
#include "npy_recent.h"
#include "pins.h"
#include "verdict.h"

/*
 * What the daemon itself has served since the mount, as the root's attributes tell: in passthrough
 * maps are not among it.
 */
struct counters {
	atomic_uint_fast64_t reads;
	atomic_uint_fast64_t writes;
	atomic_uint_fast64_t opens;
};

struct fs {
	const char *store; /* absolute path, as text only: the way in is root_fd; owned by the
			      options */
	int root_fd;       /* the store's directory, readable; owned */
	int proc_fd; /* /proc/self/fd, through which O_PATH descriptors are opened anew; owned */
	uint64_t mount_device; /* st_dev of the mount, by which /proc/PID/maps name a map that was
				  made through it */
	double entry_timeout;  /* seconds that the kernel may keep a name */
	double attr_timeout;   /* and attributes */
	struct inode_table inodes;
	struct verdict_cache verdicts;
	struct pins pins;
	struct npy_recent npy_recent;
	struct backing backing;
	struct io_buffers buffers;
	struct counters counters;
};

/*
 * Open the store `path`, which must outlive the fs. Must run in the process that serves: /proc/self
 * is resolved here.
 */
int fs_init(struct fs *fs, const char *path);

/* Close all; the handlers must have ended. */
void fs_deinit(struct fs *fs);

#endif
