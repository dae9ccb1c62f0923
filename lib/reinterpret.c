/* SPDX-License-Identifier: BSD-3-Clause */
#include "reinterpret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "literal.h"
#include "npy_header.h"

static bool same(const struct format_meta *a, const struct format_meta *b)
{
	return format_same_dtype(a, b) && a->order == b->order && a->ndim == b->ndim &&
	       memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof(a->shape[0])) == 0;
}

/* An order that was asked for is kept, though it makes no difference yet: the shape may come next.
 */
static int change(const struct format_meta *meta, const char *descr, size_t descr_bytes, char order,
		  int ndim, const int64_t *shape, struct format_meta *ret_changed)
{
	int r = format_describe(descr, descr_bytes, order, ndim, shape, ret_changed);

	if (r < 0)
		return r == -EOVERFLOW ? -EINVAL : r;
	ret_changed->order = order;
	if (ret_changed->nbytes != meta->nbytes || same(ret_changed, meta)) {
		r = ret_changed->nbytes != meta->nbytes ? -EINVAL : 1;
		format_meta_release(ret_changed);
		return r;
	}
	format_inherit(ret_changed, meta);
	return 0;
}

static int parse_npy(const char *text, size_t bytes, struct npy_header *ret_npy)
{
	int r = literal_is_utf8(text, bytes) ? npy_header_parse_text(text, bytes, ret_npy)
					     : -EINVAL;

	return r == -EBADMSG ? -EINVAL : r;
}

static int check_npy(const char *text, size_t bytes)
{
	struct npy_header npy;

	return parse_npy(text, bytes, &npy) < 0 ? -EINVAL : 0;
}

int reinterpret_npy(const struct format_meta *meta, const char *text, size_t bytes,
		    struct format_meta *ret_changed)
{
	struct npy_header npy;
	int r = parse_npy(text, bytes, &npy);

	if (r < 0)
		return r;
	return change(meta, npy.descr, npy.descr_bytes, npy.order, npy.ndim, npy.shape,
		      ret_changed);
}

int reinterpret_dtype(const struct format_meta *meta, const char *text, size_t bytes,
		      struct format_meta *ret_changed)
{
	const int64_t nothing = 0;
	struct format_meta wanted;
	int64_t length;
	int r;

	r = format_describe(text, bytes, 'C', 1, &nothing, &wanted);
	if (r < 0)
		return r;
	if (format_same_dtype(&wanted, meta)) {
		r = 1;
	} else if (meta->nbytes % wanted.itemsize != 0) {
		r = -EINVAL;
	} else {
		length = (int64_t)(meta->nbytes / wanted.itemsize);
		r = change(meta, wanted.descr, wanted.descr_bytes, 'C', 1, &length, ret_changed);
	}
	format_meta_release(&wanted);
	return r;
}

int reinterpret_order(const struct format_meta *meta, const char *text, size_t bytes,
		      struct format_meta *ret_changed)
{
	if (bytes != 1 || (text[0] != 'C' && text[0] != 'F'))
		return -EINVAL;
	return change(meta, meta->descr, meta->descr_bytes, text[0], meta->ndim, meta->shape,
		      ret_changed);
}

/* The number of lengths, or -EINVAL. */
static int parse_shape(const char *text, size_t bytes, int64_t *ret_shape)
{
	struct literal rest = {text, text + bytes};
	int ndim = 0;

	while (rest.at < rest.end) {
		if (ndim == FORMAT_NDIM_MAX || !literal_number(&rest, &ret_shape[ndim]) ||
		    rest.at[-1] == 'L')
			return -EINVAL;
		ndim++;
		if (rest.at < rest.end && (!literal_accept(&rest, ',') || rest.at == rest.end))
			return -EINVAL;
	}
	return ndim;
}

static int check_shape(const char *text, size_t bytes)
{
	int64_t shape[FORMAT_NDIM_MAX];

	return parse_shape(text, bytes, shape) < 0 ? -EINVAL : 0;
}

int reinterpret_shape(const struct format_meta *meta, const char *text, size_t bytes,
		      struct format_meta *ret_changed)
{
	int64_t shape[FORMAT_NDIM_MAX];
	int ndim = parse_shape(text, bytes, shape);

	if (ndim < 0)
		return ndim;
	return change(meta, meta->descr, meta->descr_bytes, meta->order, ndim, shape, ret_changed);
}

static int check_dtype_name(const char *text, size_t bytes)
{
	return format_is_dtype_name(text, bytes) ? 0 : -EINVAL;
}

static bool is_void(const struct format_meta *meta)
{
	return meta->descr_bytes > 1 && strchr("|<>", meta->descr[0]) && meta->descr[1] == 'V';
}

int reinterpret_dtype_name(const struct format_meta *meta, const char *text, size_t bytes,
			   struct format_meta *ret_changed)
{
	int r = check_dtype_name(text, bytes);

	if (r < 0 || (bytes > 0 && !is_void(meta)))
		return -EINVAL;
	if (strlen(meta->dtype_name) == bytes && memcmp(meta->dtype_name, text, bytes) == 0)
		return 1;
	r = format_describe_same(meta, ret_changed);
	if (r < 0)
		return r;
	memcpy(ret_changed->dtype_name, text, bytes);
	ret_changed->dtype_name[bytes] = '\0';
	return 0;
}

static int check_dtype(const char *text, size_t bytes)
{
	const int64_t nothing = 0;
	struct format_meta meta;
	int r = format_describe(text, bytes, 'C', 1, &nothing, &meta);

	if (r == 0)
		format_meta_release(&meta);
	return r == -ENOTSUP ? -EINVAL : r;
}

static int check_order(const char *text, size_t bytes)
{
	return bytes == 1 && (*text == 'C' || *text == 'F') ? 0 : -EINVAL;
}

const struct reinterpretation reinterpretations[REINTERPRETATION_COUNT] = {
	{"sharr.npy", check_npy, reinterpret_npy},
	{"sharr.dtype", check_dtype, reinterpret_dtype},
	{"sharr.order", check_order, reinterpret_order},
	{"sharr.shape", check_shape, reinterpret_shape},
	{"sharr.dtype_name", check_dtype_name, reinterpret_dtype_name},
};

const struct reinterpretation *reinterpretation_by(const char *name)
{
	for (int i = 0; i < REINTERPRETATION_COUNT; i++)
		if (strcmp(reinterpretations[i].name, name) == 0)
			return &reinterpretations[i];
	return NULL;
}

int reinterpret_shape_text(const struct format_meta *meta, char *ret_text)
{
	int n = 0;

	ret_text[0] = '\0';
	for (int i = 0; i < meta->ndim; i++)
		n += snprintf(ret_text + n, (size_t)(REINTERPRET_SHAPE_TEXT_MAX - n), "%s%lld",
			      i ? "," : "", (long long)meta->shape[i]);
	return n;
}
