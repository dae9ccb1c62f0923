/* SPDX-License-Identifier: BSD-3-Clause */
#include "npyview.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "file.h"
#include "format.h"
#include "fs.h"
#include "hash.h"
#include "store_at.h"

enum { SUFFIX_BYTES = sizeof(NPYVIEW_NAME) - 1 };

/*
 * No file system counts so far. What is behind the view keeps its own inode number, which tools
 * compare to find hard links.
 */
static const uint64_t view_bit = 1ull << 62;

bool npyview_has(const struct inode *dir, const char *name)
{
	return dir->view || !strcmp(name, NPYVIEW_NAME);
}

/* Views are never renamed, so that their parents stay. */
struct inode *npyview_store_dir(struct inode *dir)
{
	return dir->view ? dir->parent : dir;
}

int npyview_store_name(const struct inode *dir, const char *name, char ret_name[NAME_MAX + 1])
{
	size_t bytes = strlen(name);

	if (bytes > NAME_MAX)
		return -ENAMETOOLONG;
	if (dir->view) {
		if (bytes <= SUFFIX_BYTES || strcmp(name + bytes - SUFFIX_BYTES, NPYVIEW_NAME))
			return -EINVAL;
		bytes -= SUFFIX_BYTES;
	}
	memcpy(ret_name, name, bytes);
	ret_name[bytes] = '\0';
	return 0;
}

/* Of the file `fd`, which is open for reading. */
static int read_npy(int fd, struct npy *ret_npy)
{
	struct format_meta meta;
	struct facts facts;
	int rc = facts_of_fd(fd, &facts);

	if (rc == 0)
		rc = format_read_again(fd, &facts.st, &meta);
	if (rc < 0)
		return rc == -EBADMSG ? -ENOENT : rc;
	rc = format_npy_header(&meta, &ret_npy->header, &ret_npy->header_bytes);
	ret_npy->nbytes = meta.nbytes;
	format_meta_release(&meta);
	return rc == -E2BIG ? -ENOENT : rc;
}

static void change_numbers(struct facts *facts)
{
	facts->st.st_ino ^= view_bit;
	facts->id.ino ^= view_bit;
}

/* Never 0: a draft's identity is not that of the npy file which it becomes. */
static int64_t hash_of(const struct npy *npy)
{
	return (int64_t)(hash_bytes(0, npy->header, npy->header_bytes) | 1);
}

/* The header is part of the identity. */
static void show_npy(const struct npy *npy, struct facts *facts)
{
	change_numbers(facts);
	facts->id.born_ns ^= hash_of(npy);
	facts->st.st_size = (off_t)(npy->header_bytes + npy->nbytes);
	facts->st.st_mode &= ~0222u;
}

/* Does this header make of the array with these facts the npy file `id`? */
static bool makes(const struct npy *npy, struct facts facts, const struct identity *id)
{
	show_npy(npy, &facts);
	return identity_equal(&facts.id, id);
}

/*
 * Of the file `fd` with these facts, as it was when `id` was looked up, if that is not too long
 * ago; else as it is.
 */
static int read_npy_as(struct fs *fs, int fd, const struct facts *facts, const struct identity *id,
		       struct npy *ret_npy)
{
	struct npy before;
	int rc = read_npy(fd, ret_npy);

	if (rc < 0 || makes(ret_npy, *facts, id) || !npy_recent_find(&fs->npy_recent, id, &before))
		return rc;
	if (before.nbytes == ret_npy->nbytes && makes(&before, *facts, id)) {
		free(ret_npy->header);
		*ret_npy = before;
	} else {
		free(before.header);
	}
	return 0;
}

int npyview_show(struct fs *fs, int path_fd, const struct identity *id, struct facts *facts)
{
	CLEANUP_FD int fd = -1;
	struct npy npy = {0};
	int rc;

	if (S_ISDIR(facts->st.st_mode)) {
		change_numbers(facts);
		facts->st.st_nlink = 2;
		return 0;
	}
	rc = store_reopen(fs, path_fd, O_RDONLY | O_NOATIME, &fd);
	if (rc == 0)
		rc = id ? read_npy_as(fs, fd, facts, id, &npy) : read_npy(fd, &npy);
	if (rc < 0)
		return rc == -EACCES || rc == -EPERM ? -ENOENT : rc;
	show_npy(&npy, facts);
	if (!id)
		npy_recent_keep(&fs->npy_recent, &facts->id, &npy);
	free(npy.header);
	return 0;
}

