/* SPDX-License-Identifier: BSD-3-Clause */
#include "draft_attributes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "attrs.h"
#include "cleanup.h"
#include "draft.h"
#include "file.h"
#include "format.h"
#include "reinterpret.h"
#include "sharr.h"

typedef int reinterpret(const struct format_meta *meta, const char *text, size_t bytes,
			struct format_meta *ret_changed);

/* In the order in which they are applied: each may undo what comes behind it. */
static const struct {
	const char *name;
	reinterpret *apply;
} describing[] = {
	{"sharr.npy", reinterpret_npy},
	{"sharr.dtype", reinterpret_dtype},
	{"sharr.order", reinterpret_order},
	{"sharr.shape", reinterpret_shape},
	{"sharr.dtype_name", reinterpret_dtype_name},
};

enum { DESCRIBING_COUNT = sizeof(describing) / sizeof(describing[0]) };

void draft_attributes_free(struct draft_attribute *attributes)
{
	while (attributes) {
		struct draft_attribute *next = attributes->next;

		free(attributes->name);
		free(attributes->value);
		free(attributes);
		attributes = next;
	}
}

static const struct draft_attribute *find(const struct draft_attribute *attributes,
					  const char *name)
{
	while (attributes && strcmp(attributes->name, name))
		attributes = attributes->next;
	return attributes;
}

/* Replaces what the meta says by what the attribute does, if it is set. */
static int apply(const struct draft_attribute *attributes, int which, struct format_meta *meta)
{
	const struct draft_attribute *attribute = find(attributes, describing[which].name);
	CLEANUP_FREE struct format_meta *changed = NULL;
	int rc;

	if (!attribute)
		return 0;
	changed = malloc(sizeof(*changed));
	if (!changed)
		return -ENOMEM;
	rc = describing[which].apply(meta, attribute->value, attribute->bytes, changed);
	if (rc != 0)
		return rc < 0 ? rc : 0; /* 1: that is what it is already */
	format_meta_release(meta);
	format_meta_move(meta, changed);
	return 0;
}

static int collect(const struct draft_attribute *attributes, unsigned char **ret_attrs,
		   size_t *ret_bytes)
{
	CLEANUP_FREE unsigned char *attrs = NULL;
	size_t bytes = 0;

	for (; attributes; attributes = attributes->next) {
		unsigned char *next;
		int rc;

		if (!strncmp(attributes->name, "sharr.", strlen("sharr.")))
			continue;
		rc = attrs_change(attrs, bytes, attributes->name, attributes->value,
				  attributes->bytes, &next, &bytes);
		if (rc < 0)
			return rc;
		free(attrs);
		attrs = next;
	}
	*ret_attrs = steal_ptr(attrs);
	*ret_bytes = bytes;
	return 0;
}

int draft_attributes_describe(const struct draft_attribute *attributes, uint64_t nbytes,
			      unsigned char **ret_attrs, struct format_meta *ret_meta)
{
	const int64_t length = (int64_t)nbytes;
	size_t bytes = 0;
	int rc = format_describe("|u1", 3, 'C', 1, &length, ret_meta);
	int i;

	*ret_attrs = NULL;
	for (i = 0; rc == 0 && i < DESCRIBING_COUNT; i++)
		rc = apply(attributes, i, ret_meta);
	if (rc == 0)
		rc = collect(attributes, ret_attrs, &bytes);
	if (rc < 0) {
		format_meta_release(ret_meta);
		return rc;
	}
	ret_meta->attrs = *ret_attrs;
	ret_meta->attrs_bytes = bytes;
	return 0;
}

/*
 * Does the text make sense at all? For a dtype that is a question by itself; for a shape, of any
 * array of so many elements.
 */
static int check(const char *name, const char *value, size_t bytes)
{
	const int64_t nothing = 0;
	struct format_meta meta;
	int i = 0;
	int rc;

	while (i < DESCRIBING_COUNT && strcmp(describing[i].name, name))
		i++;
	if (i == DESCRIBING_COUNT)
		return attrs_check_name(name);
	if (i == 2)
		return bytes == 1 && (*value == 'C' || *value == 'F') ? 0 : -EINVAL;
	if (i == 3)
		return reinterpret_check_shape(value, bytes);
	if (i == 4)
		return reinterpret_check_dtype_name(value, bytes);
	if (i == 0)
		return reinterpret_check_npy(value, bytes);
	rc = format_describe(value, bytes, 'C', 1, &nothing, &meta);
	if (rc == 0)
		format_meta_release(&meta);
	return rc == -ENOTSUP ? -EINVAL : rc;
}

