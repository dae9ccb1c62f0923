/* SPDX-License-Identifier: BSD-3-Clause */
#include "dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "budget.h"
#include "cleanup.h"
#include "fs.h"
#include "hash.h"
#include "npyview.h"
#include "store_at.h"

static int open_living(struct fs *fs, struct inode *inode, pid_t client, int *ret_fd)
{
	CLEANUP_FD int fd = -1;
	struct facts facts;
	int rc = store_open(fs, npyview_store_dir(inode), client, &fd, &facts);

	if (rc < 0)
		return rc;
	if (!S_ISDIR(facts.st.st_mode))
		return -ENOTDIR;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Of one that is dead the kernel reads nothing. */
int dir_open(struct fs *fs, struct inode *inode, pid_t client, struct dir **ret_dir)
{
	CLEANUP_FD int fd = -1;
	struct facts facts;
	struct dir *dir;
	int rc = 0;

	if (!inode_is_dead(&fs->inodes, inode, &facts))
		rc = open_living(fs, inode, client, &fd);
	if (rc < 0)
		return rc;
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	pthread_mutex_init(&dir->lock, NULL);
	dir->all_bytes = &fs->dir_bytes;
	dir->seed = fs->inodes.seed;
	dir->fd = steal_fd(&fd);
	*ret_dir = dir;
	return 0;
}

static int grow(struct dir *dir, void *array_at, size_t *room, size_t wanted, size_t each_bytes)
{
	size_t more_bytes = (wanted - *room) * each_bytes;
	void **array = array_at;
	void *larger;

	if (!budget_take(dir->all_bytes, more_bytes, DIRS_BYTES_MAX))
		return -ENOMEM;
	larger = realloc(*array, wanted * each_bytes);
	if (!larger) {
		budget_give_back(dir->all_bytes, more_bytes);
		return -ENOMEM;
	}
	*array = larger;
	*room = wanted;
	return 0;
}

static void shrink(struct dir *dir, void *array_at, size_t *room, size_t wanted, size_t each_bytes)
{
	void **array = array_at;
	void *smaller = NULL;

	if (wanted)
		smaller = realloc(*array, wanted * each_bytes);
	else
		free(*array);
	if (wanted && !smaller)
		return;
	*array = smaller;
	budget_give_back(dir->all_bytes, (*room - wanted) * each_bytes);
	*room = wanted;
}

/* No more room than what is in it takes. */
static void fit(struct dir *dir)
{
	shrink(dir, &dir->names, &dir->names_room, dir->names_bytes, 1);
	shrink(dir, &dir->starts, &dir->starts_room, dir->count, sizeof(*dir->starts));
}

static void empty(struct dir *dir)
{
	dir->taken = false;
	dir->count = 0;
	dir->names_bytes = 0;
	fit(dir);
}

void dir_close(struct dir *dir)
{
	if (!dir)
		return;
	empty(dir);
	pthread_mutex_destroy(&dir->lock);
	if (dir->fd >= 0)
		close(dir->fd);
	free(dir);
}

/* Room for `more`, in an array that doubles. */
static int make_room(struct dir *dir, void *array_at, size_t *room, size_t used, size_t more,
		     size_t each_bytes)
{
	size_t wanted = *room ? *room : 256;

	while (wanted < used + more)
		wanted *= 2;
	return wanted == *room ? 0 : grow(dir, array_at, room, wanted, each_bytes);
}

static int add_name(struct dir *dir, const char *name)
{
	size_t bytes = strlen(name) + 1;
	int rc = make_room(dir, &dir->names, &dir->names_room, dir->names_bytes, bytes, 1);

	if (rc == 0)
		rc = make_room(dir, &dir->starts, &dir->starts_room, dir->count, 1,
			       sizeof(*dir->starts));
	if (rc < 0)
		return rc;
	memcpy(dir->names + dir->names_bytes, name, bytes);
	dir->starts[dir->count++] = dir->names_bytes;
	dir->names_bytes += bytes;
	return 0;
}

static bool may_show(const struct dirent *entry)
{
	if (entry->d_type != DT_REG && entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return false;
	return !store_hides(entry->d_name) && strcmp(entry->d_name, ".") &&
	       strcmp(entry->d_name, "..");
}

/*
 * A name that is replaced by rename while the store is being read moves to the directory's end
 * there, and is read twice: keep the first of each.
 */
static int drop_doubles(struct dir *dir)
{
	CLEANUP_FREE size_t *table = NULL; /* index + 1; 0: free */
	size_t room = 16;
	size_t kept = 0;
	size_t i;

	while (room < dir->count * 2)
		room *= 2;
	table = calloc(room, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (i = 0; i < dir->count; i++) {
		const char *name = dir->names + dir->starts[i];
		size_t slot = (size_t)hash_name(dir->seed, name) & (room - 1);

		while (table[slot] && strcmp(dir_name(dir, table[slot] - 1), name))
			slot = (slot + 1) & (room - 1);
		if (table[slot])
			continue;
		dir->starts[kept++] = dir->starts[i];
		table[slot] = kept;
	}
	dir->count = kept;
	return 0;
}

static DIR *open_stream(const struct dir *dir)
{
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream && fd >= 0)
		close(fd);
	return stream;
}

int dir_take(struct dir *dir)
{
	CLEANUP_DIR DIR *stream = open_stream(dir);
	const struct dirent *entry;
	int rc = 0;

	if (!stream)
		return -errno;
	empty(dir);
	while (rc == 0) {
		errno = 0;
		entry = readdir(stream);
		if (!entry)
			break;
		if (may_show(entry))
			rc = add_name(dir, entry->d_name);
	}
	if (rc == 0)
		rc = -errno;
	if (rc == 0)
		rc = drop_doubles(dir);
	if (rc < 0) {
		empty(dir);
		return rc;
	}
	fit(dir);
	dir->taken = true;
	return 0;
}

const char *dir_name(const struct dir *dir, size_t index)
{
	return index < dir->count ? dir->names + dir->starts[index] : NULL;
}
