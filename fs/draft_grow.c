/* SPDX-License-Identifier: BSD-3-Clause */
#include "draft_grow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acl.h"
#include "cleanup.h"
#include "client.h"
#include "draft.h"
#include "draft_publish.h"
#include "file.h"
#include "format.h"
#include "fs.h"
#include "store_at.h"

/* All of [from, to), within the kernel. */
static int copy_part(int source, int target, off_t from, off_t to)
{
	while (from < to) {
		off_t at = from;
		ssize_t count = copy_file_range(source, &from, target, &at, (size_t)(to - from), 0);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count == 0)
			return -ESTALE; /* its owner has truncated it */
	}
	return 0;
}

/* Holes stay holes. */
static int copy_data(int source, int target, off_t bytes)
{
	off_t at = 0;
	int rc = ftruncate(target, bytes) < 0 ? -errno : 0;

	while (rc == 0 && at < bytes) {
		off_t data = lseek(source, at, SEEK_DATA);
		off_t hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(source, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		at = hole < bytes ? hole : bytes;
		rc = copy_part(source, target, data, at);
	}
	return rc;
}

static int new_draft(struct fs *fs, const struct file *first, const struct file *newest,
		     pid_t thread, struct draft **ret_draft)
{
	const struct client client = {.thread = thread, .uid = first->draft->uid};
	struct draft *draft;
	int rc = draft_new(fs, &client, &draft);

	if (rc < 0)
		return rc;
	draft->replace = draft->written = true;
	draft->grown_from = fcntl(newest->fd, F_DUPFD_CLOEXEC, 0);
	if (draft->grown_from < 0) {
		rc = -errno;
		draft_free(draft);
		return rc;
	}
	*ret_draft = draft;
	return 0;
}

/* In the directory that its name is in, or was last. */
static int stage(struct fs *fs, const struct file *first, struct draft *draft, off_t bytes)
{
	CLEANUP_PLACE struct inode_place last = {0};
	CLEANUP_FREE struct name *place = NULL;
	CLEANUP_FD int dirfd = -1;
	int rc = inode_last_place(&fs->inodes, first->inode, &last);

	if (rc == 0)
		rc = store_open_dir(fs, last.dir, &dirfd);
	if (rc < 0)
		return rc == -ENOENT || rc == -ESTALE ? -EFBIG : rc;
	place = draft_place(dirfd, "");
	rc = place ? staging_open(place, 0600, &draft->staging) : -ENOMEM;
	if (rc < 0)
		return rc;
	rc = copy_data(draft->grown_from, draft->staging.fd, bytes);
	if (rc < 0)
		staging_close(&draft->staging);
	return rc;
}

static int begin(struct fs *fs, struct file *first, const struct file *newest, pid_t thread,
		 struct file **ret_file)
{
	struct draft *draft = NULL;
	int rc = new_draft(fs, first, newest, thread, &draft);

	if (rc < 0)
		return rc;
	rc = stage(fs, first, draft, (off_t)newest->nbytes);
	if (rc == 0)
		return file_succeed(fs, first, draft->staging.fd, draft, ret_file);
	draft_free(draft);
	return rc;
}

/*
 * Of several that find the end at once one makes the successor. The data are copied under a lock
 * that nobody else takes: whoever opens or reads the array asks, under the draft's own, whether it
 * is published. (The kernel sends one write of an inode at a time, so that no thread waits.)
 */
int draft_grow(struct fs *fs, struct file *first, pid_t thread, struct file **ret_file)
{
	struct file *newest;
	int rc = 0;

	pthread_mutex_lock(&first->draft->growing);
	newest = file_newest(fs, first);
	if (draft_is_successor(newest) && draft_is_open(newest)) {
		*ret_file = newest;
	} else {
		rc = begin(fs, first, newest, thread, ret_file);
		if (newest != first)
			file_release(fs, newest);
	}
	pthread_mutex_unlock(&first->draft->growing);
	return rc;
}

int draft_grow_bytes(struct fs *fs, struct file *first, off_t *ret_bytes)
{
	struct file *newest = file_newest(fs, first);
	off_t bytes;

	if (newest == first)
		return -ENODATA;
	bytes = draft_is_open(newest) ? lseek(newest->fd, 0, SEEK_END) : (off_t)newest->nbytes;
	file_release(fs, newest);
	*ret_bytes = bytes;
	return 0;
}

int draft_grow_resize(struct fs *fs, struct file *first, off_t bytes)
{
	struct file *newest = file_newest(fs, first);
	int rc;

	if (newest == first)
		return -ENODATA;
	rc = bytes == (off_t)newest->nbytes ? 0 : draft_resize(newest, bytes);
	file_release(fs, newest);
	return rc;
}

/* Which length counts the slices that lie one after the other: -1, none. */
static int slowest(const struct format_meta *meta)
{
	return meta->order == 'F' ? meta->ndim - 1 : meta->ndim ? 0 : -1;
}

static int describe(const struct format_meta *old, uint64_t nbytes, struct format_meta *ret_meta)
{
	int64_t shape[FORMAT_NDIM_MAX];
	uint64_t slice = old->itemsize;
	int axis = slowest(old);
	int i;

	for (i = 0; i < old->ndim; i++) {
		shape[i] = old->shape[i];
		if (i != axis)
			slice *= (uint64_t)shape[i]; /* not above nbytes, unless that is 0 */
	}
	if (axis < 0 || !slice || nbytes % slice)
		return -EINVAL;
	shape[axis] = (int64_t)(nbytes / slice);
	return format_describe(old->descr, old->descr_bytes, old->order, old->ndim, shape,
			       ret_meta);
}

int draft_grow_describe(const struct draft *draft, uint64_t nbytes, unsigned char **ret_attrs,
			struct format_meta *ret_meta)
{
	struct format_meta old;
	struct facts facts;
	int rc = facts_of_fd(draft->grown_from, &facts);

	if (rc == 0)
		rc = format_read_again(draft->grown_from, &facts.st, &old);
	if (rc < 0)
		return rc;
	rc = describe(&old, nbytes, ret_meta);
	if (rc == 0) {
		format_inherit(ret_meta, &old);
		*ret_attrs = malloc(old.attrs_bytes + 1);
		if (*ret_attrs)
			memcpy(*ret_attrs, old.attrs, old.attrs_bytes);
		else
			ret_meta->attrs_bytes = 0;
		ret_meta->attrs = *ret_attrs;
	}
	format_meta_release(&old);
	return rc;
}

/* What an ACL took away stays away: the copy has none. */
int draft_grow_hand_over(const struct draft *draft, int fd)
{
	struct facts facts;
	uint8_t mask;
	int rc = facts_of_fd(draft->grown_from, &facts);

	if (rc == 0)
		rc = acl_mode_mask(draft->grown_from, &mask);
	if (rc < 0)
		return rc;
	if (fchown(fd, facts.st.st_uid, facts.st.st_gid) < 0 ||
	    fchmod(fd, facts.st.st_mode & (0700u | mask)) < 0)
		return -errno;
	return 0;
}

int draft_grow_check_place(const struct draft *draft, int dirfd, const char *name)
{
	struct facts old;
	struct facts now;
	int rc = facts_of_fd(draft->grown_from, &old);

	if (rc == 0)
		rc = facts_of_name(dirfd, name, &now);
	if (rc < 0)
		return rc;
	return identity_equal(&old.id, &now.id) ? 0 : -ENOENT;
}
