/* SPDX-License-Identifier: BSD-3-Clause */
/* Handlers: names. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cleanup.h"
#include "draft.h"
#include "file.h"
#include "linux_calls.h"
#include "namespace.h"
#include "npyview.h"
#include "ops.h"
#include "store_at.h"
#include "way.h"

static struct fuse_entry_param entry_of(const struct inode *inode, const struct facts *facts,
					double entry_timeout, double attr_timeout)
{
	return (struct fuse_entry_param){
		.ino = inode_number(inode),
		.attr = facts->st,
		.attr_timeout = inode->view ? 0 : attr_timeout,
		.entry_timeout = inode->view ? 0 : entry_timeout,
	};
}

static struct fuse_entry_param entry_of_draft(const struct fs *fs, const struct inode *inode,
					      const struct facts *facts)
{
	return entry_of(inode, facts, 0, fs->timeouts.tick);
}

/*
 * The group in which the client looks is another one by now: it is to walk again. A second time
 * there was none for a moment, as when groups come and go.
 */
static int stale_group(struct fs *fs, struct inode *dir, pid_t client)
{
	return store_give_up(fs, dir, client) ? -ENOENT : store_expect(fs, dir, client);
}

/* Who changes a directory. */
struct actor {
	struct client client;
	const struct client *retrier; /* the client, if it was told ESTALE and tries again */
};

/* Let it change that directory, unless this is another by now. */
static int begin(fuse_req_t req, struct inode *dir, struct actor *ret_actor)
{
	struct client *client = &ret_actor->client;
	struct fs *fs = ops_fs(req);

	*client = ops_client(req);
	ret_actor->retrier = pins_end(&fs->pins, client->thread) ? client : NULL;
	return way_check(fs, dir, ret_actor->retrier);
}

/* What to tell an actor of `rc`: -ESTALE once only, as in stale_group(). */
static int told_of(struct fs *fs, const struct actor *actor, struct inode *dir, int rc)
{
	CLEANUP_FD int fd = -1;

	if (rc != -ESTALE)
		return rc;
	if (!actor->retrier)
		return store_expect(fs, dir, actor->client.thread);
	return store_open_dir(fs, dir, &fd) < 0 ? -ENOENT : rc;
}

/* A directory that is found is a step on the way to what the client wants of it. */
static int allowed_on_the_way(const struct client *client, const struct inode *inode,
			      const struct facts *facts)
{
	int allowed = client_surely_may(client, &facts->st);

	return inode->directory && allowed & X_OK ? allowed | R_OK | W_OK : allowed;
}

/*
 * May a client be told ESTALE of this name, which then asks for what was found now (pins.h)? If one
 * has been already, or if the kernel still knows what had the name before.
 */
static bool is_wanted(struct fs *fs, const struct inode *parent, const char *name, pid_t client)
{
	return inode_has_lost(&fs->inodes, parent, name) ||
	       pins_want(&fs->pins, client, parent, name);
}

void ops_hold(struct fs *fs, const struct inode *parent, int dirfd, const char *name)
{
	CLEANUP_FD int fd = -1;
	struct facts facts;

	if (!is_wanted(fs, parent, name, 0))
		return;
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && facts_of_fd(fd, &facts) == 0)
		pins_hold(&fs->pins, 0, parent, name, &facts, steal_fd(&fd));
}

static int look_up(fuse_req_t req, struct inode *parent, const char *name,
		   struct fuse_entry_param *ret_entry)
{
	const struct client client = ops_client(req);
	struct fs *fs = ops_fs(req);
	CLEANUP_FD int dirfd = -1;
	CLEANUP_FD int fd = -1;
	struct inode *inode;
	struct facts facts;
	int rc = store_open_dir(fs, parent, &dirfd);

	if (rc == -ESTALE)
		return stale_group(fs, parent, client.thread);
	if (rc == 0)
		rc = npyview_has(parent, name) ? npyview_look(fs, parent, dirfd, name, &fd, &facts)
					       : store_look_and_open(fs, dirfd, name, &fd, &facts);
	if (rc == 0)
		rc = inode_lookup(&fs->inodes, parent, name, &facts, &inode);
	if (rc == -ENOENT)
		pins_miss(&fs->pins, client.thread);
	if (rc < 0)
		return rc;
	pins_settle(&fs->pins, client.thread, allowed_on_the_way(&client, inode, &facts));
	if (is_wanted(fs, parent, name, client.thread))
		pins_hold(&fs->pins, client.thread, parent, name, &facts, steal_fd(&fd));
	*ret_entry = entry_of(inode, &facts, fs->timeouts.name,
			      inode->directory ? fs->timeouts.tick : fs->timeouts.attributes);
	return 0;
}