void npyview_show_open(const struct file *file, struct facts *facts)
{
	change_numbers(facts);
	facts->st.st_size = (off_t)(file->header_bytes + file->nbytes);
	facts->st.st_mode &= ~0222u;
}

void npyview_show_draft(struct facts *facts)
{
	change_numbers(facts);
}

/* Of the directory that the view is of. */
static int look_at_view(struct fs *fs, struct inode *dir, int dirfd, int *ret_fd,
			struct facts *ret_facts)
{
	CLEANUP_FD int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : store_facts(fs, dir, 0, ret_facts);

	if (rc == 0)
		rc = npyview_show(fs, fd, NULL, ret_facts);
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

static int look_at_array(struct fs *fs, int dirfd, const char *name, int *ret_fd,
			 struct facts *ret_facts)
{
	CLEANUP_FD int fd = -1;
	int rc = store_look_and_open(fs, dirfd, name, &fd, ret_facts);

	if (rc == 0)
		rc = S_ISREG(ret_facts->st.st_mode) ? npyview_show(fs, fd, NULL, ret_facts)
						    : -ENOENT;
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

int npyview_look(struct fs *fs, struct inode *dir, int dirfd, const char *name, int *ret_fd,
		 struct facts *ret_facts)
{
	char in_store[NAME_MAX + 1];
	int rc;

	if (!dir->view)
		return look_at_view(fs, dir, dirfd, ret_fd, ret_facts);
	rc = npyview_store_name(dir, name, in_store);
	if (rc < 0)
		return rc == -EINVAL ? -ENOENT : rc;
	return look_at_array(fs, dirfd, in_store, ret_fd, ret_facts);
}

int npyview_list(struct fs *fs, int dirfd, const char *name, char ret_shown[NAME_MAX + 1],
		 struct facts *ret_facts)
{
	CLEANUP_FD int fd = -1;
	size_t bytes = strlen(name);

	if (bytes + SUFFIX_BYTES > NAME_MAX)
		return -ENOENT;
	memcpy(ret_shown, name, bytes);
	memcpy(ret_shown + bytes, NPYVIEW_NAME, SUFFIX_BYTES + 1);
	return look_at_array(fs, dirfd, name, &fd, ret_facts);
}

int npyview_open_place(struct fs *fs, struct inode *inode, int *ret_fd)
{
	CLEANUP_PLACE struct inode_place place = {0};
	char in_store[NAME_MAX + 1];
	CLEANUP_FD int dirfd = -1;
	int rc;

	if (inode->directory)
		return store_open_dir(fs, inode, ret_fd);
	rc = inode_last_place(&fs->inodes, inode, &place);
	if (rc == 0)
		rc = npyview_store_name(place.dir, place.name, in_store);
	if (rc == 0)
		rc = store_open_dir(fs, place.dir, &dirfd);
	if (rc < 0)
		return rc;
	*ret_fd = openat(dirfd, in_store, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	return 0;
}

/* What is read here decides once more which npy file this is: it may have changed since the lookup.
 */
int npyview_open(struct fs *fs, int path_fd, struct file *file)
{
	struct npy npy = {0};
	struct facts facts;
	int rc = store_reopen(fs, path_fd, O_RDONLY, &file->fd);

	if (rc == 0)
		rc = facts_of_fd(file->fd, &facts);
	if (rc == 0)
		rc = read_npy_as(fs, file->fd, &facts, &file->inode->id, &npy);
	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : rc;
	file->header = npy.header;
	file->header_bytes = npy.header_bytes;
	file->nbytes = npy.nbytes;
	file->write_error = -EACCES;
	show_npy(&npy, &facts);
	return identity_equal(&facts.id, &file->inode->id) ? 0 : -ESTALE;
}
