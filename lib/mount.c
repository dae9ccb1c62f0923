/* SPDX-License-Identifier: BSD-3-Clause */
#include "mount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bytes.h"
#include "cleanup.h"

_Static_assert(sizeof(((struct format_meta *)0)->buffer) >=
		       MOUNT_TAIL_HEAD_BYTES + FORMAT_PAGE_BYTES,
	       "a tail of a page comes at once");

enum {
	FUSE_TYPE = 0x65735546,
	VALUE_MAX = MOUNT_TAIL_HEAD_BYTES + FORMAT_TAIL_MAX,
	MAP_ROOM = FORMAT_PAGE_BYTES, /* for the fixed block and a tail of the usual size */
};

bool mount_is_fuse(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_TYPE;
}

uint64_t mount_map_bytes(uint64_t nbytes)
{
	return format_block_offset(nbytes) + MAP_ROOM;
}

/*
 * A copy of what lies at `from` in a map of a file that may end there, or be cut off at any moment:
 * what is missing would be SIGBUS, and is an error of this call. Returns how many bytes there were.
 */
static size_t copy_mapped(const unsigned char *from, unsigned char *to, size_t bytes)
{
	struct iovec local = {to, bytes};
	struct iovec remote = {(void *)from, bytes};
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

/* Where the tail ends that the fixed block names, 0: it can't be told. */
static size_t end_of_tail(const unsigned char *block, size_t bytes, uint64_t start)
{
	static const char magic[] = FORMAT_EXTENSION_MAGIC;
	const unsigned char *extension;
	size_t end;

	if (start < FORMAT_BLOCK_BYTES || start >= bytes)
		return 0;
	extension = memmem(block + start, bytes - start, magic, strlen(magic));
	end = extension ? (size_t)(extension - block) + FORMAT_EXTENSION_BYTES + TRAILER_BYTES_2
			: 0;
	return end <= bytes ? end : 0;
}

/*
 * A newer tail would be the next thing in the file, where the kernel has zeros behind its end. Before
 * one goes to another page the hint is taken back (rewrite.c).
 */
static bool is_newest(const unsigned char *block, size_t bytes, size_t end)
{
	static const unsigned char nothing[FORMAT_ALIGN];
	size_t next = (size_t)format_block_offset(end);

	if (next + FORMAT_ALIGN > bytes)
		return bytes < MAP_ROOM;
	return memcmp(block + next, nothing, FORMAT_ALIGN) == 0;
}

/* Has this part of the block the tail and what comes next? */
static bool is_enough(const unsigned char *block, size_t bytes, uint64_t offset)
{
	size_t end = 0;

	if (bytes >= FORMAT_BLOCK_BYTES)
		end = end_of_tail(block, bytes, bytes_get64(block + FORMAT_BLOCK_HINT) - offset);
	return end && format_block_offset(end) + FORMAT_ALIGN <= bytes;
}

/* Of a small array all is in one page: to ask for what is behind the file's end costs a fault. */
static size_t copy_block(const unsigned char *from, uint64_t offset, unsigned char *block)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t first = page - (uintptr_t)from % page;
	size_t bytes;

	if (first >= MAP_ROOM)
		return copy_mapped(from, block, MAP_ROOM);
	bytes = copy_mapped(from, block, first);
	if (bytes < first || is_enough(block, bytes, offset))
		return bytes;
	return bytes + copy_mapped(from + first, block + first, MAP_ROOM - first);
}

int mount_read_map(const void *map, uint64_t nbytes, struct format_meta *ret_meta)
{
	uint64_t offset = format_block_offset(nbytes);
	unsigned char block[MAP_ROOM];
	size_t bytes = copy_block((const unsigned char *)map + offset, offset, block);
	uint64_t start;
	size_t end;
	int r;

	if (bytes < FORMAT_BLOCK_BYTES || !format_is_block(block))
		return -EBADMSG;
	start = bytes_get64(block + FORMAT_BLOCK_HINT) - offset;
	end = end_of_tail(block, bytes, start);
	if (!end || end - start > FORMAT_PAGE_BYTES || !is_newest(block, bytes, end))
		return -EBADMSG;
	memcpy(ret_meta->buffer, block + start, end - start);
	r = format_parse(ret_meta->buffer, end - start, offset + end, ret_meta);
	if (r < 0)
		return -EBADMSG;
	if (ret_meta->nbytes == nbytes && !ret_meta->foreign)
		return 0;
	format_meta_release(ret_meta);
	return -EBADMSG;
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
