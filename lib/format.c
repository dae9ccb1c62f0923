/* SPDX-License-Identifier: BSD-3-Clause */
#include "format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "cleanup.h"
#include "dtype.h"
#include "npy_header.h"
#include "shape.h"
#include "whole.h"

_Static_assert((int)FORMAT_NDIM_MAX == (int)NPY_HEADER_NDIM_MAX &&
		       (int)FORMAT_NDIM_MAX == (int)TRAILER_NDIM_2,
	       "all parts of a tail take as many dimensions");
_Static_assert(sizeof(((struct format_meta *)0)->type_string) >= DTYPE_STRING_MAX,
	       "a type string fits");

static const unsigned char block_magic[8] = "sharr";
static const char extension_magic[] = FORMAT_EXTENSION_MAGIC;

enum { READ_TRIES = 8 };

/* Offsets in the extension; what is not named here is zero in version 1. */
enum {
	EXTENSION_MAGIC_BYTES = sizeof(extension_magic) - 1, /* without its NUL */
	EXTENSION_VERSION = 8,
	EXTENSION_FLAGS = 12,
	EXTENSION_NPY_BYTES = 16,
	EXTENSION_ATTRS_BYTES = 20,
	EXTENSION_NBYTES = 24,
	EXTENSION_CREATED_NS = 32,
	EXTENSION_START_TICKS = 40,
	EXTENSION_PIDNS = 48,
	EXTENSION_PID = 56,
	EXTENSION_UID = 60,
	EXTENSION_BOOT_ID = 64,
	EXTENSION_DTYPE_NAME = 80,
	EXTENSION_INODE = 144,

	BLOCK_VERSION = 8,
	BLOCK_FLAGS = 12,

	TAIL_END_BYTES = FORMAT_EXTENSION_BYTES + TRAILER_BYTES_2, /* what each tail ends with */
};

bool format_is_block(const void *block)
{
	return memcmp(block, block_magic, sizeof(block_magic)) == 0 &&
	       bytes_get32((const unsigned char *)block + BLOCK_VERSION) == FORMAT_VERSION;
}

uint64_t format_map_bytes(const struct format_meta *meta)
{
	if (!meta->foreign)
		return format_block_offset(meta->nbytes) + FORMAT_BLOCK_BYTES;
	return meta->nbytes ? meta->nbytes : 1;
}

void format_meta_init(struct format_meta *meta)
{
	meta->flags = 0;
	meta->inode = 0;
	meta->attrs = NULL;
	meta->attrs_bytes = 0;
	meta->dtype_name[0] = '\0';
	meta->origin = (struct origin){0};
	meta->heap = NULL;
	meta->text = NULL;
}

void format_meta_release(struct format_meta *meta)
{
	free(meta->heap);
	free(meta->text);
	meta->heap = NULL;
	meta->text = NULL;
}

/* Where the meta that was copied has what lay in the one it was copied from. */
static const void *moved(const void *at, const struct format_meta *meta,
			 const struct format_meta *copy)
{
	const char *start = (const char *)meta;

	if ((const char *)at < start || (const char *)at >= start + sizeof(*meta))
		return at;
	return (const char *)copy + ((const char *)at - start);
}

void format_meta_move(struct format_meta *ret_meta, struct format_meta *meta)
{
	*ret_meta = *meta;
	ret_meta->descr = moved(meta->descr, meta, ret_meta);
	ret_meta->attrs = moved(meta->attrs, meta, ret_meta);
	meta->heap = NULL;
	meta->text = NULL;
}

static void take_npy(struct format_meta *meta, const struct npy_header *npy)
{
	meta->itemsize = npy->dtype.itemsize;
	meta->typenum = npy->dtype.typenum;
	meta->ndim = npy->ndim;
	memcpy(meta->shape, npy->shape, (size_t)npy->ndim * sizeof(npy->shape[0]));
	meta->order = npy->order;
	meta->descr = npy->descr;
	meta->descr_bytes = npy->descr_bytes;
}

