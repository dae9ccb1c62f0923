/* SPDX-License-Identifier: BSD-3-Clause */
/* No file is passed through: all data of the mount go through read() and write() of the daemon. */
#include "backing.h"

#include <errno.h>

void backing_negotiate(struct backing *backing, struct fuse_conn_info *conn)
{
}

void backing_complete_init(struct backing *backing, struct iovec *iov, int count)
{
}

int backing_probe(struct backing *backing, int root_fd)
{
	return -ENOSYS;
}

int backing_open(struct backing *backing, int fd, int32_t *ret_id)
{
	*ret_id = 0;
	return 0;
}

void backing_close(struct backing *backing, int32_t id)
{
}

/* A file without an id is opened as in fallback. */
int backing_reply_open(fuse_req_t req, struct fuse_file_info *fi, int32_t id)
{
	return fuse_reply_open(req, fi);
}

int backing_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
			 struct fuse_file_info *fi, int32_t id)
{
	return fuse_reply_create(req, entry, fi);
}
