/* SPDX-License-Identifier: BSD-3-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "draft.h"
#include "ephemeral.h"
#include "fs.h"
#include "npyview.h"
#include "store_at.h"
#include "way.h"

static void file_free(struct fs *fs, struct file *file)
{
	if (!file)
		return;
	if (file->backing_id)
		backing_close(&fs->backing, file->backing_id);
	if (file->map)
		munmap(file->map, file->nbytes);
	if (file->fd >= 0)
		close(file->fd);
	draft_free(file->draft);
	free(file->header);
	pthread_mutex_destroy(&file->map_lock);
	free(file);
}

static struct file *file_alloc(struct inode *inode, uint64_t nbytes)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	pthread_mutex_init(&file->map_lock, NULL);
	file->inode = inode;
	file->fd = -1;
	file->uses = 1;
	file->nbytes = nbytes;
	return file;
}

/*
 * The kernel opens the backing file anew for each client, with the client's mode, but it fails that
 * with EIO if the store forbids it: so what a client may do is tried here first, on one descriptor
 * that serves all.
 */
static int open_both_ways(struct fs *fs, int path_fd, struct file *file)
{
	int rc = store_reopen(fs, path_fd, O_RDWR, &file->fd);

	if (rc != -EACCES && rc != -EROFS && rc != -EPERM && rc != -ETXTBSY)
		return rc;
	file->write_error = rc;
	return store_reopen(fs, path_fd, O_RDONLY, &file->fd);
}

/*
 * For as long as a client has it open. One that nobody holds is what a dead process left, and no
 * array any more; one that has no name any more is looked up again.
 */
static int hold_ephemeral(int fd)
{
	struct stat st;
	int rc = ephemeral_is_held(fd) ? ephemeral_hold(fd) : -EAGAIN;

	if (rc < 0)
		return rc == -EAGAIN ? -ENOENT : rc;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink ? 0 : -ESTALE;
}

static int file_open(struct fs *fs, struct inode *inode, int path_fd, const struct facts *facts,
		     struct file **ret_file)
{
	struct file *file = file_alloc(inode, (uint64_t)facts->st.st_size);
	int rc;

	if (!file)
		return -ENOMEM;
	rc = inode->view ? npyview_open(fs, path_fd, file) : open_both_ways(fs, path_fd, file);
	/* The last descriptors are not to be kept: opening what is open already takes two for a
	 * moment. The kernel hands out the lowest one that is free. */
	if (rc == 0 && file->fd + 1 >= fs->descriptor_max)
		rc = -EMFILE;
	if (rc == 0 && facts->ephemeral && !inode->view)
		rc = hold_ephemeral(file->fd);
	if (rc == 0 && !inode->view)
		rc = backing_open(&fs->backing, file->fd, &file->backing_id);
	if (rc < 0) {
		file_free(fs, file);
		return rc;
	}
	*ret_file = file;
	return 0;
}

/*
 * Of two that open the same inode at once the first wins; the other's descriptor was never seen by
 * the kernel.
 */
static struct file *file_install(struct fs *fs, struct file *file)
{
	struct inode *inode = file->inode;
	struct file *winner;

	pthread_mutex_lock(&fs->inodes.lock);
	if (inode->file) {
		inode->file->uses++;
	} else {
		inode->file = file;
		inode->refs++;
	}
	winner = inode->file;
	pthread_mutex_unlock(&fs->inodes.lock);
	if (winner != file)
		file_free(fs, file);
	return winner;
}

struct file *file_newest(struct fs *fs, struct file *file)
{
	struct file *newest;

	pthread_mutex_lock(&fs->inodes.lock);
	newest = file->successor;
	if (newest)
		newest->uses++;
	pthread_mutex_unlock(&fs->inodes.lock);
	return newest ? newest : file;
}

/* Returns what it was before. */
static struct file *set_successor(struct fs *fs, struct file *first, struct file *file)
{
	struct file *before;

	pthread_mutex_lock(&fs->inodes.lock);
	before = first->successor;
	first->successor = file;
	if (file) {
		file->uses++;
		first->inode->refs++;
	}
	pthread_mutex_unlock(&fs->inodes.lock);
	return before;
}

int file_succeed(struct fs *fs, struct file *first, int fd, struct draft *draft,
		 struct file **ret_file)
{
	struct file *file = file_alloc(first->inode, 0);
	struct file *before;

	if (!file) {
		close(fd);
		draft_free(draft);
		return -ENOMEM;
	}
	file->fd = fd;
	file->draft = draft;
	before = set_successor(fs, first, file);
	if (before)
		file_release(fs, before);
	*ret_file = file;
	return 0;
}

void file_end_succession(struct fs *fs, struct file *file)
{
	struct file *successor = set_successor(fs, file, NULL);

	if (successor)
		file_release(fs, successor);
}

