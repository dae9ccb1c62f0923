/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data that go through the daemon: read() and write() of clients, held within the array's data, so
 * that the tail behind them neither shows nor changes.
 */
#ifndef SHARRFS_IO_H
#define SHARRFS_IO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fuse_api.h"

struct file;

enum { IO_BYTES_MAX = 1 << 20 }; /* of one request */

/* One buffer of IO_BYTES_MAX per thread, made when first needed, freed with the thread. */
struct io_buffers {
	pthread_key_t key;
};

int io_buffers_init(struct io_buffers *buffers);
void io_buffers_deinit(struct io_buffers *buffers);

/* This thread's; NULL: out of memory. */
char *io_buffer(struct io_buffers *buffers);

/* Answer a read. */
void io_reply_read(fuse_req_t req, struct io_buffers *buffers, struct file *file, size_t bytes,
		   off_t offset);

/* Can all of a write go to a published array? Else it is cut, or makes it grow. */
bool io_fits(struct file *file, off_t offset, size_t bytes);

/*
 * To a published array. Returns how much was written: cut at the end of the data, and -EFBIG from
 * there on.
 */
ssize_t io_write(struct file *file, const char *data, size_t bytes, off_t offset);

/* SEEK_DATA and SEEK_HOLE. */
off_t io_seek(struct file *file, off_t offset, int whence);

int io_allocate(struct file *file, int mode, off_t offset, off_t bytes);

ssize_t io_copy(struct file *from, off_t from_offset, struct file *to, off_t to_offset,
		size_t bytes);

#endif
