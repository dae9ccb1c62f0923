/* SPDX-License-Identifier: BSD-3-Clause */
#include "xattr_change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attributes.h"
#include "attrs.h"
#include "cleanup.h"
#include "client.h"
#include "file.h"
#include "fs.h"
#include "reinterpret.h"
#include "rewrite.h"
#include "store_at.h"

/*
 * Who may write an array may keep the lock on its metadata, and then all that wait for it: so that
 * there are always threads that serve others, only some wait for long.
 */
enum {
	PATIENT_MAX = 4,
	HURRY_MS = 10,
};

struct change {
	const char *name;
	const char *value;
	size_t bytes;
	int flags;
	unsigned char *attrs; /* owned; what the new tail has */
};

static int change_user(const struct format_meta *meta, struct change *change,
		       struct format_meta *ret_changed)
{
	struct attr attr;
	bool there = attrs_get(meta->attrs, meta->attrs_bytes, change->name, &attr) == 0;
	size_t bytes;
	int rc;

	if (change->flags & XATTR_CREATE && there)
		return -EEXIST;
	if (change->flags & XATTR_REPLACE && !there)
		return -ENODATA;
	if (there && change->value && attr.value_bytes == change->bytes &&
	    !memcmp(attr.value, change->value, change->bytes))
		return 1;
	rc = attrs_change(meta->attrs, meta->attrs_bytes, change->name, change->value,
			  change->bytes, &change->attrs, &bytes);
	if (rc < 0)
		return rc;
	rc = format_describe_same(meta, ret_changed);
	if (rc < 0)
		return rc;
	ret_changed->attrs = change->attrs;
	ret_changed->attrs_bytes = bytes;
	return 0;
}

static int apply(const struct format_meta *meta, void *userdata, struct format_meta *ret_changed)
{
	struct change *change = userdata;
	const struct reinterpretation *what = reinterpretation_by(change->name);

	if (attrs_is_reserved(change->name) && change->flags & XATTR_CREATE)
		return -EEXIST;
	if (what)
		return what->apply(meta, change->value, change->bytes, ret_changed);
	return change_user(meta, change, ret_changed);
}

/*
 * As setxattr says it: what the dtype can't be is an invalid value, and what does not fit has no
 * space.
 */
static int result(const char *name, int rc)
{
	bool describing = attrs_is_reserved(name);

	if (rc == -ENOTSUP)
		return -EINVAL;
	if (rc == -E2BIG && !describing)
		return -ENOSPC;
	return rc;
}

/* Several user attributes by one value: what libsharr does through a mount. */
static int change_at_once(int fd, unsigned wait_ms, const char *packed, size_t bytes)
{
	CLEANUP_FREE struct sharr_attr *changes = NULL;
	size_t count;
	int rc = attributes_unpack((const unsigned char *)packed, bytes, &changes, &count);

	return rc < 0 ? rc : attributes_change(fd, wait_ms, changes, count);
}

int xattr_change(struct fs *fs, struct inode *inode, const struct client *client, const char *name,
		 const char *value, size_t bytes, int flags)
{
	struct change change = {.name = name, .value = value, .bytes = bytes, .flags = flags};
	CLEANUP_FD int path_fd = -1;
	CLEANUP_FD int fd = -1;
	struct facts facts;
	bool retries = pins_waits(&fs->pins, client->thread);
	bool patient = atomic_fetch_add(&fs->patient, 1) < PATIENT_MAX;
	unsigned wait_ms = patient ? REWRITE_WAIT_MS : HURRY_MS;
	int rc = store_open_shown(fs, inode, client->thread, &path_fd, &facts);

	/* Who has it open can't look it up again. */
	if (rc == 0 &&
	    !store_is_as_told(fs, inode, &facts, client, W_OK, retries || file_is_open(fs, inode)))
		rc = store_expect(fs, inode, client->thread);
	if (rc == 0)
		rc = store_reopen(fs, path_fd, O_RDWR | O_NOATIME, &fd);
	if (rc == 0 && !strcmp(name, "sharr.attrs"))
		rc = change_at_once(fd, wait_ms, value, bytes);
	else if (rc == 0)
		rc = rewrite_array(fd, wait_ms, apply, &change);
	atomic_fetch_sub(&fs->patient, 1);
	free(change.attrs);
	return result(name, rc);
}
