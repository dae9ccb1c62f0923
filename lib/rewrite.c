/* SPDX-License-Identifier: BSD-3-Clause */
#include "rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "space.h"
#include "whole.h"

enum {
	KEPT_BYTES = 65536, /* of old tails: for readers that have asked for the file's size and not
			       read yet */
	LOCK_PAUSE_NS = 200000,
	LOCK_TRIES_PER_MS = 5,
};

/*
 * The byte whose lock a writer of metadata holds, far behind any data; one further down is for
 * ephemeral arrays.
 */
#define LOCK_OFFSET ((off_t)((1ull << 62) + 1))

/*
 * Others hold it for microseconds. Who holds it for ever, as anyone may who may write the array,
 * keeps nobody waiting.
 */
static int lock(int fd, unsigned wait_ms)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_OFFSET, .l_len = 1};
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	for (unsigned i = 0; i < wait_ms * LOCK_TRIES_PER_MS; i++) {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return error_set(-EBUSY, "another process has held the lock on its metadata for a second");
}

/* By name and not by closing, as the descriptor is the caller's. */
static void unlock(int fd)
{
	struct flock lock = {
		.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = LOCK_OFFSET, .l_len = 1};

	fcntl(fd, F_OFD_SETLK, &lock);
}

/* Where the next tail starts: aligned, and so that it does not cross into another page. */
static uint64_t place_tail(uint64_t file_bytes, uint64_t least, size_t tail_bytes)
{
	uint64_t start = (file_bytes > least ? file_bytes : least) + FORMAT_ALIGN - 1;

	start -= start % FORMAT_ALIGN;
	if (start % FORMAT_PAGE_BYTES + tail_bytes > FORMAT_PAGE_BYTES)
		start += FORMAT_PAGE_BYTES - start % FORMAT_PAGE_BYTES;
	return start;
}

/*
 * Give back the pages of tails long past, or an array whose attributes change all day would fill
 * the store.
 */
static void drop_old_tails(int fd, uint64_t block_end, uint64_t tail_offset)
{
	uint64_t start =
		(block_end + FORMAT_PAGE_BYTES - 1) / FORMAT_PAGE_BYTES * FORMAT_PAGE_BYTES;
	uint64_t end = tail_offset > KEPT_BYTES
			       ? (tail_offset - KEPT_BYTES) / FORMAT_PAGE_BYTES * FORMAT_PAGE_BYTES
			       : 0;

	if (end > start)
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
			  (off_t)(end - start));
}

static int write_hint(int fd, uint64_t block_offset, uint64_t tail_offset)
{
	unsigned char hint[8];

	bytes_put64(hint, tail_offset);
	return whole_pwrite(fd, hint, sizeof(hint), block_offset + FORMAT_BLOCK_HINT);
}

/*
 * Who reads from a map follows the hint, and sees that a newer tail is there by what comes next to
 * the old one in its page (mount.c). A tail in another page he would miss for as long as the hint
 * is not mended, which is for ever if this process is killed before it is: so there is none
 * meanwhile, and he asks. *ret_hint: what it was, 0 if it stays.
 */
static int take_back_hint(int fd, const struct format_meta *meta, uint64_t file_bytes,
			  uint64_t tail_offset, uint64_t *ret_hint)
{
	uint64_t block_offset = format_block_offset(meta->nbytes);
	unsigned char hint[8];
	int r;

	*ret_hint = 0;
	if (meta->foreign ||
	    (file_bytes - 1) / FORMAT_PAGE_BYTES == tail_offset / FORMAT_PAGE_BYTES)
		return 0;
	r = whole_pread(fd, hint, sizeof(hint), block_offset + FORMAT_BLOCK_HINT);
	if (r == 0)
		r = write_hint(fd, block_offset, 0);
	if (r == 0)
		*ret_hint = bytes_get64(hint);
	return r;
}

/*
 * The new tail counts already, so that nothing here is an error. The fixed block stays as it is,
 * but for the hint. SharedArray's own arrays have none: it comes where their trailer is, right
 * behind the data, as A is given by nbytes. A reader who asked for the size before the new tail was
 * there finds no array then, and asks once more (format_read_again). Who is killed before this
 * leaves an array without locks.
 */
static void write_block(int fd, const struct format_meta *meta, const unsigned char *composed,
			uint64_t tail_offset)
{
	unsigned char block[FORMAT_ALIGN + FORMAT_BLOCK_BYTES] = {0};
	uint64_t block_offset = format_block_offset(meta->nbytes);
	size_t gap = (size_t)(block_offset - meta->nbytes);

	if (meta->foreign) {
		memcpy(block + gap, composed, FORMAT_BLOCK_BYTES);
		bytes_put64(block + gap + FORMAT_BLOCK_HINT, tail_offset);
		whole_pwrite(fd, block, gap + FORMAT_BLOCK_BYTES, meta->nbytes);
	} else {
		write_hint(fd, block_offset, tail_offset);
	}
}

/* By one write. A file that ends there again if it came to nothing. */
static int write_tail(int fd, const unsigned char *tail, size_t bytes, uint64_t offset,
		      uint64_t file_bytes)
{
	ssize_t n;

	do
		n = pwrite(fd, tail, bytes, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n == bytes)
		return 0;
	ftruncate(fd,
		  (off_t)file_bytes); /* no one has taken that end for a tail: it has no trailer */
	return -ENOSPC;
}

static int append(int fd, const struct stat *st, const struct format_meta *meta,
		  const struct format_meta *changed)
{
	CLEANUP_FREE unsigned char *composed = NULL;
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	uint64_t block_offset = format_block_offset(changed->nbytes), tail_offset, hint;
	size_t count, tail_bytes;
	int r = format_compose(changed, &composed, &count);

	if (r < 0)
		return r;
	tail_bytes = count - FORMAT_BLOCK_BYTES;
	if (tail_bytes > FORMAT_PAGE_BYTES)
		return -E2BIG;
	tail_offset =
		place_tail((uint64_t)st->st_size, block_offset + FORMAT_BLOCK_BYTES, tail_bytes);
	r = space_check(fd, tail_offset + tail_bytes, false, "");
	if (r == 0)
		r = take_back_hint(fd, meta, (uint64_t)st->st_size, tail_offset, &hint);
	if (r < 0)
		return r;
	r = write_tail(fd, composed + FORMAT_BLOCK_BYTES, tail_bytes, tail_offset,
		       (uint64_t)st->st_size);
	if (r < 0) {
		if (hint)
			write_hint(fd, block_offset, hint);
		return r;
	}
	write_block(fd, meta, composed, tail_offset);
	drop_old_tails(fd, block_offset + FORMAT_BLOCK_BYTES, tail_offset);
	futimens(fd, times); /* for the owner only, or with CAP_FOWNER: others move the mtime */
	return 0;
}

static int rewrite(int fd, rewrite_change *change, void *userdata)
{
	struct format_meta meta, changed;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = format_read(fd, (uint64_t)st.st_size, &meta);
	if (r < 0)
		return r;
	r = change(&meta, userdata, &changed);
	if (r == 0) {
		r = append(fd, &st, &meta, &changed);
		format_meta_release(&changed);
	}
	format_meta_release(&meta);
	return r > 0 ? 0 : r;
}

int rewrite_array(int fd, unsigned wait_ms, rewrite_change *change, void *userdata)
{
	int r = lock(fd, wait_ms);

	if (r < 0)
		return r;
	r = rewrite(fd, change, userdata);
	unlock(fd);
	return r;
}
