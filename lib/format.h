/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The on-disk format, version 1: what lies behind the data of an array (docs/format.md), read and
 * composed.
 *
 *   0         data, nbytes            A         fixed block, 128 bytes, A = nbytes rounded up to 64
 *   nbytes    zeros up to A           A + 128   tail: npy header, user attributes, extension,
 *                                               trailer; it ends at the file's end
 *
 * Files of SharedArray 3.x have their data and a trailer only. Everything read is untrusted.
 */
#ifndef SHARR_FORMAT_H
#define SHARR_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "origin.h"
#include "trailer.h"

enum {
	FORMAT_VERSION = 1,
	FORMAT_ALIGN = 64,
	FORMAT_BLOCK_BYTES = 128,
	FORMAT_BLOCK_HINT = 16, /* where in it the offset of the newest tail lies */
	FORMAT_BLOCK_SYNC = 64, /* where in it lock, event and sequence lie, zeros at first */
	FORMAT_EXTENSION_BYTES = 256,
	FORMAT_FIRST_BYTES = 1024, /* read first: the tail of a simple array has 932 */
	FORMAT_PAGE_BYTES = 4096,  /* the most that a rewritten tail may take */
	FORMAT_TAIL_MAX = 65536,   /* the most of a tail that is ever read or written */
	FORMAT_NDIM_MAX = 64,
	FORMAT_DTYPE_NAME_MAX = 64,
};

/* What an extension begins with, and nothing else in a tail that has no user attributes. */
#define FORMAT_EXTENSION_MAGIC "sharrext"

/*
 * The metadata of one array. Pointers point into buffer, heap or static text: free with
 * format_meta_release, don't copy.
 */
struct format_meta {
	uint64_t nbytes;
	uint64_t itemsize; /* > 0 */
	int typenum;       /* numpy's */
	int ndim;
	int64_t shape[FORMAT_NDIM_MAX];
	char order;   /* 'C' or 'F' */
	bool foreign; /* written by SharedArray: no fixed block, no npy header, origin all zeros */
	uint32_t flags; /* of the extension: 1 is an ephemeral array (ephemeral.h) */
	uint64_t inode; /* of the file that this was written for, if it is ephemeral: a copy of it
			   is not */
	const char *descr; /* UTF-8, descr_bytes long, not NUL-terminated: <f8, or [('a', '<i4')] */
	size_t descr_bytes;
	const unsigned char *attrs; /* encoded user attributes, attrs_bytes long */
	size_t attrs_bytes;
	char dtype_name
		[FORMAT_DTYPE_NAME_MAX]; /* of an extension dtype, or ""; fit to be printed */
	struct origin origin;
	char type_string[48]; /* what descr points to if it is no list of an npy header */
	void *heap;           /* owned: a tail above a page */
	void *text;           /* owned: a descr that had to be converted */
	/* The end of the file, as read: a page, and what a mount puts in front of it (mount.h). */
	unsigned char buffer[FORMAT_PAGE_BYTES + 8];
};

/* The offset of the fixed block of an array of nbytes. */
static inline uint64_t format_block_offset(uint64_t nbytes)
{
	return (nbytes + FORMAT_ALIGN - 1) & ~(uint64_t)(FORMAT_ALIGN - 1);
}

/* Do these FORMAT_BLOCK_BYTES look like a fixed block? */
bool format_is_block(const void *block);

/*
 * How many bytes of the file a map should cover: the data and the fixed block, so that locks work;
 * never 0.
 */
uint64_t format_map_bytes(const struct format_meta *meta);

/*
 * Read the metadata of the open file `fd` of file_bytes (by pread; the descriptor may be read-only)
 * into *ret_meta. -EBADMSG: not an array. -ENOMEM, -EIO and what else pread gives. On an error
 * nothing needs to be released.
 */
int format_read(int fd, uint64_t file_bytes, struct format_meta *ret_meta);

/*
 * The same of a file that was *st a moment ago. Its end moves when its metadata are rewritten, and
 * the tail of then may have been given back since (rewrite.c): then it is looked at once more, and
 * *st is what it is by then.
 */
int format_read_again(int fd, struct stat *st, struct format_meta *ret_meta);

/*
 * The same from memory: `end` are the last `bytes` of a file of file_bytes; more than
 * FORMAT_TAIL_MAX are not looked at.
 */
int format_parse(const unsigned char *end, size_t bytes, uint64_t file_bytes,
		 struct format_meta *ret_meta);

/* One that owns nothing and tells nothing; not all of its 4 KiB and more become zeros. */
void format_meta_init(struct format_meta *ret_meta);

/* Make *ret_meta what `meta` was, which owns nothing any more. */
void format_meta_move(struct format_meta *ret_meta, struct format_meta *meta);

/* Free what a meta owns. Fine on one that was set by format_describe. */
void format_meta_release(struct format_meta *meta);

/*
 * Fill *ret_meta for a new array from a dtype's descr text, order and shape: checks all, computes
 * itemsize, nbytes and typenum; the descr is brought into numpy's spelling. 1-d and the like are
 * 'C' whatever the order, as numpy.save has it. -EINVAL, -ENOTSUP (dtype with pointers),
 * -EOVERFLOW, -ENOMEM.
 */
int format_describe(const char *descr, size_t descr_bytes, char order, int ndim,
		    const int64_t *shape, struct format_meta *ret_meta);

/*
 * Give a described meta what is not the dtype's or the shape's: flags, origin, user attributes
 * (which stay where `meta` has them) and, if their dtypes are the same, the dtype's name.
 */
void format_inherit(struct format_meta *heir, const struct format_meta *meta);

/*
 * What `meta` is, described once more, with all that it inherits: for a new tail in which something
 * else changes. As format_describe, and format_inherit.
 */
int format_describe_same(const struct format_meta *meta, struct format_meta *ret_same);

/* May an extension dtype be called so? Letters, digits, _ and dots, as Python's names are; "" too. */
bool format_is_dtype_name(const char *name, size_t bytes);

/* Are the two dtypes spelled the same? */
bool format_same_dtype(const struct format_meta *a, const struct format_meta *b);

/*
 * The dict text of the array's npy header, as `user.sharr.npy` shows it (UTF-8, no padding),
 * NUL-terminated; caller frees.
 */
int format_npy_text(const struct format_meta *meta, char **ret_text);

/*
 * The npy header bytes as numpy.save writes them; caller frees. -E2BIG above FORMAT_TAIL_MAX,
 * -ENOMEM.
 */
int format_npy_header(const struct format_meta *meta, unsigned char **ret_bytes, size_t *ret_count);

/*
 * Compose what follows the data of a new array: the fixed block and the tail, to be written at
 * format_block_offset(nbytes), where the file then ends. *ret_bytes is the caller's to free.
 * -E2BIG, -ENOMEM.
 */
int format_compose(const struct format_meta *meta, unsigned char **ret_bytes, size_t *ret_count);

#endif
