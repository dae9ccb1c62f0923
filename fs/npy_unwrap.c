/* SPDX-License-Identifier: BSD-3-Clause */
#include "npy_unwrap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "draft.h"
#include "draft_attributes.h"
#include "file.h"
#include "format.h"
#include "fs.h"
#include "npy_header.h"

/* What a header says, in the words of the attribute. */
struct content {
	size_t header_bytes;
	uint64_t nbytes;
	char *text; /* owned */
};

static int parse(const char *bytes, size_t count, struct content *ret_content)
{
	CLEANUP_FREE void *owned = NULL;
	struct format_meta meta;
	struct npy_header npy;
	int header_bytes = npy_header_parse((const unsigned char *)bytes, count, &npy, &owned);
	int rc;

	if (header_bytes < 0)
		return header_bytes;
	rc = format_describe(npy.descr, npy.descr_bytes, npy.order, npy.ndim, npy.shape, &meta);
	if (rc < 0)
		return rc;
	ret_content->header_bytes = (size_t)header_bytes;
	ret_content->nbytes = meta.nbytes;
	rc = format_npy_text(&meta, &ret_content->text);
	format_meta_release(&meta);
	return rc;
}

/* As many bytes as there are. */
static ssize_t read_at(int fd, char *buffer, size_t bytes, off_t offset)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t count = pread(fd, buffer + done, bytes - done, offset + (off_t)done);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count == 0)
			break;
		if (count > 0)
			done += (size_t)count;
	}
	return (ssize_t)done;
}

static int write_at(int fd, const char *buffer, size_t bytes, off_t offset)
{
	while (bytes) {
		ssize_t count = pwrite(fd, buffer, bytes, offset);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0) {
			buffer += count;
			bytes -= (size_t)count;
			offset += count;
		}
	}
	return 0;
}

static int move_down(int fd, char *buffer, const struct content *content)
{
	uint64_t at = 0;
	int rc = 0;

	while (rc == 0 && at < content->nbytes) {
		uint64_t left = content->nbytes - at;
		size_t bytes = left < IO_BYTES_MAX ? (size_t)left : IO_BYTES_MAX;
		ssize_t count = read_at(fd, buffer, bytes, (off_t)(content->header_bytes + at));

		if (count < 0)
			return (int)count;
		if ((size_t)count < bytes)
			return -EINVAL;
		rc = write_at(fd, buffer, bytes, (off_t)at);
		at += bytes;
	}
	if (rc == 0 && ftruncate(fd, (off_t)content->nbytes) < 0)
		rc = -errno;
	return rc;
}

/*
 * More behind the data than nothing is refused too: np.load would ignore it, but here it would be
 * lost.
 */
static int unwrap(struct file *file, char *buffer, const struct content *content, struct stat *st)
{
	int rc;

	if ((uint64_t)st->st_size != content->header_bytes + content->nbytes)
		return -EINVAL;
	rc = draft_attributes_put(&file->draft->attributes, "sharr.npy", content->text,
				  strlen(content->text));
	if (rc == 0)
		rc = move_down(file->fd, buffer, content);
	if (rc == 0)
		st->st_size = (off_t)content->nbytes;
	return rc;
}

static int result(int rc)
{
	return rc == -EBADMSG || rc == -ENOTSUP || rc == -EOVERFLOW || rc == -E2BIG ? -EINVAL : rc;
}

/* A header is not longer than the buffer, however much padding it has. */
int npy_unwrap(struct fs *fs, struct file *file, struct stat *st)
{
	char *buffer = io_buffer(&fs->buffers);
	struct content content = {0};
	ssize_t count;
	int rc;

	if (!buffer)
		return -ENOMEM;
	count = read_at(file->fd, buffer, IO_BYTES_MAX, 0);
	rc = count < 0 ? (int)count : parse(buffer, (size_t)count, &content);
	if (rc == 0)
		rc = unwrap(file, buffer, &content, st);
	free(content.text);
	return result(rc);
}
