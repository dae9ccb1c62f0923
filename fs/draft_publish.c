/* SPDX-License-Identifier: BSD-3-Clause */
#include "draft_publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "draft.h"
#include "draft_attributes.h"
#include "draft_grow.h"
#include "file.h"
#include "format.h"
#include "fs.h"
#include "namespace.h"
#include "npy_unwrap.h"
#include "npyview.h"
#include "store_at.h"
#include "timespec.h"

struct name *draft_place(int dirfd, const char *name)
{
	struct name *place = calloc(1, sizeof(*place));

	if (!place)
		return NULL;
	place->at = dirfd;
	place->in_store = place->nofollow = true;
	strcpy(place->dir_text, ".");
	place->dir = place->dir_text;
	strncat(place->path, name, sizeof(place->path) - 1);
	return place;
}

static void set_origin(const struct draft *draft, struct origin *origin)
{
	struct timespec now;

	memset(origin, 0, sizeof(*origin));
	clock_gettime(CLOCK_REALTIME, &now);
	origin->created_ns = (uint64_t)timespec_ns(&now);
	origin->pid = (uint32_t)draft->process;
	origin->uid = draft->uid;
}

/* Behind the data; the times of the file stay those that the client gave it. */
static int write_tail(int fd, const struct stat *st, const struct format_meta *meta)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	CLEANUP_FREE unsigned char *tail = NULL;
	size_t bytes;
	ssize_t count;
	int rc = format_compose(meta, &tail, &bytes);

	if (rc < 0)
		return rc == -E2BIG ? -ENOSPC : rc;
	count = pwrite(fd, tail, bytes, (off_t)format_block_offset(meta->nbytes));
	if (count < 0)
		return -errno;
	if ((size_t)count < bytes)
		return -ENOSPC;
	return futimens(fd, times) < 0 ? -errno : 0;
}

static int describe(const struct draft *draft, uint64_t nbytes, unsigned char **ret_attrs,
		    struct format_meta *ret_meta)
{
	return draft->grown_from >= 0
		       ? draft_grow_describe(draft, nbytes, ret_attrs, ret_meta)
		       : draft_attributes_describe(draft->attributes, nbytes, ret_attrs, ret_meta);
}

static int complete(struct fs *fs, struct file *file, uint64_t *ret_nbytes)
{
	CLEANUP_FREE unsigned char *attrs = NULL;
	struct format_meta meta;
	struct stat st;
	int rc = fstat(file->fd, &st) < 0 ? -errno : 0;

	if (rc == 0 && file->inode->view)
		rc = npy_unwrap(fs, file, &st);
	if (rc == 0)
		rc = describe(file->draft, (uint64_t)st.st_size, &attrs, &meta);
	if (rc < 0)
		return rc;
	set_origin(file->draft, &meta.origin);
	rc = write_tail(file->fd, &st, &meta);
	format_meta_release(&meta);
	if (rc < 0 && ftruncate(file->fd, st.st_size) < 0)
		return -errno;
	*ret_nbytes = (uint64_t)st.st_size;
	return rc;
}

/* What is there now may be another's than what it was renamed onto. */
static int check_replacer(const struct draft *draft, int dirfd, const char *name)
{
	struct facts there;
	int rc = draft->replace ? facts_of_name(dirfd, name, &there) : -ENOENT;

	if (rc == 0)
		rc = namespace_may_remove(dirfd, &there, draft->replacer);
	return rc == -ENOENT ? 0 : rc;
}

static int give_name(struct fs *fs, struct file *file)
{
	CLEANUP_PLACE struct inode_place last = {0};
	CLEANUP_FREE struct name *place = NULL;
	char in_store[NAME_MAX + 1];
	CLEANUP_FD int dirfd = -1;
	int rc = inode_last_place(&fs->inodes, file->inode, &last);

	if (rc == 0)
		rc = npyview_store_name(last.dir, last.name, in_store);
	if (rc == 0)
		rc = store_open_dir(fs, last.dir, &dirfd);
	if (rc == -ESTALE) /* its group is gone; nobody looks again for the sake of close() */
		rc = -ENOENT;
	if (rc == 0)
		rc = file->draft->grown_from >= 0
			     ? draft_grow_check_place(file->draft, dirfd, in_store)
			     : check_replacer(file->draft, dirfd, in_store);
	if (rc < 0)
		return rc;
	place = draft_place(dirfd, in_store);
	return place ? staging_publish(&file->draft->staging, place, file->draft->replace)
		     : -ENOMEM;
}

/* As libsharr calls what it prepares, to be renamed when it is ready. */
static bool is_hidden(struct fs *fs, struct file *file)
{
	CLEANUP_PLACE struct inode_place last = {0};

	return inode_last_place(&fs->inodes, file->inode, &last) == 0 &&
	       staging_is_hidden(last.name);
}

int draft_publish(struct fs *fs, struct file *file)
{
	uint64_t nbytes = 0;
	struct facts facts;
	bool grown = file->draft->grown_from >= 0;
	int rc;

	if (is_hidden(fs, file)) {
		file->draft->state = DRAFT_DROPPED;
		return 0;
	}
	rc = complete(fs, file, &nbytes);
	draft_attributes_clear(file->draft);
	if (rc == 0 && grown)
		rc = draft_grow_hand_over(file->draft, file->fd);
	if (rc == 0)
		rc = give_name(fs, file);
	if (rc < 0) {
		file->draft->state = DRAFT_DROPPED;
		draft_unstage(file->draft);
		return grown && (rc == -ENOENT || rc == -ESTALE) ? 0 : rc; /* it was deleted */
	}
	file->nbytes = nbytes;
	file->draft->state = DRAFT_PUBLISHED;
	if (grown)
		return 0;
	inode_publish(&fs->inodes, file->inode);
	if (facts_of_fd(file->fd, &facts) == 0) {
		facts.st.st_size = (off_t)nbytes;
		inode_report(&fs->inodes, file->inode, &facts);
	}
	return 0;
}

void draft_unstage(struct draft *draft)
{
	if (!draft->staging.hidden[0])
		return;
	draft->staging.fd = -1; /* it is the file's to close */
	staging_close(&draft->staging);
}
