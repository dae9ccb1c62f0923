/* SPDX-License-Identifier: BSD-3-Clause */
#include "draft.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "draft_attributes.h"
#include "draft_publish.h"
#include "file.h"
#include "fs.h"
#include "linux_calls.h"
#include "namespace.h"
#include "npyview.h"
#include "store_at.h"

void draft_free(struct draft *draft)
{
	if (!draft)
		return;
	draft_unstage(draft); /* it failed before there was a file */
	draft_attributes_clear(draft);
	if (draft->grown_from >= 0)
		close(draft->grown_from);
	pthread_mutex_destroy(&draft->lock);
	pthread_mutex_destroy(&draft->growing);
	free(draft);
}

int draft_new(struct fs *fs, const struct client *client, struct draft **ret_draft)
{
	struct draft *draft;
	pid_t process;
	int rc = client_process(client->thread, &process);

	if (rc < 0)
		return rc;
	draft = calloc(1, sizeof(*draft));
	if (!draft)
		return -ENOMEM;
	pthread_mutex_init(&draft->lock, NULL);
	pthread_mutex_init(&draft->growing, NULL);
	draft->staging.fd = draft->grown_from = -1;
	draft->attributes_of_all = &fs->draft_attributes_bytes;
	draft->process = process;
	draft->uid = client->uid;
	*ret_draft = draft;
	return 0;
}

/*
 * It belongs to the client; a setgid directory hands its group down. The mode comes last, as chown
 * may change it.
 */
static int hand_over(int dirfd, int fd, mode_t mode, const struct client *client)
{
	struct stat dir;

	if (fstat(dirfd, &dir) < 0)
		return -errno;
	if (fchown(fd, client->uid, dir.st_mode & S_ISGID ? (gid_t)-1 : client->gid) < 0 ||
	    fchmod(fd, mode & 0777) < 0)
		return -errno;
	return 0;
}

int draft_facts(const struct file *file, struct facts *ret_facts)
{
	int rc = facts_of_fd(file->fd, ret_facts);

	ret_facts->st.st_nlink = !file->draft->unlinked; /* as it will have */
	if (file->inode->view)
		npyview_show_draft(ret_facts);
	return rc;
}