bool format_is_dtype_name(const char *name, size_t bytes)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.";

	if (bytes >= FORMAT_DTYPE_NAME_MAX)
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (!memchr(letters, name[i], sizeof(letters) - 1))
			return false;
	return true;
}

/* What is no name counts as none: the array is void then, and nobody has to print it. */
static void take_dtype_name(struct format_meta *meta, const char *name)
{
	size_t bytes = strnlen(name, FORMAT_DTYPE_NAME_MAX);

	if (!format_is_dtype_name(name, bytes))
		bytes = 0;
	memcpy(meta->dtype_name, name, bytes);
	meta->dtype_name[bytes] = '\0';
}

static void take_extension(struct format_meta *meta, const unsigned char *extension)
{
	meta->flags = bytes_get32(extension + EXTENSION_FLAGS);
	meta->inode = bytes_get64(extension + EXTENSION_INODE);
	meta->origin.created_ns = bytes_get64(extension + EXTENSION_CREATED_NS);
	meta->origin.start_ticks = bytes_get64(extension + EXTENSION_START_TICKS);
	meta->origin.pidns = bytes_get64(extension + EXTENSION_PIDNS);
	meta->origin.pid = bytes_get32(extension + EXTENSION_PID);
	meta->origin.uid = bytes_get32(extension + EXTENSION_UID);
	memcpy(meta->origin.boot_id, extension + EXTENSION_BOOT_ID, sizeof(meta->origin.boot_id));
	take_dtype_name(meta, (const char *)extension + EXTENSION_DTYPE_NAME);
	meta->foreign = false;
}

/*
 * The tail that ends at the end of the file, by its extension. Returns 0, or a negative errno, or
 * how long the tail is if that is more than the `bytes` at hand.
 */
static int parse_tail(const unsigned char *end, size_t bytes, uint64_t file_bytes,
		      struct format_meta *meta)
{
	const unsigned char *extension = end + bytes - TAIL_END_BYTES;
	uint64_t npy_bytes, attrs_bytes, tail_bytes, nbytes;
	struct npy_header npy;
	struct trailer trailer;
	int r;

	if (bytes < TAIL_END_BYTES ||
	    memcmp(extension, extension_magic, EXTENSION_MAGIC_BYTES) != 0 ||
	    bytes_get32(extension + EXTENSION_VERSION) != FORMAT_VERSION)
		return -EBADMSG;
	npy_bytes = bytes_get32(extension + EXTENSION_NPY_BYTES);
	attrs_bytes = bytes_get32(extension + EXTENSION_ATTRS_BYTES);
	tail_bytes = npy_bytes + attrs_bytes + TAIL_END_BYTES;
	meta->nbytes = bytes_get64(extension + EXTENSION_NBYTES);
	if (tail_bytes > FORMAT_TAIL_MAX || tail_bytes > file_bytes ||
	    (file_bytes - tail_bytes) % FORMAT_ALIGN != 0 || meta->nbytes > file_bytes ||
	    format_block_offset(meta->nbytes) + FORMAT_BLOCK_BYTES > file_bytes - tail_bytes)
		return -EBADMSG;
	if (tail_bytes > bytes)
		return (int)tail_bytes;
	if (trailer_decode(end, bytes, file_bytes, &trailer) != TRAILER_BYTES_2 ||
	    trailer.size != meta->nbytes)
		return -EBADMSG;
	r = npy_header_parse(end + bytes - tail_bytes, npy_bytes, &npy, &meta->text);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	take_npy(meta, &npy);
	if ((uint64_t)r != npy_bytes || npy.dtype.itemsize == 0 ||
	    shape_nbytes(npy.dtype.itemsize, npy.ndim, npy.shape, &nbytes) < 0 ||
	    nbytes != meta->nbytes) {
		free(meta->text); /* the heap is where `end` lies, and a trailer may still be found
				     there */
		meta->text = NULL;
		return -EBADMSG;
	}
	meta->attrs = extension - attrs_bytes;
	meta->attrs_bytes = attrs_bytes;
	take_extension(meta, extension);
	return 0;
}

