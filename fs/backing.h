/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Passthrough, and nothing else knows of it: the kernel maps an open array's own pages into a
 * client (FOPEN_PASSTHROUGH), while read() and write() come to the daemon (FOPEN_DIRECT_IO), which
 * keeps them off the tail. libfuse below 3.17 cannot say so: there its INIT reply is completed on
 * the way to the device, and open replies are sent as bytes.
 *
 * Where it cannot be had, as with backing_portable.c, the mount falls back; that is decided once, at
 * the start. In passthrough mode every open of an array is answered with the same flags and backing
 * id, since the kernel answers EIO to any other.
 */
#ifndef SHARRFS_BACKING_H
#define SHARRFS_BACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "fuse_api.h"

struct backing {
	bool wanted; /* set before device_attach: by the options */
	bool active; /* passthrough mode; does not change once the mount serves */
	bool init_sent;
	int device_fd; /* libfuse's; set by device_attach */
};

struct iovec;

/* In the handler of INIT. */
void backing_negotiate(struct backing *backing, struct fuse_conn_info *conn);

/* With each reply, before it is sent: the first is that of INIT. */
void backing_complete_init(struct backing *backing, struct iovec *iov, int count);

/*
 * After INIT: can files of the store `root_fd` be passed through? 0: yes, and the mount is now in
 * that mode; else why not: -ENOSYS: this daemon is built without it.
 */
int backing_probe(struct backing *backing, int root_fd);

/*
 * An id for `fd` that the kernel understands; 0 and no error if the mount is not in passthrough
 * mode.
 */
int backing_open(struct backing *backing, int fd, int32_t *ret_id);

void backing_close(struct backing *backing, int32_t id);

/*
 * Answer an open in passthrough mode. -ENOENT: the client was interrupted, and will send no
 * RELEASE.
 */
int backing_reply_open(fuse_req_t req, struct fuse_file_info *fi, int32_t id);

/* Likewise a create. */
int backing_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
			 struct fuse_file_info *fi, int32_t id);

#endif
