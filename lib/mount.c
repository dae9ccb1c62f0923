/* SPDX-License-Identifier: BSD-3-Clause */
#include "mount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "bytes.h"
#include "cleanup.h"

_Static_assert(sizeof(((struct format_meta *)0)->buffer) >=
		       MOUNT_TAIL_HEAD_BYTES + FORMAT_PAGE_BYTES,
	       "a tail of a page comes at once");

enum { FUSE_TYPE = 0x65735546, VALUE_MAX = MOUNT_TAIL_HEAD_BYTES + FORMAT_TAIL_MAX };

bool mount_is_fuse(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_TYPE;
}

/* Every file and directory of a sharrfs has this attribute; it is not listed, so that no copy has it. */
bool mount_is_sharrfs(int fd)
{
	return mount_is_fuse(fd) && fgetxattr(fd, "user.sharr.version", NULL, 0) >= 0;
}

bool mount_shows(const char *mount, const char *store)
{
	size_t bytes = strlen(store);
	char value[PATH_MAX];
	ssize_t n = getxattr(mount, "user.sharr.store", value, sizeof(value));

	return n >= 0 && (size_t)n == bytes && memcmp(value, store, bytes) == 0;
}

bool mount_is_of(const char *mount, const char *store)
{
	char value[64], expected[64];
	ssize_t n = getxattr(mount, "user.sharr.id", value, sizeof(value));
	struct stat st;

	if (n < 0 || stat(store, &st) < 0)
		return false;
	snprintf(expected, sizeof(expected), MOUNT_ID_FORMAT, (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return strlen(expected) == (size_t)n && memcmp(value, expected, (size_t)n) == 0;
}

static int parse_value(const unsigned char *value, size_t bytes, struct format_meta *ret_meta)
{
	uint64_t file_bytes;

	if (bytes < MOUNT_TAIL_HEAD_BYTES)
		return -EBADMSG;
	file_bytes = bytes_get64(value);
	bytes -= MOUNT_TAIL_HEAD_BYTES;
	return bytes > file_bytes
		       ? -EBADMSG
		       : format_parse(value + MOUNT_TAIL_HEAD_BYTES, bytes, file_bytes, ret_meta);
}

int mount_read(int fd, struct format_meta *ret_meta)
{
	CLEANUP_FREE unsigned char *heap = NULL;
	ssize_t n;
	int r;

	n = fgetxattr(fd, MOUNT_TAIL_ATTRIBUTE, ret_meta->buffer, sizeof(ret_meta->buffer));
	if (n >= 0)
		return parse_value(ret_meta->buffer, (size_t)n, ret_meta);
	if (errno != ERANGE)
		return errno == EOPNOTSUPP ? -ENODATA : -errno;
	heap = malloc(VALUE_MAX);
	if (!heap)
		return -ENOMEM;
	n = fgetxattr(fd, MOUNT_TAIL_ATTRIBUTE, heap, VALUE_MAX);
	if (n < 0)
		return -errno;
	r = parse_value(heap, (size_t)n, ret_meta);
	if (r == 0)
		ret_meta->heap = steal_ptr(heap);
	return r;
}
