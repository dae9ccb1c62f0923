/* SPDX-License-Identifier: BSD-3-Clause */
#include "way.h"

#include <errno.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "fs.h"
#include "fuse_api.h"
#include "store_at.h"

static int check(struct fs *fs, struct inode *dir, const struct client *retrier)
{
	CLEANUP_FD int fd = -1;
	struct facts facts;
	int rc;

	if (dir->view) /* as its directory is, which comes next */
		return 0;
	rc = dir->root ? store_facts_of(fs, dir, fs->root_fd, &facts)
		       : store_open(fs, dir, 0, &fd, &facts);
	if (rc < 0)
		return rc == -ESTALE && retrier ? -ENOENT : rc;
	if (inode_is_as_reported(&fs->inodes, dir, &facts))
		return 0;
	if (retrier && client_surely_may(retrier, &facts.st) == (R_OK | W_OK | X_OK))
		return 0;
	/*
	 * The root is never looked up: its attributes are asked for only if they are not valid. This
	 * is the one thing that a serving thread has the kernel forget, before the client's retry.
	 * Of attributes alone, it needs no lock that a client could hold while it waits for us.
	 */
	if (dir->root)
		fuse_lowlevel_notify_inval_inode(fs->session, inode_number(dir), -1, 0);
	return -ESTALE;
}

int way_check_above(struct fs *fs, struct inode *inode, const struct client *retrier)
{
	struct inode *dir = inode_parent(&fs->inodes, inode);
	int rc = 0;

	while (dir) {
		struct inode *above = inode_parent(&fs->inodes, dir);

		if (rc == 0)
			rc = check(fs, dir, retrier);
		inode_unref(&fs->inodes, dir);
		dir = above;
	}
	return rc;
}

int way_check(struct fs *fs, struct inode *dir, const struct client *retrier)
{
	int rc = check(fs, dir, retrier);

	return rc < 0 ? rc : way_check_above(fs, dir, retrier);
}
