/* SPDX-License-Identifier: BSD-3-Clause */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "draft.h"
#include "file.h"
#include "format.h"
#include "inode.h"
#include "ops.h"

enum { HOLES_MAX = 16 }; /* that are looked for behind the data: there are one or two */

int io_buffers_init(struct io_buffers *buffers)
{
	return -pthread_key_create(&buffers->key, free);
}

void io_buffers_deinit(struct io_buffers *buffers)
{
	free(pthread_getspecific(buffers->key));
	pthread_key_delete(buffers->key);
}

char *io_buffer(struct io_buffers *buffers)
{
	char *buffer = pthread_getspecific(buffers->key);

	if (!buffer) {
		buffer = aligned_alloc(4096, IO_BYTES_MAX);
		pthread_setspecific(buffers->key, buffer);
	}
	return buffer;
}

/* What was written as an npy file has become an array, whose data lie elsewhere. */
static bool is_spent(struct file *file)
{
	return file->inode->view && file->draft && !draft_is_open(file);
}

/*
 * Where the data end now: at nbytes, unless someone has truncated the file directly. Nothing is
 * written beyond it either, since that would extend a file that is no array any more.
 */
static int data_end_and_stat(struct file *file, off_t *ret_end, struct stat *ret_st)
{
	struct stat st;

	if (is_spent(file))
		return -ESTALE;
	if (fstat(file->fd, &st) < 0)
		return -errno;
	*ret_end = st.st_size < (off_t)file->nbytes || draft_is_open(file) ? st.st_size
									   : (off_t)file->nbytes;
	*ret_st = st;
	return 0;
}

static int data_end(struct file *file, off_t *ret_end)
{
	struct stat st;

	return data_end_and_stat(file, ret_end, &st);
}

/* The bytes of holes from `at` on; fewer if there are very many holes. */
static off_t hole_bytes(int fd, off_t at, off_t file_bytes)
{
	off_t sum = 0;

	for (int i = 0; i < HOLES_MAX && at < file_bytes; i++) {
		off_t hole = lseek(fd, at, SEEK_HOLE);

		if (hole < 0 || hole >= file_bytes)
			break;
		at = lseek(fd, hole, SEEK_DATA);
		if (at < 0)
			at = file_bytes;
		sum += at - hole;
	}
	return sum;
}

/*
 * Has the file pages for all of its data? Behind them there are holes where metadata of before were
 * given back; if those are all that is missing, the data have none.
 */
static bool is_full(const struct file *file, const struct stat *st)
{
	off_t missing = st->st_size - (off_t)st->st_blocks * 512;
	off_t behind = ((off_t)file->nbytes + FORMAT_PAGE_BYTES - 1) / FORMAT_PAGE_BYTES *
		       FORMAT_PAGE_BYTES;

	if (missing <= 0)
		return true;
	return missing <= st->st_size - behind &&
	       missing <= hole_bytes(file->fd, behind, st->st_size);
}

static size_t clamp(size_t bytes, off_t offset, off_t end)
{
	if (offset < 0 || offset >= end)
		return 0;
	return (off_t)bytes > end - offset ? (size_t)(end - offset) : bytes;
}

/*
 * Straight from the map to the device where all of the file is there; reading a hole through a map
 * would allocate it. The kernel copies: a truncation meanwhile is EFAULT of the device, not SIGBUS
 * here.
 */
static int reply_mapped(fuse_req_t req, const void *map, size_t bytes, off_t offset)
{
	const struct iovec iov = {.iov_base = (char *)(uintptr_t)map + offset, .iov_len = bytes};

	return fuse_reply_iov(req, &iov, 1);
}

/* The part of a request that lies in the header, and what follows of it. */
static void reply_header(fuse_req_t req, struct io_buffers *buffers, struct file *file,
			 size_t bytes, off_t offset)
{
	size_t head = clamp(bytes, offset, (off_t)file->header_bytes);
	char *buffer = io_buffer(buffers);
	ssize_t count;

	if (!buffer) {
		ops_reply(req, -ENOMEM);
		return;
	}
	memcpy(buffer, file->header + offset, head);
	bytes = clamp((bytes < IO_BYTES_MAX ? bytes : IO_BYTES_MAX) - head, 0, (off_t)file->nbytes);
	count = pread(file->fd, buffer + head, bytes, 0);
	if (count < 0)
		ops_reply(req, -errno);
	else
		fuse_reply_buf(req, buffer, head + (size_t)count);
}

