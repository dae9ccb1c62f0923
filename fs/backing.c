/* SPDX-License-Identifier: BSD-3-Clause */
#include "backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cleanup.h"

/*
 * Linux 6.9 and later; older headers lack them. The names differ from the kernel's, which are there
 * in newer ones.
 */
struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

#if SHARRFS_FUSE_API < 317

enum {
	INIT_EXT = 1u << 30,
	INIT2_PASSTHROUGH = 1u << (37 - 32),
	OPEN_PASSTHROUGH = 1u << 7,
};

/* The INIT reply as a kernel with passthrough reads it. */
struct init_reply {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth, unused[6];
};
_Static_assert(sizeof(struct init_reply) == sizeof(struct fuse_init_out), "one message, two names");

/* The open reply likewise: older headers call the last field padding. */
struct open_reply {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};
_Static_assert(sizeof(struct open_reply) == sizeof(struct fuse_open_out), "one message, two names");

void backing_complete_init(struct backing *backing, struct iovec *iov, int count)
{
	struct init_reply *reply = iov[count - 1].iov_base;

	if (backing->init_sent || count != 2 || iov[1].iov_len != sizeof(*reply))
		return;
	backing->init_sent = true;
	if (!backing->wanted)
		return;
	reply->flags |= INIT_EXT;
	reply->flags2 |= INIT2_PASSTHROUGH;
	reply->max_stack_depth = 1;
}

/*
 * Nothing to ask libfuse for; a kernel without it passes over what backing_complete_init adds, and
 * the probe finds out.
 */
void backing_negotiate(struct backing *backing, struct fuse_conn_info *conn)
{
}

int backing_reply_open(fuse_req_t req, struct fuse_file_info *fi, int32_t id)
{
	struct open_reply reply = {
		.fh = fi->fh,
		.open_flags =
			OPEN_PASSTHROUGH | FOPEN_DIRECT_IO | (fi->noflush ? FOPEN_NOFLUSH : 0),
		.backing_id = id,
	};

	return fuse_reply_buf(req, (const char *)&reply, sizeof(reply));
}

static void put_timeout(double seconds, uint64_t *ret_s, uint32_t *ret_ns)
{
	*ret_s = (uint64_t)seconds;
	*ret_ns = (uint32_t)((seconds - (double)*ret_s) * 1e9);
}

int backing_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
			 struct fuse_file_info *fi, int32_t id)
{
	const struct stat *st = &entry->attr;
	struct {
		struct fuse_entry_out entry;
		struct open_reply open;
	} reply = {
		.entry =
			{
				.nodeid = entry->ino,
				.generation = entry->generation,
				.attr =
					{
						.ino = st->st_ino,
						.size = (uint64_t)st->st_size,
						.blocks = (uint64_t)st->st_blocks,
						.atime = (uint64_t)st->st_atim.tv_sec,
						.mtime = (uint64_t)st->st_mtim.tv_sec,
						.ctime = (uint64_t)st->st_ctim.tv_sec,
						.atimensec = (uint32_t)st->st_atim.tv_nsec,
						.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
						.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
						.mode = st->st_mode,
						.nlink = (uint32_t)st->st_nlink,
						.uid = st->st_uid,
						.gid = st->st_gid,
						.blksize = (uint32_t)st->st_blksize,
					},
			},
		.open =
			{
				.fh = fi->fh,
				.open_flags = OPEN_PASSTHROUGH | FOPEN_DIRECT_IO,
				.backing_id = id,
			},
	};

	put_timeout(entry->entry_timeout, &reply.entry.entry_valid, &reply.entry.entry_valid_nsec);
	put_timeout(entry->attr_timeout, &reply.entry.attr_valid, &reply.entry.attr_valid_nsec);
	return fuse_reply_buf(req, (const char *)&reply, sizeof(reply));
}

#else

void backing_complete_init(struct backing *backing, struct iovec *iov, int count)
{
}

void backing_negotiate(struct backing *backing, struct fuse_conn_info *conn)
{
	backing->wanted = backing->wanted && fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);
	conn->max_backing_stack_depth = 0;
}

int backing_reply_open(fuse_req_t req, struct fuse_file_info *fi, int32_t id)
{
	fi->direct_io = 1;
	fi->backing_id = id;
	return fuse_reply_open(req, fi);
}

int backing_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
			 struct fuse_file_info *fi, int32_t id)
{
	fi->direct_io = 1;
	fi->backing_id = id;
	return fuse_reply_create(req, entry, fi);
}

#endif

static int backing_register(struct backing *backing, int fd, int32_t *ret_id)
{
	struct backing_map map = {.fd = fd};
	int id = ioctl(backing->device_fd, BACKING_OPEN, &map);

	if (id < 0)
		return -errno;
	*ret_id = id;
	return 0;
}

/*
 * A nameless file of the store tells all; a memfd, where the store takes none, tells what the
 * kernel and privilege allow.
 */
int backing_probe(struct backing *backing, int root_fd)
{
	CLEANUP_FD int fd = -1;
	int32_t id = 0;
	int rc;

	if (!backing->wanted)
		return -EOPNOTSUPP;
	fd = openat(root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("sharrfs", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = backing_register(backing, fd, &id);
	if (rc < 0)
		return rc;
	backing_close(backing, id);
	backing->active = true;
	return 0;
}

int backing_open(struct backing *backing, int fd, int32_t *ret_id)
{
	if (!backing->active) {
		*ret_id = 0;
		return 0;
	}
	return backing_register(backing, fd, ret_id);
}

void backing_close(struct backing *backing, int32_t id)
{
	uint32_t number = (uint32_t)id;

	ioctl(backing->device_fd, BACKING_CLOSE, &number);
}
