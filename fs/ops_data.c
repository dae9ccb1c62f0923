/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handlers: open arrays and their data. The file handle is the struct file that all who have the
 * array open share, marked if this one was opened while it was in the making.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "draft.h"
#include "draft_grow.h"
#include "file.h"
#include "ops.h"
#include "store_at.h"

static struct file *file_of(const struct fuse_file_info *fi)
{
	return file_of_handle(fi->fh);
}

/* What a handle reads and writes: for its makers that may be the array's successor. */
static struct file *begin(struct fs *fs, const struct fuse_file_info *fi)
{
	struct file *file = file_of(fi);

	return file_handle_is_makers(fi->fh) ? file_newest(fs, file) : file;
}

static void end(struct fs *fs, const struct fuse_file_info *fi, struct file *file)
{
	if (file != file_of(fi))
		file_release(fs, file);
}

/* What the open flags ask for that the file cannot give. */
static int check_flags(struct fs *fs, const struct file *file, int flags)
{
	int direct_fd;
	int rc;

	if ((flags & O_ACCMODE) != O_RDONLY && file->write_error)
		return file->write_error;
	if (flags & O_TRUNC && file->header)
		return -EACCES;
	if (!(flags & O_DIRECT) || file->inode->view)
		return 0;
	/* The kernel passes O_DIRECT on to the backing file, and says EIO if that cannot. */
	rc = store_reopen(fs, file->fd, O_RDONLY | O_DIRECT, &direct_fd);
	if (rc == 0)
		close(direct_fd);
	return rc;
}

/* O_TRUNC, which the kernel leaves to the open. A published array's size is fixed. */
static int cut(struct file *file, int flags)
{
	int rc;

	if (!(flags & O_TRUNC))
		return 0;
	rc = draft_is_open(file) ? draft_empty(file) : -EPERM;
	return rc == -EPERM && !file->nbytes ? 0 : rc;
}

/*
 * An npy file is cached, so that it can be mapped, its header with it. One in the making is not: it
 * can't be mapped, since its data are moved when it is finished.
 */
static int reply_open_in_view(fuse_req_t req, struct fuse_file_info *fi, const struct file *file)
{
	fi->direct_io = file->draft != NULL;
	return fuse_reply_open(req, fi);
}

/*
 * In fallback mode a reader is cached, so that it can map, and starts with what is there now (no
 * keep_cache); a writer is not, so that its read() is exact and its shared map is refused by the
 * kernel rather than torn.
 */
static int reply_open(fuse_req_t req, struct fuse_file_info *fi, struct file *file)
{
	const struct fs *fs = ops_fs(req);

	fi->noflush = !file->draft; /* of drafts each close() counts */
	if (file->inode->view)
		return reply_open_in_view(req, fi, file);
	if (fs->backing.active)
		return backing_reply_open(req, fi, file->backing_id);
	fi->direct_io = (fi->flags & O_ACCMODE) != O_RDONLY;
	return fuse_reply_open(req, fi);
}

static void let_go(struct fs *fs, struct file *file, bool makers)
{
	if (makers)
		draft_closed(fs, file);
	file_release(fs, file);
}

static int access_of(int flags)
{
	int mode = flags & O_ACCMODE;

	return mode == O_RDONLY ? R_OK : mode == O_WRONLY ? W_OK : R_OK | W_OK;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct file *file;
	bool makers;
	const struct client client = ops_client(req);
	int access = access_of(fi->flags);
	int rc = file_acquire(fs, ops_inode(req, ino), &client, access, &file);

	if (rc == -ESTALE)
		pins_set_access(&fs->pins, client.thread, access);
	if (rc < 0) {
		ops_reply(req, rc);
		return;
	}
	rc = check_flags(fs, file, fi->flags);
	if (rc == 0)
		rc = cut(file, fi->flags);
	if (rc < 0) {
		file_release(fs, file);
		ops_reply(req, rc);
		return;
	}
	atomic_fetch_add_explicit(&fs->counters.opens, 1, memory_order_relaxed);
	makers = draft_is_open(file);
	fi->fh = file_handle(file, makers);
	if (makers)
		draft_opened(file);
	if (reply_open(req, fi, file) < 0) /* interrupted: there will be no release */
		let_go(fs, file, makers);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	let_go(ops_fs(req), file_of(fi), file_handle_is_makers(fi->fh));
	ops_reply(req, 0);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);

	struct file *file = begin(fs, fi);

	atomic_fetch_add_explicit(&fs->counters.reads, 1, memory_order_relaxed);
	io_reply_read(req, &fs->buffers, file, bytes, offset);
	end(fs, fi, file);
}