static struct draft_attribute *new_attribute(const char *name, const void *value, size_t bytes)
{
	struct draft_attribute *attribute = calloc(1, sizeof(*attribute));

	if (!attribute)
		return NULL;
	attribute->name = strdup(name);
	attribute->value = malloc(bytes + 1);
	if (!attribute->name || !attribute->value) {
		draft_attributes_free(attribute);
		return NULL;
	}
	memcpy(attribute->value, value, bytes);
	attribute->bytes = bytes;
	return attribute;
}

int draft_attributes_put(struct draft_attribute **attributes, const char *name, const void *value,
			 size_t bytes)
{
	struct draft_attribute *attribute = new_attribute(name, value, bytes);

	if (!attribute)
		return -ENOMEM;
	attribute->next = *attributes;
	*attributes = attribute;
	return 0;
}

static void remove_attribute(struct draft_attribute **at, const char *name)
{
	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	if (*at) {
		struct draft_attribute *gone = *at;

		*at = gone->next;
		gone->next = NULL;
		draft_attributes_free(gone);
	}
}

/* All that is kept has to fit into a tail anyway; more is refused at once. */
static size_t kept_bytes(const struct draft_attribute *attributes)
{
	size_t bytes = 0;

	for (; attributes; attributes = attributes->next)
		bytes += strlen(attributes->name) + attributes->bytes;
	return bytes;
}

static int set_locked(struct draft *draft, const char *name, const void *value, size_t bytes,
		      int flags)
{
	bool there = find(draft->attributes, name);
	struct draft_attribute *attribute;

	if (flags & XATTR_CREATE && there)
		return -EEXIST;
	if ((flags & XATTR_REPLACE || !value) && !there)
		return -ENODATA;
	if (!value) {
		remove_attribute(&draft->attributes, name);
		return 0;
	}
	if (kept_bytes(draft->attributes) + strlen(name) + bytes > FORMAT_TAIL_MAX)
		return -ENOSPC;
	attribute = new_attribute(name, value, bytes);
	if (!attribute)
		return -ENOMEM;
	remove_attribute(&draft->attributes, name);
	attribute->next = draft->attributes;
	draft->attributes = attribute;
	draft->written = true;
	return 0;
}

int draft_set_attribute(struct file *file, const char *name, const void *value, size_t bytes,
			int flags)
{
	int rc = value ? check(name, value, bytes) : 0;

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&file->draft->lock);
	rc = set_locked(file->draft, name, value, bytes, flags);
	pthread_mutex_unlock(&file->draft->lock);
	return rc;
}

int draft_get_attribute(struct file *file, const char *name, char **ret_value, size_t *ret_bytes)
{
	const struct draft_attribute *attribute;
	char *value = NULL;

	pthread_mutex_lock(&file->draft->lock);
	attribute = find(file->draft->attributes, name);
	if (attribute) {
		value = malloc(attribute->bytes + 1);
		if (value) {
			memcpy(value, attribute->value, attribute->bytes);
			*ret_bytes = attribute->bytes;
		}
	}
	pthread_mutex_unlock(&file->draft->lock);
	if (!value)
		return attribute ? -ENOMEM : -ENODATA;
	*ret_value = value;
	return 0;
}

int draft_list_attributes(struct file *file, char **ret_names, size_t *ret_bytes)
{
	const struct draft_attribute *attribute;
	CLEANUP_FREE char *names = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&names, &bytes);

	if (!out)
		return -ENOMEM;
	pthread_mutex_lock(&file->draft->lock);
	for (attribute = file->draft->attributes; attribute; attribute = attribute->next)
		fprintf(out, "user.%s%c", attribute->name, '\0');
	pthread_mutex_unlock(&file->draft->lock);
	if (fclose(out) != 0)
		return -ENOMEM;
	*ret_names = steal_ptr(names);
	*ret_bytes = bytes;
	return 0;
}
