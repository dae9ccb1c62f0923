/* SPDX-License-Identifier: BSD-3-Clause */
#include "draft_attributes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "attrs.h"
#include "budget.h"
#include "cleanup.h"
#include "draft.h"
#include "file.h"
#include "format.h"
#include "reinterpret.h"
#include "sharr.h"

/*
 * How much memory they may take. What is kept must fit into a tail anyway; but a new file costs
 * little else, and who has many keeps as many times that.
 */
enum {
	OF_DRAFT_MAX = FORMAT_TAIL_MAX,
	OF_ALL_MAX = 16 << 20,
	MALLOC_BYTES = 32, /* what malloc adds, at most */
};

static size_t memory_of(const char *name, size_t bytes)
{
	return sizeof(struct draft_attribute) + strlen(name) + 1 + bytes + MALLOC_BYTES;
}

/* From `before` bytes to `after`. False: those are too many. */
static bool resize_memory(struct draft *draft, size_t before, size_t after)
{
	size_t more = after > before ? after - before : 0;

	if (draft->attributes_bytes - before + after > OF_DRAFT_MAX)
		return false;
	if (more && !budget_take(draft->attributes_of_all, more, OF_ALL_MAX))
		return false;
	if (after < before)
		budget_give_back(draft->attributes_of_all, before - after);
	draft->attributes_bytes += after - before;
	return true;
}

void draft_attributes_clear(struct draft *draft)
{
	while (draft->attributes) {
		struct draft_attribute *next = draft->attributes->next;

		free(draft->attributes);
		draft->attributes = next;
	}
	resize_memory(draft, draft->attributes_bytes, 0);
}

static const struct draft_attribute *find(const struct draft_attribute *attributes,
					  const char *name)
{
	while (attributes && strcmp(attributes->name, name))
		attributes = attributes->next;
	return attributes;
}

/* Replaces what the meta says by what the attribute does, if it is set. */
static int apply(const struct draft_attribute *attributes, const struct reinterpretation *what,
		 struct format_meta *meta)
{
	const struct draft_attribute *attribute = find(attributes, what->name);
	CLEANUP_FREE struct format_meta *changed = NULL;
	int rc;

	if (!attribute)
		return 0;
	changed = malloc(sizeof(*changed));
	if (!changed)
		return -ENOMEM;
	rc = what->apply(meta, attribute->value, attribute->bytes, changed);
	if (rc != 0)
		return rc < 0 ? rc : 0; /* 1: that is what it is already */
	format_meta_release(meta);
	format_meta_move(meta, changed);
	return 0;
}

/* No name is there twice. */
static int collect(const struct draft_attribute *attributes, unsigned char **ret_attrs,
		   size_t *ret_bytes)
{
	const struct draft_attribute *one;
	unsigned char *attrs;
	unsigned char *end;
	size_t bytes = 0;

	for (one = attributes; one; one = one->next)
		if (!attrs_is_reserved(one->name))
			bytes += ATTRS_HEAD_BYTES + strlen(one->name) + one->bytes;
	if (!bytes)
		return 0;
	attrs = end = malloc(bytes);
	if (!attrs)
		return -ENOMEM;
	for (one = attributes; one; one = one->next)
		if (!attrs_is_reserved(one->name))
			end = attrs_put(end, one->name, strlen(one->name), one->value, one->bytes);
	*ret_attrs = attrs;
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
	for (i = 0; rc == 0 && i < REINTERPRETATION_COUNT; i++)
		rc = apply(attributes, &reinterpretations[i], ret_meta);
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

static int check(const char *name, const char *value, size_t bytes)
{
	const struct reinterpretation *what = reinterpretation_by(name);

	return what ? what->check(value, bytes) : attrs_check_name(name);
}

static struct draft_attribute *new_attribute(const char *name, const void *value, size_t bytes)
{
	size_t name_bytes = strlen(name) + 1;
	struct draft_attribute *attribute = malloc(sizeof(*attribute) + name_bytes + bytes);

	if (!attribute)
		return NULL;
	attribute->next = NULL;
	attribute->name = (char *)(attribute + 1);
	attribute->value = attribute->name + name_bytes;
	attribute->bytes = bytes;
	memcpy(attribute->name, name, name_bytes);
	memcpy(attribute->value, value, bytes);
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

static void remove_attribute(struct draft *draft, const char *name)
{
	struct draft_attribute **at = &draft->attributes;

	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	if (*at) {
		struct draft_attribute *gone = *at;

		*at = gone->next;
		free(gone);
	}
}

static int set_locked(struct draft *draft, const char *name, const void *value, size_t bytes,
		      int flags)
{
	const struct draft_attribute *there = find(draft->attributes, name);
	size_t before = there ? memory_of(name, there->bytes) : 0;
	struct draft_attribute *attribute;

	if (draft->state == DRAFT_PUBLISHED)
		return -EAGAIN;
	if (flags & XATTR_CREATE && there)
		return -EEXIST;
	if ((flags & XATTR_REPLACE || !value) && !there)
		return -ENODATA;
	if (!value) {
		remove_attribute(draft, name);
		resize_memory(draft, before, 0);
		return 0;
	}
	attribute = new_attribute(name, value, bytes);
	if (!attribute)
		return -ENOMEM;
	if (!resize_memory(draft, before, memory_of(name, bytes))) {
		free(attribute);
		return -ENOSPC;
	}
	remove_attribute(draft, name);
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

/* Under the draft's lock. */
static int copy_value(const struct draft *draft, const char *name, char **ret_value,
		      size_t *ret_bytes)
{
	const struct draft_attribute *attribute = find(draft->attributes, name);

	if (draft->state == DRAFT_PUBLISHED)
		return -EAGAIN;
	if (!attribute)
		return -ENODATA;
	*ret_value = malloc(attribute->bytes + 1);
	if (!*ret_value)
		return -ENOMEM;
	memcpy(*ret_value, attribute->value, attribute->bytes);
	*ret_bytes = attribute->bytes;
	return 0;
}

int draft_get_attribute(struct file *file, const char *name, char **ret_value, size_t *ret_bytes)
{
	int rc;

	pthread_mutex_lock(&file->draft->lock);
	rc = copy_value(file->draft, name, ret_value, ret_bytes);
	pthread_mutex_unlock(&file->draft->lock);
	return rc;
}

int draft_list_attributes(struct file *file, char **ret_names, size_t *ret_bytes)
{
	const struct draft_attribute *attribute;
	CLEANUP_FREE char *names = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&names, &bytes);
	bool published;

	if (!out)
		return -ENOMEM;
	pthread_mutex_lock(&file->draft->lock);
	published = file->draft->state == DRAFT_PUBLISHED;
	for (attribute = file->draft->attributes; attribute; attribute = attribute->next)
		fprintf(out, "user.%s%c", attribute->name, '\0');
	pthread_mutex_unlock(&file->draft->lock);
	if (fclose(out) != 0)
		return -ENOMEM;
	if (published)
		return -EAGAIN;
	*ret_names = steal_ptr(names);
	*ret_bytes = bytes;
	return 0;
}