/* Once; -EAGAIN: what was in the making when it was looked at is published. */
static ssize_t try_to_write(fuse_req_t req, const struct fuse_file_info *fi, const char *data,
			    size_t bytes, off_t offset)
{
	struct fs *fs = ops_fs(req);
	struct file *file = begin(fs, fi);
	bool open = draft_is_open(file);
	ssize_t count;

	if (!open && !io_fits(file, offset, bytes)) {
		end(fs, fi, file);
		count = draft_grow(fs, file_of(fi), fuse_req_ctx(req)->pid, &file);
		if (count < 0)
			return count;
		open = true;
	}
	count = open ? draft_write(file, data, bytes, offset) : io_write(file, data, bytes, offset);
	end(fs, fi, file);
	return count;
}

/* Where the end is only this daemon knows: the kernel may have been told of another. */
static ssize_t write_as_maker(fuse_req_t req, const struct fuse_file_info *fi, const char *data,
			      size_t bytes, off_t offset)
{
	ssize_t count;

	if (fi->flags & O_APPEND)
		offset = -1;
	do
		count = try_to_write(req, fi, data, bytes, offset);
	while (count == -EAGAIN);
	return count;
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t bytes, off_t offset,
	      struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	ssize_t written = file_handle_is_makers(fi->fh)
				  ? write_as_maker(req, fi, data, bytes, offset)
				  : io_write(file_of(fi), data, bytes, offset);

	atomic_fetch_add_explicit(&fs->counters.writes, 1, memory_order_relaxed);
	if (written < 0)
		ops_reply(req, (int)written);
	else
		fuse_reply_write(req, (size_t)written);
}

/* One more of them could be the last that its creator has. Arrays are opened so that none comes. */
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct file *file = begin(fs, fi);
	int rc = file->draft ? draft_flush(fs, file, fuse_req_ctx(req)->pid) : 0;

	end(fs, fi, file);
	ops_reply(req, rc);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct file *file = begin(fs, fi);
	int rc = (datasync ? fdatasync(file->fd) : fsync(file->fd)) < 0 ? -errno : 0;

	end(fs, fi, file);
	ops_reply(req, rc);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct file *file = begin(fs, fi);
	off_t found = io_seek(file, offset, whence);

	end(fs, fi, file);
	if (found < 0)
		ops_reply(req, (int)found);
	else
		fuse_reply_lseek(req, found);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t bytes,
		  struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct file *file = begin(fs, fi);
	int rc = io_allocate(file, mode, offset, bytes);

	end(fs, fi, file);
	ops_reply(req, rc);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t from_ino, off_t from_offset,
			struct fuse_file_info *from, fuse_ino_t to_ino, off_t to_offset,
			struct fuse_file_info *to, size_t bytes, int flags)
{
	struct fs *fs = ops_fs(req);
	struct file *source = begin(fs, from);
	ssize_t copied = -EOPNOTSUPP; /* it may have to grow: the kernel copies by read and write */

	if (!file_handle_is_makers(to->fh))
		copied = io_copy(source, from_offset, file_of(to), to_offset, bytes);
	end(fs, from, source);
	if (copied < 0)
		ops_reply(req, (int)copied);
	else
		fuse_reply_write(req, (size_t)copied);
}
