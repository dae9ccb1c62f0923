/* SPDX-License-Identifier: BSD-3-Clause */
#include "attrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "sharr.h"

enum { HEAD_BYTES = ATTRS_HEAD_BYTES, VALUE_MAX = 65536 };

int attrs_next(const unsigned char *attrs, size_t bytes, size_t *at, struct attr *ret_attr)
{
	size_t name_bytes, value_bytes;

	if (bytes - *at < HEAD_BYTES)
		return 0;
	name_bytes = bytes_get16(attrs + *at);
	value_bytes = bytes_get32(attrs + *at + 2);
	if (name_bytes == 0 || name_bytes > ATTRS_NAME_MAX || value_bytes > VALUE_MAX ||
	    name_bytes + value_bytes > bytes - *at - HEAD_BYTES)
		return 0;
	ret_attr->name = (const char *)attrs + *at + HEAD_BYTES;
	ret_attr->name_bytes = name_bytes;
	ret_attr->value = attrs + *at + HEAD_BYTES + name_bytes;
	ret_attr->value_bytes = value_bytes;
	*at += HEAD_BYTES + name_bytes + value_bytes;
	return 1;
}

int attrs_get(const unsigned char *attrs, size_t bytes, const char *name, struct attr *ret_attr)
{
	size_t name_bytes = strlen(name);
	struct attr attr;

	for (size_t at = 0; attrs_next(attrs, bytes, &at, &attr);) {
		if (attr.name_bytes == name_bytes && memcmp(attr.name, name, name_bytes) == 0) {
			*ret_attr = attr;
			return 0;
		}
	}
	return -ENODATA;
}

unsigned char *attrs_put(unsigned char *at, const char *name, size_t name_bytes, const void *value,
			 size_t value_bytes)
{
	bytes_put16(at, (uint16_t)name_bytes);
	bytes_put32(at + 2, (uint32_t)value_bytes);
	memcpy(at + HEAD_BYTES, name, name_bytes);
	if (value_bytes)
		memcpy(at + HEAD_BYTES + name_bytes, value, value_bytes);
	return at + HEAD_BYTES + name_bytes + value_bytes;
}

bool attrs_is_reserved(const char *name)
{
	static const char prefix[] = "sharr.";

	return strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

int attrs_check_name(const char *name)
{
	size_t bytes = strlen(name);

	if (bytes == 0 || bytes > ATTRS_NAME_MAX)
		return error_set(-ERANGE, "the name of an attribute has 1 to %d bytes, not %zu",
				 ATTRS_NAME_MAX, bytes);
	if (!attrs_is_reserved(name))
		return 0;
	return error_set(-EPERM, "names of attributes that start with 'sharr.' are reserved");
}

int attrs_change(const unsigned char *attrs, size_t bytes, const char *name, const void *value,
		 size_t value_bytes, unsigned char **ret_attrs, size_t *ret_bytes)
{
	size_t name_bytes = strlen(name);
	unsigned char *changed, *out;
	struct attr attr;
	int r = attrs_check_name(name);

	if (r < 0)
		return r;
	if (value_bytes > VALUE_MAX)
		return error_set(-ENOSPC, "the value of an attribute has at most %d bytes, not %zu",
				 VALUE_MAX, value_bytes);
	if (!value && attrs_get(attrs, bytes, name, &attr) < 0)
		return -ENODATA;
	changed = out = malloc(bytes + HEAD_BYTES + name_bytes + value_bytes);
	if (!changed)
		return -ENOMEM;
	for (size_t at = 0; attrs_next(attrs, bytes, &at, &attr);)
		if (attr.name_bytes != name_bytes || memcmp(attr.name, name, name_bytes) != 0)
			out = attrs_put(out, attr.name, attr.name_bytes, attr.value,
					attr.value_bytes);
	if (value)
		out = attrs_put(out, name, name_bytes, value, value_bytes);
	*ret_bytes = (size_t)(out - changed);
	if (out == changed) {
		free(changed);
		changed = NULL;
	}
	*ret_attrs = changed;
	return 0;
}

static int attrs_copy(const unsigned char *attrs, size_t bytes, unsigned char **ret_attrs,
		      size_t *ret_bytes)
{
	if (bytes) {
		*ret_attrs = malloc(bytes);
		if (!*ret_attrs)
			return -ENOMEM;
		memcpy(*ret_attrs, attrs, bytes);
	}
	*ret_bytes = bytes;
	return 0;
}

int attrs_change_all(const unsigned char *attrs, size_t bytes, const struct sharr_attr *changes,
		     size_t count, unsigned char **ret_attrs, size_t *ret_bytes)
{
	CLEANUP_FREE unsigned char *block = NULL;

	*ret_attrs = NULL;
	if (count == 0)
		return attrs_copy(attrs, bytes, ret_attrs, ret_bytes);
	for (size_t i = 0; i < count; i++) {
		unsigned char *next;
		int r = attrs_change(attrs, bytes, changes[i].name, changes[i].value,
				     changes[i].bytes, &next, &bytes);

		if (r < 0)
			return r;
		free(block);
		attrs = block = next;
	}
	*ret_attrs = steal_ptr(block);
	*ret_bytes = bytes;
	return 0;
}