/* Drafts come last: they are their makers' alone. */
static int look_up_draft(fuse_req_t req, struct inode *parent, const char *name,
			 struct fuse_entry_param *ret_entry)
{
	const struct client client = ops_client(req);
	struct inode *inode;
	struct facts facts;
	int rc = draft_lookup(ops_fs(req), parent, name, &client, &inode, &facts);

	if (rc == 0)
		*ret_entry = entry_of_draft(ops_fs(req), inode, &facts);
	return rc;
}

static void reply_entry(fuse_req_t req, int rc, const struct fuse_entry_param *entry)
{
	struct fs *fs = ops_fs(req);

	if (rc < 0)
		ops_reply(req, rc);
	else if (fuse_reply_entry(req, entry) < 0) /* interrupted: there will be no forget */
		draft_forget(fs, inode_of(&fs->inodes, entry->ino), 1);
}

/* What is not there is not cached: it may come at any moment. */
void op_lookup(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
	struct inode *parent = ops_inode(req, parent_ino);
	struct fs *fs = ops_fs(req);
	bool drafted = draft_exists(fs, parent, name);
	struct fuse_entry_param entry;
	int rc = look_up(req, parent, name, &entry);

	if (rc == -ENOENT && drafted) {
		rc = look_up_draft(req, parent, name, &entry);
		if (rc == -ENOENT)
			rc = look_up(req, parent, name, &entry);
	}
	reply_entry(req, rc, &entry);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	draft_forget(ops_fs(req), ops_inode(req, ino), lookups);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		draft_forget(ops_fs(req), ops_inode(req, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static int reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
			struct fuse_file_info *fi, const struct file *file)
{
	if (ops_fs(req)->backing.active && !file->inode->view)
		return backing_reply_create(req, entry, fi, file->backing_id);
	fi->direct_io = file->inode->view || (fi->flags & O_ACCMODE) != O_RDONLY;
	return fuse_reply_create(req, entry, fi);
}

/* One that was just made, and that nobody was told of. */
static void drop(struct fs *fs, struct inode *inode, struct file *file)
{
	draft_drop(file);
	file_release(fs, file);
	inode_forget(&fs->inodes, inode, 1);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct actor actor;
	struct fs *fs = ops_fs(req);
	struct fuse_entry_param entry;
	struct inode *inode;
	struct facts facts;
	struct file *file;
	struct inode *dir = ops_inode(req, parent);
	int rc = begin(req, dir, &actor);

	if (rc == 0)
		rc = draft_create(fs, dir, name, mode, fi->flags & O_EXCL, &actor.client, &inode,
				  &file, &facts);
	if (rc < 0) {
		ops_reply(req, told_of(fs, &actor, dir, rc));
		return;
	}
	atomic_fetch_add_explicit(&fs->counters.opens, 1, memory_order_relaxed);
	entry = entry_of_draft(fs, inode, &facts);
	fi->fh = file_handle(file, true);
	draft_opened(file);
	if (reply_create(req, &entry, fi, file) < 0) /* interrupted: no release, no forget */
		drop(fs, inode, file);
}

/* How GNU tar begins a file that has extended attributes: sets them, and opens it then. */
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct actor actor;
	struct fs *fs = ops_fs(req);
	struct fuse_entry_param entry;
	struct inode *inode;
	struct facts facts;
	struct file *file;
	struct inode *dir = ops_inode(req, parent);
	int rc = begin(req, dir, &actor);

	if (!S_ISREG(mode))
		rc = -EPERM;
	if (rc == 0)
		rc = draft_create(fs, dir, name, mode, true, &actor.client, &inode, &file, &facts);
	if (rc < 0) {
		ops_reply(req, told_of(fs, &actor, dir, rc));
		return;
	}
	rc = draft_keep_unused(fs, file);
	if (rc < 0) {
		drop(fs, inode, file);
		ops_reply(req, rc);
		return;
	}
	entry = entry_of_draft(fs, inode, &facts);
	if (fuse_reply_entry(req, &entry) < 0)
		draft_forget(fs, inode, 1);
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
	struct fuse_entry_param entry;
	struct fs *fs = ops_fs(req);
	struct inode *inode;
	struct facts made;
	struct actor actor;
	struct inode *dir = ops_inode(req, parent);
	int rc = begin(req, dir, &actor);

	if (rc == 0)
		rc = namespace_mkdir(fs, dir, name, mode, &actor.client, &made);
	if (rc < 0) {
		ops_reply(req, told_of(fs, &actor, dir, rc));
		return;
	}
	if (look_up(req, dir, name, &entry) < 0) { /* somebody has removed it already */
		rc = inode_lookup(&fs->inodes, dir, name, &made, &inode);
		if (rc == 0)
			entry = entry_of(inode, &made, 0, 0);
	}
	reply_entry(req, rc, &entry);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct actor actor;
	struct inode *dir = ops_inode(req, parent);
	bool drafted = draft_exists(ops_fs(req), dir, name);
	int rc = begin(req, dir, &actor);

	if (rc == 0)
		rc = namespace_remove(ops_fs(req), dir, name, false, actor.client.uid);
	if (rc == -ENOENT && drafted) {
		rc = draft_unlink(ops_fs(req), dir, name, &actor.client);
		if (rc == -ENOENT)
			rc = namespace_remove(ops_fs(req), dir, name, false, actor.client.uid);
	}
	ops_reply(req, told_of(ops_fs(req), &actor, dir, rc));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct actor actor;
	struct inode *dir = ops_inode(req, parent);
	int rc = begin(req, dir, &actor);

	if (rc == 0)
		rc = namespace_remove(ops_fs(req), dir, name, true, actor.client.uid);
	ops_reply(req, told_of(ops_fs(req), &actor, dir, rc));
}

/* What is published, or the client's own draft; `replaced` is its draft of the new name, or NULL. */
static int rename_either(struct fs *fs, const struct client *client, struct inode *from,
			 const char *name, struct inode *to, const char *newname, unsigned flags,
			 struct inode *replaced)
{
	bool drafted = draft_exists(fs, from, name);
	int rc = replaced && flags & RENAME_NOREPLACE
			 ? -EEXIST
			 : namespace_rename(fs, from, name, to, newname, flags, client->uid);

	if (rc == -ENOENT && drafted) {
		rc = draft_rename(fs, from, name, to, newname, flags, client, replaced);
		if (rc == -ENOENT)
			rc = namespace_rename(fs, from, name, to, newname, flags, client->uid);
		else
			return rc;
	}
	if (rc == 0 && replaced && !(flags & RENAME_EXCHANGE))
		draft_discard(fs, replaced);
	return rc;
}

/* The kernel moves what it knows of a file to the new name. */
static void hold_renamed(struct fs *fs, struct inode *dir, const char *name)
{
	CLEANUP_FD int fd = -1;

	if (store_open_dir(fs, dir, &fd) == 0)
		ops_hold(fs, dir, fd, name);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	       const char *newname, unsigned flags)
{
	struct actor actor;
	struct fs *fs = ops_fs(req);
	struct inode *from = ops_inode(req, parent);
	struct inode *to = ops_inode(req, newparent);
	struct inode *replaced = NULL;
	int rc = begin(req, from, &actor);

	if (rc == 0)
		rc = way_check(fs, to, actor.retrier);
	if (rc == 0) {
		rc = draft_find_own(fs, to, newname, &actor.client, &replaced);
		if (rc == 0 || rc == -ENOENT)
			rc = rename_either(fs, &actor.client, from, name, to, newname, flags,
					   replaced);
	}
	if (replaced)
		draft_forget(fs, replaced, 1);
	if (rc == 0)
		hold_renamed(fs, to, newname);
	if (rc == 0 && flags & RENAME_EXCHANGE)
		hold_renamed(fs, from, name);
	ops_reply(req, told_of(fs, &actor, to, told_of(fs, &actor, from, rc)));
}