int file_adopt(struct fs *fs, struct inode *inode, int fd, struct draft *draft,
	       struct file **ret_file)
{
	struct file *file = file_alloc(inode, 0);
	int rc;

	if (!file) {
		close(fd);
		draft_free(draft);
		return -ENOMEM;
	}
	file->fd = fd;
	file->draft = draft;
	rc = inode->view ? 0 : backing_open(&fs->backing, fd, &file->backing_id);
	if (rc < 0) {
		file_free(fs, file);
		return rc;
	}
	*ret_file = file_install(fs, file);
	return 0;
}

/* A draft is in nobody's way, and not in the store: who finds it may have it. */
static struct file *acquire_draft(struct fs *fs, struct inode *inode)
{
	struct file *file = file_peek(fs, inode);

	if (!file || !draft_is_open(file)) {
		if (file)
			file_release(fs, file);
		return NULL;
	}
	if (draft_take_unused(fs, file))
		file_release(fs, file);
	return file;
}

int file_acquire(struct fs *fs, struct inode *inode, const struct client *client, int access,
		 struct file **ret_file)
{
	bool retries = pins_waits(&fs->pins, client->thread);
	CLEANUP_FD int path_fd = -1;
	struct file *file = acquire_draft(fs, inode);
	struct facts facts;
	int rc;

	if (file) {
		*ret_file = file;
		return 0;
	}
	rc = store_open(fs, inode, client->thread, &path_fd, &facts);
	if (rc < 0)
		return rc;
	if (!S_ISREG(facts.st.st_mode))
		return -EISDIR;
	if (!store_is_as_told(fs, inode, &facts, client, access, retries))
		return store_expect(fs, inode, client->thread);
	rc = way_check_above(fs, inode, retries ? client : NULL);
	if (rc < 0)
		return rc == -ESTALE ? store_expect(fs, inode, client->thread) : rc;
	file = file_peek(fs, inode);
	if (!file) {
		rc = file_open(fs, inode, path_fd, &facts, &file);
		if (rc < 0)
			return rc;
		file = file_install(fs, file);
	}
	/* From here on no listing has it kept for long, unless that comes at this very moment. */
	if (inode_unlist(&fs->inodes, inode) && !retries) {
		file_release(fs, file);
		return store_expect(fs, inode, client->thread);
	}
	*ret_file = file;
	return 0;
}

struct file *file_peek(struct fs *fs, struct inode *inode)
{
	struct file *file;

	pthread_mutex_lock(&fs->inodes.lock);
	file = inode->file;
	if (file)
		file->uses++;
	pthread_mutex_unlock(&fs->inodes.lock);
	return file;
}

bool file_is_open(struct fs *fs, const struct inode *inode)
{
	bool open;

	pthread_mutex_lock(&fs->inodes.lock);
	open = inode->file;
	pthread_mutex_unlock(&fs->inodes.lock);
	return open;
}

/*
 * The last use of a draft publishes it, once; it stays open meanwhile, so that it is found by its
 * name. Whether this is the last is decided under the lock that takes it back: else each of two could
 * take the other for it.
 */
void file_release(struct fs *fs, struct file *file)
{
	struct inode *inode = file->inode;
	bool last;

	pthread_mutex_lock(&fs->inodes.lock);
	if (file->draft && file->uses == 1 && !file->finished) {
		file->finished = true;
		pthread_mutex_unlock(&fs->inodes.lock);
		draft_release(fs, file);
		pthread_mutex_lock(&fs->inodes.lock);
	}
	last = --file->uses == 0;
	if (last && inode->file == file) {
		inode->file = NULL;
		inode->drafted = false;
	}
	pthread_mutex_unlock(&fs->inodes.lock);
	if (!last)
		return;
	file_end_succession(fs, file);
	file_free(fs, file);
	inode_unref(&fs->inodes, inode);
}

/* The daemon's exit would do it too, but not tell a forgotten descriptor from these. */
void file_close_all(struct fs *fs)
{
	struct inode *inode;

	while ((inode = inode_first_open(&fs->inodes))) {
		struct file *file = inode->file;

		if (file->draft)
			draft_drop(file);
		if (file->successor)
			draft_drop(file->successor);
		file->uses = 1;
		file_release(fs, file);
	}
}

const void *file_map(struct file *file)
{
	void *map;

	pthread_mutex_lock(&file->map_lock);
	if (!file->map && !file->map_failed && file->nbytes) {
		map = mmap(NULL, file->nbytes, PROT_READ, MAP_SHARED, file->fd, 0);
		file->map_failed = map == MAP_FAILED;
		file->map = file->map_failed ? NULL : map;
	}
	map = file->map;
	pthread_mutex_unlock(&file->map_lock);
	return map;
}