/* An array written by SharedArray itself: all there is to know is in its trailer. */
static int parse_foreign(const unsigned char *end, size_t bytes, uint64_t file_bytes,
			 struct format_meta *meta)
{
	struct trailer trailer;
	int r = trailer_decode(end, bytes, file_bytes, &trailer);

	if (r < 0)
		return r;
	if (dtype_from_typenum(trailer.typenum, (uint64_t)trailer.itemsize, meta->type_string) < 0)
		return -EBADMSG;
	meta->nbytes = trailer.size;
	meta->itemsize = (uint64_t)trailer.itemsize;
	meta->typenum = trailer.typenum;
	meta->ndim = trailer.ndim;
	memcpy(meta->shape, trailer.dims, (size_t)trailer.ndim * sizeof(trailer.dims[0]));
	meta->order = 'C';
	meta->foreign = true;
	meta->descr = meta->type_string;
	meta->descr_bytes = strlen(meta->type_string);
	if (meta->descr[1] == 'V')
		meta->typenum = DTYPE_VOID;
	return 0;
}

/* As parse_tail, for either kind of file. */
static int parse(const unsigned char *end, size_t bytes, uint64_t file_bytes,
		 struct format_meta *meta)
{
	int r = parse_tail(end, bytes, file_bytes, meta);

	return r == -EBADMSG ? parse_foreign(end, bytes, file_bytes, meta) : r;
}

int format_parse(const unsigned char *end, size_t bytes, uint64_t file_bytes,
		 struct format_meta *ret_meta)
{
	int r;

	if (bytes > FORMAT_TAIL_MAX) {
		end += bytes - FORMAT_TAIL_MAX;
		bytes = FORMAT_TAIL_MAX;
	}
	format_meta_init(ret_meta);
	r = parse(end, bytes, file_bytes, ret_meta);
	return r > 0 ? -EBADMSG : r;
}

/* Read the last `bytes` of a file of file_bytes. -EBADMSG: it has become shorter. */
static int read_end(int fd, uint64_t file_bytes, void *buffer, size_t bytes)
{
	int r = whole_pread(fd, buffer, bytes, file_bytes - bytes);

	return r == -ENODATA ? -EBADMSG : r;
}

/* The end of the file in full, for a tail that is longer than what was read first. */
static int read_more(int fd, uint64_t file_bytes, size_t bytes, struct format_meta *meta)
{
	unsigned char *end = meta->buffer;
	int r;

	if (bytes > FORMAT_PAGE_BYTES) {
		end = meta->heap = malloc(bytes);
		if (!end)
			return -ENOMEM;
	}
	r = read_end(fd, file_bytes, end, bytes);
	if (r == 0)
		r = parse(end, bytes, file_bytes, meta);
	if (r != 0)
		format_meta_release(meta);
	return r > 0 ? -EBADMSG : r; /* a tail that grows between the two reads is no array's */
}

int format_read(int fd, uint64_t file_bytes, struct format_meta *ret_meta)
{
	size_t bytes = file_bytes < FORMAT_FIRST_BYTES ? (size_t)file_bytes : FORMAT_FIRST_BYTES;
	int r = read_end(fd, file_bytes, ret_meta->buffer, bytes);

	if (r < 0)
		return r;
	format_meta_init(ret_meta);
	r = parse(ret_meta->buffer, bytes, file_bytes, ret_meta);
	return r > 0 ? read_more(fd, file_bytes, (size_t)r, ret_meta) : r;
}

int format_read_again(int fd, struct stat *st, struct format_meta *ret_meta)
{
	int r = -EBADMSG;

	for (int i = 0; r == -EBADMSG && i < READ_TRIES; i++) {
		off_t size = st->st_size;

		r = format_read(fd, (uint64_t)size, ret_meta);
		if (r != -EBADMSG)
			break;
		if (fstat(fd, st) < 0)
			return -errno;
		if (st->st_size <= size)
			break;
	}
	return r;
}