void io_reply_read(fuse_req_t req, struct io_buffers *buffers, struct file *file, size_t bytes,
		   off_t offset)
{
	const void *map;
	char *buffer;
	ssize_t count;
	struct stat st;
	off_t end;
	int rc = data_end_and_stat(file, &end, &st);

	if (rc < 0) {
		ops_reply(req, rc);
		return;
	}
	if (offset < (off_t)file->header_bytes) {
		reply_header(req, buffers, file, bytes, offset);
		return;
	}
	offset -= (off_t)file->header_bytes;
	bytes = clamp(bytes, offset, end);
	map = bytes && is_full(file, &st) ? file_map(file) : NULL;
	if (map) {
		reply_mapped(req, map, bytes, offset);
		return;
	}
	buffer = io_buffer(buffers);
	count = buffer ? pread(file->fd, buffer, bytes < IO_BYTES_MAX ? bytes : IO_BYTES_MAX,
			       offset)
		       : -1;
	if (count < 0)
		ops_reply(req, buffer ? -errno : -ENOMEM);
	else
		fuse_reply_buf(req, buffer, (size_t)count);
}

bool io_fits(struct file *file, off_t offset, size_t bytes)
{
	return is_spent(file) ||
	       (offset >= 0 && clamp(bytes, offset, (off_t)file->nbytes) == bytes);
}

ssize_t io_write(struct file *file, const char *data, size_t bytes, off_t offset)
{
	ssize_t count;
	off_t end;
	int rc = data_end(file, &end);

	if (rc < 0)
		return rc;
	if (!bytes)
		return 0;
	bytes = clamp(bytes, offset, end);
	if (!bytes)
		return -EFBIG;
	count = pwrite(file->fd, data, bytes, offset);
	return count < 0 ? -errno : count;
}

/*
 * The tail behind the data is neither data nor a hole: at their end there is the hole that every
 * file ends with.
 */
static off_t seek_in_data(struct file *file, off_t offset, int whence)
{
	off_t found;
	off_t end;
	int rc = data_end(file, &end);

	if (rc < 0)
		return rc;
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (offset < 0 || offset >= end)
		return -ENXIO;
	found = lseek(file->fd, offset, whence);
	if (found < 0)
		return -errno;
	if (found < end)
		return found;
	return whence == SEEK_HOLE ? end : -ENXIO;
}

/* A header is data, and ends where they begin, or at the end of all. */
off_t io_seek(struct file *file, off_t offset, int whence)
{
	off_t header = (off_t)file->header_bytes;
	off_t found;

	if (offset >= header) {
		found = seek_in_data(file, offset - header, whence);
		return found < 0 ? found : found + header;
	}
	if (whence == SEEK_DATA)
		return offset;
	found = file->nbytes ? seek_in_data(file, 0, whence) : 0;
	return found < 0 ? found : found + header;
}

int io_allocate(struct file *file, int mode, off_t offset, off_t bytes)
{
	int rc = draft_is_open(file) ? draft_allocate(file, mode, offset, bytes) : -EAGAIN;
	off_t end;

	if (rc != -EAGAIN)
		return rc;
	rc = data_end(file, &end);
	if (rc < 0)
		return rc;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (offset > end || bytes > end - offset)
		return -EFBIG;
	return fallocate(file->fd, mode, offset, bytes) < 0 ? -errno : 0;
}

ssize_t io_copy(struct file *from, off_t from_offset, struct file *to, off_t to_offset,
		size_t bytes)
{
	ssize_t count;
	off_t end;
	int rc = data_end(from, &end);

	if (from->header)
		return -EOPNOTSUPP; /* the kernel copies by read and write then */
	if (rc == 0) {
		bytes = clamp(bytes, from_offset, end);
		rc = data_end(to, &end);
	}
	if (rc < 0 || !bytes)
		return rc;
	bytes = clamp(bytes, to_offset, end);
	if (!bytes)
		return -EFBIG;
	count = copy_file_range(from->fd, &from_offset, to->fd, &to_offset, bytes, 0);
	return count < 0 ? -errno : count;
}
