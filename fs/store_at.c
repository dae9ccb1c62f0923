/* SPDX-License-Identifier: BSD-3-Clause */
#include "store_at.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "acl.h"
#include "cleanup.h"
#include "client.h"
#include "draft.h"
#include "file.h"
#include "fs.h"
#include "npyview.h"
#include "staging.h"

enum { LOOK_TRIES = 10 };

bool store_hides(const char *name)
{
	return name[0] == '#' || staging_is_hidden(name) || !strcmp(name, NPYVIEW_NAME);
}

/* ENOTDIR and ELOOP say that what was a directory is none any more. */
static int walk_error(int error)
{
	return error == ENOTDIR || error == ELOOP ? -ESTALE : -error;
}

static int open_step(int dirfd, const char *name, int *ret_fd)
{
	int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return walk_error(errno);
	*ret_fd = fd;
	return 0;
}

/* `path` is taken apart in place; "" and NULL are the root. */
static int walk(struct fs *fs, char *path, int *ret_fd)
{
	CLEANUP_FD int fd = -1;
	char *rest = path;
	int rc = 0;

	fd = fcntl(fs->root_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (rc == 0 && rest && *rest) {
		char *name = strsep(&rest, "/");
		int next = -1;

		rc = open_step(fd, name, &next);
		close(fd);
		fd = next;
	}
	if (rc < 0)
		return rc;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int store_walk(struct fs *fs, const char *path, int *ret_fd)
{
	CLEANUP_FREE char *copy = strdup(path);

	return copy ? walk(fs, copy, ret_fd) : -ENOMEM;
}

static int walk_and_check(struct fs *fs, char *path, const struct identity *id, int *ret_fd)
{
	CLEANUP_FD int fd = -1;
	struct facts facts;
	int rc = walk(fs, path, &fd);

	if (rc == 0)
		rc = facts_of_fd(fd, &facts);
	if (rc < 0)
		return rc;
	if (!identity_equal(&facts.id, id))
		return -ESTALE;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int store_open_dir(struct fs *fs, struct inode *dir, int *ret_fd)
{
	CLEANUP_FREE char *path = NULL;
	int rc;

	dir = npyview_store_dir(dir);
	rc = inode_path(&fs->inodes, dir, &path);

	if (rc < 0)
		return rc;
	if (!*path)
		return walk(fs, path, ret_fd);
	return walk_and_check(fs, path, &dir->id, ret_fd);
}

/* Who asks whether an array is in use has a lease on it for a moment (reap.c of libsharr). */
static int open_now(int dirfd, const char *name, int flags)
{
	const struct timespec pause = {.tv_nsec = 100 * 1000};
	int tries;

	for (tries = 0; tries < LOOK_TRIES; tries++) {
		int fd = openat(dirfd, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0 || errno != EWOULDBLOCK)
			return fd;
		nanosleep(&pause, NULL);
	}
	errno = EWOULDBLOCK;
	return -1;
}

int store_reopen(struct fs *fs, int path_fd, int flags, int *ret_fd)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%d", path_fd);
	fd = open_now(fs->proc_fd, name, flags);
	if (fd < 0 && errno == EPERM &&
	    flags & O_NOATIME) /* somebody else's file, and no CAP_FOWNER */
		fd = open_now(fs->proc_fd, name, flags & ~O_NOATIME);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/*
 * A verdict of what the O_PATH descriptor is of, by reading it if need be. Directories have one
 * too, for their ACLs.
 */
static int judge(struct fs *fs, int path_fd, struct facts *facts, struct verdict *ret_verdict)
{
	CLEANUP_FD int fd = -1;
	int rc;

	if (verdict_find(&fs->verdicts, facts, ret_verdict))
		return 0;
	if (S_ISREG(facts->st.st_mode)) {
		rc = store_reopen(fs, path_fd, O_RDONLY | O_NOATIME, &fd);
		if (rc < 0)
			return rc == -EACCES || rc == -EPERM ? -ENOENT : rc;
	}
	rc = verdict_read(S_ISREG(facts->st.st_mode) ? fd : path_fd, facts, ret_verdict);
	if (rc == 0)
		verdict_keep(&fs->verdicts, facts, ret_verdict);
	return rc;
}

/* From a file's own facts to those that the mount shows. */
static int show(const struct verdict *verdict, struct facts *facts)
{
	if (S_ISREG(facts->st.st_mode)) {
		if (!verdict->array)
			return -ENOENT;
		facts->ephemeral = verdict->ephemeral;
		facts->st.st_size = (off_t)verdict->nbytes;
	}
	facts->st.st_mode &= ~077u | verdict->mode_mask;
	return 0;
}

/*
 * The short way to a file that was a regular one a moment ago, for listings of many. It opens
 * whatever has taken its place since, and is for stores where that can't be a device. A fifo opened
 * so lets its writer go on, at most. Whatever is odd is left to the long way.
 */
static bool look_straight(struct fs *fs, int dirfd, const char *name, struct facts *facts,
			  struct verdict *ret_verdict)
{
	CLEANUP_FD int fd = -1;

	if (!fs->no_devices || !S_ISREG(facts->st.st_mode) ||
	    facts->id.dev != fs->inodes.root.id.dev)
		return false;
	fd = openat(dirfd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);
	if (fd < 0 || facts_of_fd(fd, facts) < 0 || !S_ISREG(facts->st.st_mode))
		return false;
	if (verdict_read(fd, facts, ret_verdict) < 0)
		return false;
	verdict_keep(&fs->verdicts, facts, ret_verdict);
	return true;
}

static int look_closer(struct fs *fs, int dirfd, const char *name, int *ret_fd,
		       struct facts *ret_facts)
{
	CLEANUP_FD int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct verdict verdict;
	struct facts facts;
	int rc;

	if (fd < 0)
		return errno == ELOOP ? -ENOENT : -errno;
	rc = facts_of_fd(fd, &facts);
	if (rc < 0)
		return rc;
	if (!S_ISREG(facts.st.st_mode) && !S_ISDIR(facts.st.st_mode))
		return -ENOENT;
	rc = judge(fs, fd, &facts, &verdict);
	if (rc == 0)
		rc = show(&verdict, &facts);
	if (rc < 0)
		return rc;
	*ret_facts = facts;
	if (ret_fd)
		*ret_fd = steal_fd(&fd);
	return 0;
}

int store_look_and_open(struct fs *fs, int dirfd, const char *name, int *ret_fd,
			struct facts *ret_facts)
{
	return store_hides(name) ? -ENOENT : look_closer(fs, dirfd, name, ret_fd, ret_facts);
}

int store_look(struct fs *fs, int dirfd, const char *name, struct facts *ret_facts)
{
	struct verdict verdict;
	struct facts facts;
	int rc;

	if (store_hides(name))
		return -ENOENT;
	rc = facts_of_name(dirfd, name, &facts);
	if (rc < 0)
		return rc;
	if (!S_ISREG(facts.st.st_mode) && !S_ISDIR(facts.st.st_mode))
		return -ENOENT;
	if (!verdict_find(&fs->verdicts, &facts, &verdict) &&
	    !look_straight(fs, dirfd, name, &facts, &verdict))
		return look_closer(fs, dirfd, name, NULL, ret_facts);
	rc = show(&verdict, &facts);
	if (rc == 0)
		*ret_facts = facts;
	return rc;
}

int store_look_taken(struct fs *fs, int dirfd, const char *name, struct facts *ret_facts)
{
	struct facts before;
	struct facts after;
	int rc = facts_of_name(dirfd, name, &before);
	int tries;

	for (tries = 0; rc == 0 && tries < LOOK_TRIES; tries++) {
		rc = store_look(fs, dirfd, name, ret_facts);
		if (rc != -ENOENT)
			return rc;
		rc = facts_of_name(dirfd, name, &after);
		if (rc == 0 && identity_equal(&before.id, &after.id))
			return -EEXIST;
		before = after; /* another came: it may be an array */
	}
	return rc < 0 ? rc : -EEXIST;
}

/* The inode's own file, not yet compared with it. */
static int open_place(struct fs *fs, struct inode *inode, int *ret_fd)
{
	CLEANUP_FREE char *parent = NULL;
	CLEANUP_FREE char *name = NULL;
	CLEANUP_FD int dirfd = -1;
	int rc;
	int fd;

	if (inode->root)
		return walk(fs, NULL, ret_fd);
	if (inode->view)
		return npyview_open_place(fs, inode, ret_fd);
	rc = inode_place(&fs->inodes, inode, &parent, &name);
	if (rc == -ENOENT)
		return -ESTALE; /* perhaps it was replaced, and not deleted */
	if (rc == 0 && *parent)
		rc = walk(fs, parent, &dirfd);
	if (rc < 0)
		return rc;
	fd = openat(*parent ? dirfd : fs->root_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESTALE : walk_error(errno);
	*ret_fd = fd;
	return 0;
}

/*
 * What is held for a client that looks again is not there any more, but there is something: else it
 * would find what was deleted long before.
 */
static int check_pinned(struct fs *fs, struct inode *inode, const struct facts *facts)
{
	CLEANUP_PLACE struct inode_place place = {0};
	CLEANUP_FD int dirfd = -1;
	struct facts there;
	int rc;

	if (facts->st.st_nlink || inode->view)
		return 0;
	rc = inode_last_place(&fs->inodes, inode, &place);
	if (rc == 0)
		rc = store_open_dir(fs, place.dir, &dirfd);
	if (rc == 0)
		rc = facts_of_name(dirfd, place.name, &there);
	return rc == -ESTALE ? -ENOENT : rc; /* its group is gone, too */
}

/* From the facts of `fd`, of which the inode is, to those that the mount shows. */
static int show_inode(struct fs *fs, struct inode *inode, int fd, struct facts *facts)
{
	struct verdict verdict;
	int rc = judge(fs, fd, facts, &verdict);

	if (rc == 0)
		rc = show(&verdict, facts);
	if (rc == 0 && inode->view)
		rc = npyview_show(fs, fd, &inode->id, facts);
	return rc;
}

static int open_checked(struct fs *fs, struct inode *inode, int pinned_fd, int *ret_fd,
			struct facts *ret_facts)
{
	CLEANUP_FD int fd = pinned_fd;
	struct facts facts;
	int rc = fd < 0 ? open_place(fs, inode, &fd) : 0;

	if (rc == 0)
		rc = facts_of_fd(fd, &facts);
	if (rc == 0 && pinned_fd >= 0)
		rc = check_pinned(fs, inode, &facts);
	if (rc < 0)
		return rc;
	if (!inode->view && !identity_equal(&facts.id, &inode->id))
		return -ESTALE;
	rc = show_inode(fs, inode, fd, &facts);
	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : rc;
	if (!identity_equal(&facts.id, &inode->id))
		return -ESTALE;
	*ret_facts = facts;
	*ret_fd = steal_fd(&fd);
	return 0;
}

bool store_give_up(struct fs *fs, struct inode *dir, pid_t client)
{
	CLEANUP_PLACE struct inode_place place = {0};

	return inode_last_place(&fs->inodes, dir, &place) == 0 &&
	       pins_give_up(&fs->pins, client, place.dir, place.name);
}

static int expect(struct fs *fs, struct inode *inode, pid_t client, bool acts)
{
	CLEANUP_PLACE struct inode_place place = {0};

	if (inode->root) /* whatever the client looks up on its way is held for it */
		pins_expect(&fs->pins, client, inode, inode, "", acts);
	else if (inode_last_place(&fs->inodes, inode, &place) == 0)
		pins_expect(&fs->pins, client, inode, place.dir, place.name, acts);
	return -ESTALE;
}

int store_expect(struct fs *fs, struct inode *inode, pid_t client)
{
	return expect(fs, inode, client, true);
}

int store_open(struct fs *fs, struct inode *inode, pid_t client, int *ret_fd,
	       struct facts *ret_facts)
{
	int pinned_fd = pins_take(&fs->pins, client, &inode->id, PINS_ACT);
	int rc = open_checked(fs, inode, pinned_fd, ret_fd, ret_facts);

	return rc == -ESTALE ? store_expect(fs, inode, client) : rc;
}

bool store_is_as_told(struct fs *fs, struct inode *inode, const struct facts *facts,
		      const struct client *client, int access, bool retries)
{
	if (inode_is_as_reported(&fs->inodes, inode, facts))
		return true;
	if (!retries || access & ~client_surely_may(client, &facts->st))
		return false;
	inode_report(&fs->inodes, inode, facts);
	return true;
}

static int facts_of_file(struct fs *fs, struct file *file, struct facts *ret_facts)
{
	struct verdict verdict = {.ephemeral = false}; /* only its opening asks for that */
	struct facts facts;
	int rc = facts_of_fd(file->fd, &facts);

	if (rc < 0)
		return rc;
	if (draft_is_open(file))
		return draft_facts(file, ret_facts);
	if (!verdict_find(&fs->verdicts, &facts, &verdict)) {
		verdict.ephemeral = false; /* of no meaning here: who has it open holds it */
		rc = acl_mode_mask(file->fd, &verdict.mode_mask);
		if (rc < 0)
			return rc;
	}
	/* An open array stays what it was at open, whatever its owner does to the file directly. */
	verdict.array = true;
	verdict.nbytes = file->nbytes;
	show(&verdict, &facts);
	if (file->inode->view)
		npyview_show_open(file, &facts);
	*ret_facts = facts;
	return 0;
}

static int facts_of_place(struct fs *fs, struct inode *inode, pid_t client, struct facts *ret_facts)
{
	bool told = inode->directory && pins_told(&fs->pins, client, inode);
	int pinned_fd = told ? -1 : pins_take(&fs->pins, client, &inode->id, PINS_ATTRIBUTES);
	CLEANUP_FD int fd = -1;
	int rc = open_checked(fs, inode, pinned_fd, &fd, ret_facts);

	if (rc != -ESTALE)
		return rc;
	if (told && store_give_up(fs, inode, client))
		return -ENOENT;
	return expect(fs, inode, client, client_will_act(client));
}

int store_facts(struct fs *fs, struct inode *inode, pid_t client, struct facts *ret_facts)
{
	struct file *file = file_peek(fs, inode);
	int rc;

	if (!file)
		return facts_of_place(fs, inode, client, ret_facts);
	rc = facts_of_file(fs, file, ret_facts);
	file_release(fs, file);
	return rc;
}

int store_facts_of(struct fs *fs, struct inode *inode, int fd, struct facts *ret_facts)
{
	struct file *file = file_peek(fs, inode);
	int rc;

	if (file) {
		rc = facts_of_file(fs, file, ret_facts);
		file_release(fs, file);
		return rc;
	}
	rc = facts_of_fd(fd, ret_facts);
	return rc < 0 ? rc : show_inode(fs, inode, fd, ret_facts);
}

int store_open_shown(struct fs *fs, struct inode *inode, pid_t client, int *ret_fd,
		     struct facts *ret_facts)
{
	struct file *file = file_peek(fs, inode);
	CLEANUP_FD int fd = -1;
	int rc;

	if (!file)
		return store_open(fs, inode, client, ret_fd, ret_facts);
	fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	rc = fd < 0 ? -errno : facts_of_file(fs, file, ret_facts);
	file_release(fs, file);
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

int store_open_tail(struct fs *fs, struct inode *inode, pid_t client, int *ret_fd,
		    struct facts *ret_facts)
{
	struct file *file = file_peek(fs, inode);
	CLEANUP_FD int path_fd = -1;
	CLEANUP_FD int fd = -1;
	int rc;

	if (file) {
		rc = store_reopen(fs, file->fd, O_RDONLY | O_NOATIME, &fd);
		file_release(fs, file);
	} else {
		rc = store_open(fs, inode, client, &path_fd, ret_facts);
		if (rc == 0)
			rc = store_reopen(fs, path_fd, O_RDONLY | O_NOATIME, &fd);
	}
	if (rc == 0)
		rc = facts_of_fd(fd, ret_facts);
	if (rc < 0)
		return rc;
	*ret_fd = steal_fd(&fd);
	return 0;
}
