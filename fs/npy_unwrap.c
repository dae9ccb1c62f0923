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
#include "whole.h"

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

static int move_down(int fd, char *buffer, const struct content *content)
{
	uint64_t at = 0;
	int rc = 0;

	while (rc == 0 && at < content->nbytes) {
		uint64_t left = content->nbytes - at;
		size_t bytes = left < IO_BYTES_MAX ? (size_t)left : IO_BYTES_MAX;

		rc = whole_pread(fd, buffer, bytes, content->header_bytes + at);
		if (rc == 0)
			rc = whole_pwrite(fd, buffer, bytes, at);
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
	switch (rc) {
	case -EBADMSG:
	case -ENODATA: /* it was cut meanwhile */
	case -ENOTSUP:
	case -EOVERFLOW:
	case -E2BIG:
		return -EINVAL;
	default:
		return rc;
	}
}

/* A header is not longer than the buffer, however much padding it has. */
int npy_unwrap(struct fs *fs, struct file *file, struct stat *st)
{
	char *buffer = io_buffer(&fs->buffers);
	size_t count = st->st_size < IO_BYTES_MAX ? (size_t)st->st_size : IO_BYTES_MAX;
	struct content content = {0};
	int rc;

	if (!buffer)
		return -ENOMEM;
	rc = whole_pread(file->fd, buffer, count, 0);
	if (rc == 0)
		rc = parse(buffer, count, &content);
	if (rc == 0)
		rc = unwrap(file, buffer, &content, st);
	free(content.text);
	return result(rc);
}
