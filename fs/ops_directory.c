/* SPDX-License-Identifier: BSD-3-Clause */
/* Handlers: reading directories. */
#include <errno.h>
#include <linux/fuse.h>

#include "dir.h"
#include "npyview.h"
#include "open.h"
#include "ops.h"
#include "store_at.h"
#include "watch.h"

enum { DOTS = 2 }; /* the first two offsets are those of . and .. */

static struct dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct dir *)(uintptr_t)fi->fh;
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir *dir;
	int rc = dir_open(ops_fs(req), ops_inode(req, ino), ops_client(req).thread, &dir);

	if (rc < 0) {
		ops_reply(req, rc);
		return;
	}
	fi->fh = (uintptr_t)dir;
	if (fuse_reply_open(req, fi) < 0)
		dir_close(dir);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	dir_close(dir_of(fi));
	ops_reply(req, 0);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	ops_reply(req, 0);
}

/* The reply that is being filled. */
struct listing {
	fuse_req_t req;
	struct inode *parent;
	bool plus;
	size_t count;        /* of the names in the directory */
	uint32_t generation; /* of the directory, before the facts of the next name were read */
	char *bytes;
	size_t used;
	size_t room;
};

/* The kernel takes no lookup of the dots. */
static bool put_dot(struct listing *listing, const char *name, off_t next)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = 1, .st_mode = S_IFDIR}};
	char *at = listing->bytes + listing->used;
	size_t room = listing->room - listing->used;
	size_t bytes = listing->plus
			       ? fuse_add_direntry_plus(listing->req, at, room, name, &entry, next)
			       : fuse_add_direntry(listing->req, at, room, name, &entry.attr, next);

	if (bytes > room)
		return false;
	listing->used += bytes;
	return true;
}

static void set_timeouts(const struct listing *listing, const struct inode *inode, bool keep,
			 struct fuse_entry_param *entry)
{
	const struct timeouts *timeouts = &ops_fs(listing->req)->timeouts;
	double listed = timeouts->listed + timeouts->listed_more * (double)listing->count;

	if (listing->parent->view)
		return; /* nothing of it is kept */
	entry->entry_timeout = keep ? listed : timeouts->name;
	entry->attr_timeout = keep               ? listed
			      : inode->directory ? timeouts->tick
						 : timeouts->attributes;
}

static int put_plus(struct listing *listing, int dirfd, const char *name, const struct facts *facts,
		    off_t next)
{
	struct fs *fs = ops_fs(listing->req);
	struct fuse_entry_param entry = {.attr = facts->st};
	char *at = listing->bytes + listing->used;
	size_t room = listing->room - listing->used;
	struct inode *inode;
	bool keep;
	int rc;

	if (fuse_add_direntry_plus(listing->req, NULL, 0, name, &entry, next) > room)
		return -ERANGE;
	rc = inode_list(&fs->inodes, listing->parent, name, facts, listing->generation, &inode,
			&keep);
	if (rc < 0)
		return rc;
	if (!inode->view)
		ops_hold(fs, listing->parent, dirfd, name);
	entry.ino = inode_number(inode);
	set_timeouts(listing, inode, keep, &entry);
	listing->used += fuse_add_direntry_plus(listing->req, at, room, name, &entry, next);
	return 0;
}

static int put_plain(struct listing *listing, const char *name, const struct facts *facts,
		     off_t next)
{
	size_t room = listing->room - listing->used;
	size_t bytes = fuse_add_direntry(listing->req, listing->bytes + listing->used, room, name,
					 &facts->st, next);

	if (bytes > room)
		return -ERANGE;
	listing->used += bytes;
	return 0;
}

/*
 * Fill the reply from `offset` on. Files that have vanished since the snapshot, or are no arrays,
 * are left out; so is one that can't be read, as its owner may see to: that is no trouble of others.
 */
static int fill(struct listing *listing, struct dir *dir, off_t offset)
{
	struct fs *fs = ops_fs(listing->req);
	const char *name;
	int rc = 0;

	for (; offset < DOTS; offset++)
		if (!put_dot(listing, offset ? ".." : ".", offset + 1))
			return 0;
	for (; rc == 0 && (name = dir_name(dir, (size_t)(offset - DOTS))); offset++) {
		char in_view[NAME_MAX + 1];
		struct facts facts;

		listing->generation = watch_generation(fs, listing->parent);
		if (listing->parent->view) {
			rc = npyview_list(fs, dir->fd, name, in_view, &facts);
			name = in_view;
		} else {
			rc = store_look(fs, dir->fd, name, &facts);
		}
		if (rc == 0)
			rc = listing->plus ? put_plus(listing, dir->fd, name, &facts, offset + 1)
					   : put_plain(listing, name, &facts, offset + 1);
		else if (!open_is_fatal(rc))
			rc = 0;
	}
	/* What is there goes first: the error comes back with the next request, if it lasts. */
	return rc == -ERANGE || listing->used ? 0 : rc;
}

/* A reply that the kernel did not take: undo the lookups that it would have counted. */
static void undo(struct inode_table *inodes, const struct listing *listing)
{
	size_t at = 0;

	while (listing->plus && at < listing->used) {
		const struct fuse_direntplus *entry = (const void *)(listing->bytes + at);

		if (entry->entry_out.nodeid)
			inode_forget(inodes, inode_of(inodes, entry->entry_out.nodeid), 1);
		at += FUSE_DIRENTPLUS_SIZE(entry);
	}
}

static void reply_listing(fuse_req_t req, fuse_ino_t ino, size_t room, off_t offset,
			  struct fuse_file_info *fi, bool plus)
{
	struct listing listing = {.req = req, .parent = ops_inode(req, ino), .plus = plus};
	struct dir *dir = dir_of(fi);
	struct fs *fs = ops_fs(req);
	int rc = 0;

	listing.bytes = io_buffer(&fs->buffers);
	listing.room = room < IO_BYTES_MAX ? room : IO_BYTES_MAX;
	if (!listing.bytes) {
		ops_reply(req, -ENOMEM);
		return;
	}
	pthread_mutex_lock(&dir->lock);
	if (plus && !listing.parent->view && fs->timeouts.listed > 0)
		watch_directory(fs, listing.parent, dir->fd);
	if (!dir->taken || offset == 0)
		rc = dir_take(dir);
	listing.count = dir->count;
	if (rc == 0)
		rc = fill(&listing, dir, offset);
	pthread_mutex_unlock(&dir->lock);
	if (rc < 0)
		ops_reply(req, rc);
	else if (fuse_reply_buf(req, listing.bytes, listing.used) < 0)
		undo(&fs->inodes, &listing);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t room, off_t offset,
		struct fuse_file_info *fi)
{
	reply_listing(req, ino, room, offset, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t room, off_t offset,
		    struct fuse_file_info *fi)
{
	reply_listing(req, ino, room, offset, fi, true);
}
