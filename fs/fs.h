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
#include "unused.h"
#include "verdict.h"

struct fuse_session;
struct watcher;

/*
 * What the daemon itself has served since the mount, as the root's attributes tell: in passthrough
 * maps are not among it.
 */
struct counters {
	atomic_uint_fast64_t reads;
	atomic_uint_fast64_t writes;
	atomic_uint_fast64_t opens;
};

/*
 * How long the kernel may keep what it was told, in seconds; all 0 where it is to keep nothing. It
 * rounds up to its tick, 1 to 10 ms.
 */
struct timeouts {
	double tick;        /* attributes of directories, which change with what is in them, and of
			       drafts, whose names are never kept: so that a walk does not ask twice */
	double name;        /* a name that was asked for alone */
	double attributes;  /* likewise, of an array */
	double listed;      /* names and attributes of a directory that is watched, … */
	double listed_more; /* … and what is added for each in it: all are to hold until the last
			       one is read */
};

struct fs {
	const char *store; /* absolute path, as text only: the way in is root_fd; owned by the
			      options */
	int root_fd;       /* the store's directory, readable; owned */
	bool no_devices;   /* it is mounted so that none in it can be opened (nodev) */
	int proc_fd; /* /proc/self/fd, through which O_PATH descriptors are opened anew; owned */
	int descriptor_max;    /* of this process */
	uint64_t mount_device; /* st_dev of the mount, by which /proc/PID/maps name a map that was
				  made through it */
	struct timeouts timeouts;
	struct fuse_session *session; /* for what the kernel is told unasked */
	struct watcher *watcher;      /* NULL: nothing is watched */
	struct inode_table inodes;
	struct verdict_cache verdicts;
	struct pins pins;
	struct unused unused;
	atomic_size_t draft_attributes_bytes; /* that drafts keep, all together */
	struct npy_recent npy_recent;
	struct backing backing;
	struct io_buffers buffers;
	struct counters counters;
	atomic_size_t dir_bytes; /* of what open directories keep (dir.h) */
	atomic_int patient;      /* threads that wait for the lock on an array's metadata */
};

/*
 * Open the store `path`, which must outlive the fs. Must run in the process that serves: /proc/self
 * is resolved here.
 */
int fs_init(struct fs *fs, const char *path);

/* Close all; the handlers must have ended. */
void fs_deinit(struct fs *fs);

#endif
