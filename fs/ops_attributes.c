/* SPDX-License-Identifier: BSD-3-Clause */
/* Handlers: attributes, plain and extended. */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "draft.h"
#include "draft_grow.h"
#include "file.h"
#include "ops.h"
#include "setattr.h"
#include "store_at.h"
#include "xattr.h"

static bool is_draft(struct fs *fs, struct inode *inode)
{
	struct file *file = file_peek(fs, inode);
	bool draft;

	if (!file)
		return false;
	draft = draft_is_open(file);
	file_release(fs, file);
	return draft;
}

static double timeout_of(struct fs *fs, struct inode *inode)
{
	if (inode->view)
		return 0;
	return inode->directory || is_draft(fs, inode) ? fs->timeouts.tick
						       : fs->timeouts.attributes;
}

/* Of a handle that has a successor: its size is nobody else's, and not to be kept. */
static bool show_successor(struct fs *fs, const struct fuse_file_info *fi, off_t *ret_bytes)
{
	return fi && file_handle_is_makers(fi->fh) &&
	       draft_grow_bytes(fs, file_of_handle(fi->fh), ret_bytes) == 0;
}

static void reply_facts(fuse_req_t req, struct inode *inode, const struct fuse_file_info *fi,
			struct facts *facts)
{
	struct fs *fs = ops_fs(req);
	double timeout = timeout_of(fs, inode);

	inode_report(&fs->inodes, inode, facts);
	if (show_successor(fs, fi, &facts->st.st_size))
		timeout = 0;
	fuse_reply_attr(req, &facts->st, timeout);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct inode *inode = ops_inode(req, ino);
	struct facts facts;
	int rc = 0;

	if (!inode_is_dead(&ops_fs(req)->inodes, inode, &facts))
		rc = store_facts(ops_fs(req), inode, fuse_req_ctx(req)->pid, &facts);
	if (rc < 0)
		ops_reply(req, rc);
	else
		reply_facts(req, inode, fi, &facts);
}

/* Only ftruncate() comes with a handle. */
static int resize_successor(struct fs *fs, const struct fuse_file_info *fi, off_t bytes,
			    int *to_set)
{
	int rc = -ENODATA;

	if (fi && *to_set & FUSE_SET_ATTR_SIZE && file_handle_is_makers(fi->fh))
		rc = draft_grow_resize(fs, file_of_handle(fi->fh), bytes);
	if (rc == -ENODATA)
		return 0;
	*to_set &= ~FUSE_SET_ATTR_SIZE;
	return rc;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	const struct client client = ops_client(req);
	struct inode *inode = ops_inode(req, ino);
	struct facts facts;
	int rc = resize_successor(ops_fs(req), fi, attr->st_size, &to_set);

	if (rc == 0)
		rc = setattr_apply(ops_fs(req), inode, attr, to_set, &client, &facts);
	if (rc < 0)
		ops_reply(req, rc);
	else
		reply_facts(req, inode, fi, &facts);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(ops_fs(req)->root_fd, &st) < 0)
		ops_reply(req, -errno);
	else
		fuse_reply_statfs(req, &st);
}

/* room 0 asks for the size alone. */
static void reply_value(fuse_req_t req, const char *value, size_t bytes, size_t room)
{
	if (!room)
		fuse_reply_xattr(req, bytes);
	else if (bytes > room)
		ops_reply(req, -ERANGE);
	else
		fuse_reply_buf(req, value, bytes);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t room)
{
	const struct client client = ops_client(req);
	CLEANUP_FREE char *value = NULL;
	size_t bytes;
	int rc = xattr_get(ops_fs(req), ops_inode(req, ino), &client, name, &value, &bytes);

	if (rc < 0)
		ops_reply(req, rc);
	else
		reply_value(req, value, bytes, room);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t room)
{
	const struct client client = ops_client(req);
	CLEANUP_FREE char *names = NULL;
	size_t bytes;
	int rc = xattr_list(ops_fs(req), ops_inode(req, ino), &client, &names, &bytes);

	if (rc < 0)
		ops_reply(req, rc);
	else
		reply_value(req, names, bytes, room);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t bytes,
		 int flags)
{
	const struct client client = ops_client(req);

	ops_reply(req,
		  xattr_set(ops_fs(req), ops_inode(req, ino), &client, name, value, bytes, flags));
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	const struct client client = ops_client(req);

	ops_reply(req, xattr_remove(ops_fs(req), ops_inode(req, ino), &client, name));
}