/* numpy's spelling of the descr, and what it measures. */
static int describe_dtype(const char *descr, size_t descr_bytes, struct format_meta *meta,
			  struct dtype *ret_dtype)
{
	struct literal fields = {descr, descr + descr_bytes};
	int r;

	if (literal_peek(&fields) != '[') {
		r = dtype_parse_string(descr, descr_bytes, ret_dtype, meta->type_string);
		meta->descr = meta->type_string;
		meta->descr_bytes = r < 0 ? 0 : strlen(meta->type_string);
		return r;
	}
	if (!literal_is_utf8(descr, descr_bytes))
		return -EINVAL;
	if (descr_bytes > FORMAT_TAIL_MAX)
		return -E2BIG;
	meta->text = malloc(4 * descr_bytes + 16);
	if (!meta->text)
		return -ENOMEM;
	r = dtype_parse_fields(&fields, ret_dtype, meta->text);
	if (r == 0 && (literal_peek(&fields) != '\0' || fields.at != fields.end))
		r = -EINVAL;
	meta->descr = meta->text;
	meta->descr_bytes = r < 0 ? 0 : strlen(meta->text);
	return r;
}

int format_describe(const char *descr, size_t descr_bytes, char order, int ndim,
		    const int64_t *shape, struct format_meta *ret_meta)
{
	struct dtype dtype = {0};
	int r;

	format_meta_init(ret_meta);
	if ((order != 'C' && order != 'F') || ndim < 0 || ndim > FORMAT_NDIM_MAX)
		return -EINVAL;
	r = describe_dtype(descr, descr_bytes, ret_meta, &dtype);
	if (r == 0 && dtype.itemsize == 0)
		r = -EINVAL;
	if (r == 0)
		r = shape_nbytes(dtype.itemsize, ndim, shape, &ret_meta->nbytes);
	if (r < 0) {
		format_meta_release(ret_meta);
		return r;
	}
	ret_meta->itemsize = dtype.itemsize;
	ret_meta->typenum = dtype.typenum;
	ret_meta->ndim = ndim;
	if (ndim)
		memcpy(ret_meta->shape, shape, (size_t)ndim * sizeof(*shape));
	ret_meta->order = shape_is_flat(ndim, shape) ? 'C' : order;
	ret_meta->foreign = false;
	return 0;
}

bool format_same_dtype(const struct format_meta *a, const struct format_meta *b)
{
	return a->descr_bytes == b->descr_bytes && memcmp(a->descr, b->descr, a->descr_bytes) == 0;
}

void format_inherit(struct format_meta *heir, const struct format_meta *meta)
{
	heir->flags = meta->flags;
	heir->inode = meta->inode;
	heir->attrs = meta->attrs;
	heir->attrs_bytes = meta->attrs_bytes;
	heir->origin = meta->origin;
	if (format_same_dtype(heir, meta))
		memcpy(heir->dtype_name, meta->dtype_name, sizeof(meta->dtype_name));
}

int format_describe_same(const struct format_meta *meta, struct format_meta *ret_same)
{
	int r = format_describe(meta->descr, meta->descr_bytes, meta->order, meta->ndim,
				meta->shape, ret_same);

	if (r < 0)
		return r;
	ret_same->order = meta->order; /* also where it makes no difference */
	format_inherit(ret_same, meta);
	return 0;
}

static void to_npy(const struct format_meta *meta, struct npy_header *ret_npy)
{
	ret_npy->descr = meta->descr;
	ret_npy->descr_bytes = meta->descr_bytes;
	ret_npy->order = meta->order;
	ret_npy->ndim = meta->ndim;
	memcpy(ret_npy->shape, meta->shape, (size_t)meta->ndim * sizeof(meta->shape[0]));
}

int format_npy_text(const struct format_meta *meta, char **ret_text)
{
	struct npy_header npy;

	to_npy(meta, &npy);
	return npy_header_text(&npy, ret_text);
}

