/* SPDX-License-Identifier: BSD-3-Clause */
/* Handlers: names. */
#include <errno.h>
#include <unistd.h>

#include "cleanup.h"
#include "namespace.h"
#include "ops.h"
#include "store_at.h"

static int look_up(struct fs *fs, struct inode *parent, const char *name,
		   struct fuse_entry_param *ret_entry)
{
	bool wanted = pins_want(&fs->pins, parent, name);
	CLEANUP_FD int dirfd = -1;
	CLEANUP_FD int fd = -1;
	struct inode *inode;
	struct facts facts;
	int rc = store_open_dir(fs, parent, &dirfd);

	if (rc == 0)
		rc = wanted ? store_look_and_open(fs, dirfd, name, &fd, &facts)
			    : store_look(fs, dirfd, name, &facts);
	if (rc == 0)
		rc = inode_lookup(&fs->inodes, parent, name, &facts, &inode);
	if (rc < 0)
		return rc;
	if (wanted)
		pins_hold(&fs->pins, &facts.id, steal_fd(&fd));
	*ret_entry = (struct fuse_entry_param){
		.ino = inode_number(inode),
		.attr = facts.st,
		.attr_timeout = fs->attr_timeout,
		.entry_timeout = fs->entry_timeout,
	};
	return 0;
}

static void reply_entry(fuse_req_t req, struct inode *parent, const char *name)
{
	struct fs *fs = ops_fs(req);
	struct fuse_entry_param entry;
	int rc = look_up(fs, parent, name, &entry);

	if (rc < 0)
		ops_reply(req, rc);
	else if (fuse_reply_entry(req, &entry) < 0) /* interrupted: there will be no forget */
		inode_forget(&fs->inodes, inode_of(&fs->inodes, entry.ino), 1);
}

/* What is not there is not cached: it may come at any moment. */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_entry(req, ops_inode(req, parent), name);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	inode_forget(&ops_fs(req)->inodes, ops_inode(req, ino), lookups);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		inode_forget(&ops_fs(req)->inodes, ops_inode(req, forgets[i].ino),
			     forgets[i].nlookup);
	fuse_reply_none(req);
}

/* Arrays are made by libsharr, in the store. */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	ops_reply(req, -EPERM);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	ops_reply(req, -EPERM);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	ops_reply(req, -EPERM);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	ops_reply(req, -EPERM);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int rc = namespace_mkdir(ops_fs(req), ops_inode(req, parent), name, mode, ctx->uid,
				 ctx->gid);

	if (rc < 0)
		ops_reply(req, rc);
	else
		reply_entry(req, ops_inode(req, parent), name);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	ops_reply(req, namespace_remove(ops_fs(req), ops_inode(req, parent), name, false, uid));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	ops_reply(req, namespace_remove(ops_fs(req), ops_inode(req, parent), name, true, uid));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	       const char *newname, unsigned flags)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	ops_reply(req, namespace_rename(ops_fs(req), ops_inode(req, parent), name,
					ops_inode(req, newparent), newname, flags, uid));
}