/* The file in the store, and the descriptor of it. */
static int stage(int dirfd, mode_t mode, const struct client *client, struct draft *draft,
		 int *ret_fd)
{
	CLEANUP_FREE struct name *place = draft_place(dirfd, "");
	CLEANUP_FD int fd = -1;
	int rc = place ? staging_open(place, 0600, &draft->staging) : -ENOMEM;

	if (rc < 0)
		return rc;
	fd = draft->staging.fd;
	rc = hand_over(dirfd, fd, mode, client);
	if (rc < 0) {
		staging_close(&draft->staging);
		fd = -1;
		return rc;
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

bool draft_exists(struct fs *fs, struct inode *dir, const char *name)
{
	struct inode *inode;

	if (!inode_find_draft(&fs->inodes, dir, name, DRAFT_OF_ANYBODY, &inode))
		return false;
	draft_forget(fs, inode, 1);
	return true;
}

/* It was made by mknod, not opened, and its maker is gone: the kernel is about to forget it. */
static bool is_abandoned(struct fs *fs, struct file *file)
{
	pid_t process = file->draft->process;

	return process && kill(process, 0) < 0 && errno == ESRCH && draft_take_unused(fs, file);
}

static bool is_taken(struct fs *fs, struct inode *dir, const char *name)
{
	struct inode *inode;
	struct file *file;
	bool abandoned;

	if (!inode_find_draft(&fs->inodes, dir, name, DRAFT_OF_ANYBODY, &inode))
		return false;
	file = file_peek(fs, inode);
	abandoned = file && file->draft && is_abandoned(fs, file);
	if (abandoned) {
		draft_drop(file);
		inode_discard(&fs->inodes, inode);
		file_release(fs, file);
	}
	if (file)
		file_release(fs, file);
	draft_forget(fs, inode, 1);
	return !abandoned;
}

static int check_name(struct fs *fs, struct inode *dir, int dirfd, const char *name, bool exclusive)
{
	char in_store[NAME_MAX + 1];
	struct facts facts;
	int rc = npyview_store_name(dir, name, in_store);

	if (rc < 0)
		return rc;
	if (store_hides(in_store) && !staging_is_hidden(in_store))
		return -EPERM;
	rc = store_look_taken(fs, dirfd, in_store, &facts);
	/* It came after the kernel looked: without O_EXCL the kernel is to look again, and open it.
	 */
	if (rc == 0)
		return exclusive ? -EEXIST : -ESTALE;
	if (rc != -ENOENT)
		return rc;
	return exclusive && is_taken(fs, dir, name) ? -EEXIST : 0;
}

int draft_create(struct fs *fs, struct inode *dir, const char *name, mode_t mode, bool exclusive,
		 const struct client *client, struct inode **ret_inode, struct file **ret_file,
		 struct facts *ret_facts)
{
	CLEANUP_FD int dirfd = -1;
	struct draft *draft;
	int fd = -1;
	int rc = store_open_dir(fs, dir, &dirfd);

	if (rc == 0)
		rc = check_name(fs, dir, dirfd, name, exclusive);
	if (rc < 0)
		return rc;
	rc = draft_new(fs, client, &draft);
	if (rc < 0)
		return rc;
	rc = stage(dirfd, mode, client, draft, &fd);
	if (rc == 0)
		rc = facts_of_fd(fd, ret_facts);
	ret_facts->st.st_nlink = 1;
	if (dir->view)
		npyview_show_draft(ret_facts);
	if (rc == 0)
		rc = inode_make_draft(&fs->inodes, dir, name, ret_facts, ret_inode);
	if (rc == 0) {
		rc = file_adopt(fs, *ret_inode, fd, draft, ret_file);
		if (rc < 0)
			inode_forget(&fs->inodes, *ret_inode, 1);
		return rc; /* descriptor and draft are the file's, or gone */
	}
	if (fd >= 0)
		close(fd);
	draft_free(draft);
	return rc;
}

static int find_own(struct fs *fs, struct inode *dir, const char *name, const struct client *client,
		    struct inode **ret_inode)
{
	pid_t process;
	int rc = client_process(client->thread, &process);

	if (rc < 0)
		return rc;
	return inode_find_draft(&fs->inodes, dir, name, process, ret_inode) ? 0 : -ENOENT;
}

/* Only the process that made it sees a draft; others learn of it by EEXIST, as is_taken() has it. */
int draft_lookup(struct fs *fs, struct inode *dir, const char *name, const struct client *client,
		 struct inode **ret_inode, struct facts *ret_facts)
{
	struct inode *inode;
	struct file *file;
	int rc = find_own(fs, dir, name, client, &inode);

	if (rc < 0)
		return rc;
	file = file_peek(fs, inode);
	rc = -ENOENT;
	if (file) {
		rc = draft_is_open(file) ? draft_facts(file, ret_facts) : -ENOENT;
		file_release(fs, file);
	}
	if (rc < 0) {
		draft_forget(fs, inode, 1);
		return rc;
	}
	inode_report(&fs->inodes, inode, ret_facts);
	*ret_inode = inode;
	return 0;
}

bool draft_is_open(struct file *file)
{
	bool open;

	if (!file->draft)
		return false;
	pthread_mutex_lock(&file->draft->lock);
	open = file->draft->state != DRAFT_PUBLISHED;
	pthread_mutex_unlock(&file->draft->lock);
	return open;
}

bool draft_is_successor(const struct file *file)
{
	return file->draft && file->draft->grown_from >= 0;
}

void draft_opened(struct file *file)
{
	pthread_mutex_lock(&file->draft->lock);
	file->draft->handles++;
	pthread_mutex_unlock(&file->draft->lock);
}

void draft_closed(struct fs *fs, struct file *file)
{
	bool last;

	pthread_mutex_lock(&file->draft->lock);
	last = --file->draft->handles == 0;
	pthread_mutex_unlock(&file->draft->lock);
	if (last)
		file_end_succession(fs, file);
}

/* Under the lock of the draft, so that nothing is written behind a tail that has just been. */
static bool begin_change(struct draft *draft)
{
	pthread_mutex_lock(&draft->lock);
	if (draft->state != DRAFT_PUBLISHED) {
		draft->written = true;
		return true;
	}
	pthread_mutex_unlock(&draft->lock);
	return false;
}

ssize_t draft_write(struct file *file, const char *data, size_t bytes, off_t offset)
{
	ssize_t count;

	if (!begin_change(file->draft))
		return -EAGAIN;
	if (offset < 0)
		offset = lseek(file->fd, 0, SEEK_END);
	count = pwrite(file->fd, data, bytes, offset);
	if (count < 0)
		count = file->draft->error = -errno;
	pthread_mutex_unlock(&file->draft->lock);
	return count;
}

int draft_resize(struct file *file, off_t bytes)
{
	int rc;

	if (!begin_change(file->draft))
		return -EPERM;
	rc = ftruncate(file->fd, bytes) < 0 ? -errno : 0;
	pthread_mutex_unlock(&file->draft->lock);
	return rc;
}

int draft_empty(struct file *file)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	return st.st_size ? draft_resize(file, 0) : 0;
}

int draft_allocate(struct file *file, int mode, off_t offset, off_t bytes)
{
	int rc;

	if (!begin_change(file->draft))
		return -EAGAIN;
	rc = fallocate(file->fd, mode, offset, bytes) < 0 ? -errno : 0;
	pthread_mutex_unlock(&file->draft->lock);
	return rc;
}

int draft_keep_unused(struct fs *fs, struct file *file)
{
	int slot;
	int rc = unused_take(&fs->unused, file->draft->uid, &slot);

	if (rc < 0)
		return rc;
	file->draft->unused_slot = slot;
	file->draft->unused = true;
	return 0;
}

bool draft_take_unused(struct fs *fs, struct file *file)
{
	bool unused = atomic_exchange(&file->draft->unused, false);

	if (unused)
		unused_give_back(&fs->unused, file->draft->unused_slot);
	return unused;
}

void draft_forget(struct fs *fs, struct inode *inode, uint64_t lookups)
{
	struct file *file = file_peek(fs, inode);
	bool unknown = inode_forget(&fs->inodes, inode, lookups);

	if (!file)
		return;
	if (unknown && file->draft && draft_take_unused(fs, file)) {
		draft_drop(file);
		file_release(fs, file);
	}
	file_release(fs, file);
}

void draft_drop(struct file *file)
{
	pthread_mutex_lock(&file->draft->lock);
	if (file->draft->state == DRAFT_OPEN)
		file->draft->state = DRAFT_DROPPED;
	pthread_mutex_unlock(&file->draft->lock);
}

static int fail(struct draft *draft, int error)
{
	pthread_mutex_lock(&draft->lock);
	if (draft->state == DRAFT_OPEN)
		draft->error = error;
	else
		error = 0;
	pthread_mutex_unlock(&draft->lock);
	return error;
}

int draft_flush(struct fs *fs, struct file *file, pid_t thread)
{
	struct draft *draft = file->draft;
	pid_t process;
	int rc = client_process(thread, &process);

	if (rc == 0 && (!process || process != draft->process))
		return 0;
	if (rc == 0)
		rc = client_is_killed(thread);
	if (rc > 0) {
		draft_drop(file);
		return 0;
	}
	/* It is not known whether this is a part: each close() from now on is told. */
	if (rc < 0)
		return fail(draft, rc);
	if (client_has_open(process, fs->mount_device, file->inode->id.ino))
		return 0;
	pthread_mutex_lock(&draft->lock);
	if (draft->state == DRAFT_OPEN && draft->error) {
		draft->state = DRAFT_DROPPED;
		rc = draft->error;
	} else if (draft->state == DRAFT_OPEN && draft->written) {
		rc = draft_publish(fs, file);
	}
	pthread_mutex_unlock(&draft->lock);
	return rc;
}

void draft_release(struct fs *fs, struct file *file)
{
	struct draft *draft = file->draft;

	pthread_mutex_lock(&draft->lock);
	if (draft->state == DRAFT_OPEN && !draft->unused && !draft->error)
		draft_publish(fs, file); /* whom could an error be told? */
	if (draft->state != DRAFT_PUBLISHED)
		draft_unstage(draft);
	pthread_mutex_unlock(&draft->lock);
}

int draft_find_own(struct fs *fs, struct inode *dir, const char *name, const struct client *client,
		   struct inode **ret_inode)
{
	return draft_exists(fs, dir, name) ? find_own(fs, dir, name, client, ret_inode) : -ENOENT;
}

bool draft_discard(struct fs *fs, struct inode *inode)
{
	struct file *file = file_peek(fs, inode);
	bool discarded = false;

	if (!file)
		return false;
	if (file->draft) {
		pthread_mutex_lock(&file->draft->lock);
		discarded = file->draft->state != DRAFT_PUBLISHED;
		if (discarded) {
			file->draft->state = DRAFT_DROPPED;
			file->draft->unlinked = true;
			inode_discard(&fs->inodes, inode);
		}
		pthread_mutex_unlock(&file->draft->lock);
	}
	file_release(fs, file);
	return discarded;
}

int draft_unlink(struct fs *fs, struct inode *dir, const char *name, const struct client *client)
{
	struct facts facts;
	struct inode *inode;
	int rc = draft_lookup(fs, dir, name, client, &inode, &facts);

	if (rc < 0)
		return rc;
	rc = draft_discard(fs, inode) ? 0 : -ENOENT;
	draft_forget(fs, inode, 1);
	return rc;
}

/* What the new name means: it is only taken when the draft is published. */
static int check_target(struct fs *fs, struct inode *to, const char *to_name, unsigned flags,
			uid_t uid)
{
	CLEANUP_FD int dirfd = -1;
	struct facts target;
	int rc = store_open_dir(fs, to, &dirfd);

	if (rc < 0)
		return rc;
	if (store_hides(to_name) || flags & RENAME_EXCHANGE)
		return -EPERM;
	rc = store_look_taken(fs, dirfd, to_name, &target);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (rc == 0)
		rc = namespace_may_remove(dirfd, &target, uid);
	return rc < 0 ? rc : 1;
}

/* -ENOENT: it has been published since. */
static int rename_open(struct fs *fs, struct inode *inode, struct inode *to, const char *to_name,
		       bool replace, uid_t uid)
{
	struct file *file = file_peek(fs, inode);
	int rc = -ENOENT;

	if (!file)
		return rc;
	if (file->draft) {
		pthread_mutex_lock(&file->draft->lock);
		if (file->draft->state != DRAFT_PUBLISHED)
			rc = inode_rename_draft(&fs->inodes, inode, to, to_name);
		if (rc == 0) {
			file->draft->replace = replace;
			file->draft->replacer = uid;
		}
		pthread_mutex_unlock(&file->draft->lock);
	}
	file_release(fs, file);
	return rc;
}

int draft_rename(struct fs *fs, struct inode *from, const char *from_name, struct inode *to,
		 const char *to_name, unsigned flags, const struct client *client,
		 struct inode *replaced)
{
	struct facts facts;
	struct inode *inode;
	int rc = draft_lookup(fs, from, from_name, client, &inode, &facts);

	if (rc < 0)
		return rc;
	rc = check_target(fs, to, to_name, flags, client->uid);
	if (rc == 0 && replaced && replaced != inode)
		rc = !draft_discard(fs, replaced); /* it has been published since */
	if (rc >= 0)
		rc = rename_open(fs, inode, to, to_name, rc > 0, client->uid);
	draft_forget(fs, inode, 1);
	return rc;
}