int format_npy_header(const struct format_meta *meta, unsigned char **ret_bytes, size_t *ret_count)
{
	CLEANUP_FREE unsigned char *bytes = NULL;
	struct npy_header npy;
	size_t count;
	int r;

	to_npy(meta, &npy);
	r = npy_header_compose(&npy, &bytes, &count);
	if (r < 0)
		return r;
	if (count > FORMAT_TAIL_MAX)
		return -E2BIG;
	*ret_bytes = steal_ptr(bytes);
	*ret_count = count;
	return 0;
}

static void put_extension(const struct format_meta *meta, size_t npy_bytes, unsigned char *at)
{
	memset(at, 0, FORMAT_EXTENSION_BYTES);
	memcpy(at, extension_magic, EXTENSION_MAGIC_BYTES);
	bytes_put32(at + EXTENSION_VERSION, FORMAT_VERSION);
	bytes_put32(at + EXTENSION_FLAGS, meta->flags);
	bytes_put32(at + EXTENSION_NPY_BYTES, (uint32_t)npy_bytes);
	bytes_put32(at + EXTENSION_ATTRS_BYTES, (uint32_t)meta->attrs_bytes);
	bytes_put64(at + EXTENSION_NBYTES, meta->nbytes);
	bytes_put64(at + EXTENSION_CREATED_NS, meta->origin.created_ns);
	bytes_put64(at + EXTENSION_START_TICKS, meta->origin.start_ticks);
	bytes_put64(at + EXTENSION_PIDNS, meta->origin.pidns);
	bytes_put32(at + EXTENSION_PID, meta->origin.pid);
	bytes_put32(at + EXTENSION_UID, meta->origin.uid);
	memcpy(at + EXTENSION_BOOT_ID, meta->origin.boot_id, sizeof(meta->origin.boot_id));
	bytes_put64(at + EXTENSION_INODE, meta->inode);
	memcpy(at + EXTENSION_DTYPE_NAME, meta->dtype_name,
	       strnlen(meta->dtype_name, sizeof(meta->dtype_name) - 1));
}

/* SharedArray knows C order only: a Fortran array is the C array of the reversed shape. */
static void put_trailer(const struct format_meta *meta, unsigned char *at)
{
	struct trailer trailer = {
		.size = meta->nbytes,
		.typenum = meta->typenum,
		.itemsize = (int32_t)meta->itemsize,
		.ndim = meta->ndim,
	};

	for (int i = 0; i < meta->ndim; i++)
		trailer.dims[i] = meta->shape[meta->order == 'F' ? meta->ndim - 1 - i : i];
	trailer_encode(&trailer, at);
}

int format_compose(const struct format_meta *meta, unsigned char **ret_bytes, size_t *ret_count)
{
	CLEANUP_FREE unsigned char *npy = NULL;
	uint64_t tail_offset = format_block_offset(meta->nbytes) + FORMAT_BLOCK_BYTES;
	size_t npy_bytes, count;
	unsigned char *out, *at;
	int r = format_npy_header(meta, &npy, &npy_bytes);

	if (r < 0)
		return r;
	if (npy_bytes + meta->attrs_bytes + TAIL_END_BYTES > FORMAT_TAIL_MAX)
		return -E2BIG;
	count = FORMAT_BLOCK_BYTES + npy_bytes + meta->attrs_bytes + TAIL_END_BYTES;
	out = at = malloc(count);
	if (!out)
		return -ENOMEM;
	memset(at, 0, FORMAT_BLOCK_BYTES);
	memcpy(at, block_magic, sizeof(block_magic));
	bytes_put32(at + BLOCK_VERSION, FORMAT_VERSION);
	bytes_put32(at + BLOCK_FLAGS, 0);
	bytes_put64(at + FORMAT_BLOCK_HINT, tail_offset);
	at += FORMAT_BLOCK_BYTES;
	memcpy(at, npy, npy_bytes);
	at += npy_bytes;
	if (meta->attrs_bytes)
		memcpy(at, meta->attrs, meta->attrs_bytes);
	at += meta->attrs_bytes;
	put_extension(meta, npy_bytes, at);
	put_trailer(meta, at + FORMAT_EXTENSION_BYTES);
	*ret_bytes = out;
	*ret_count = count;
	return 0;
}
