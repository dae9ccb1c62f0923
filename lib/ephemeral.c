/* SPDX-License-Identifier: BSD-3-Clause */
#include "ephemeral.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cleanup.h"
#include "sharr.h"
#include "stat_of.h"

static struct flock byte_lock(short type)
{
	return (struct flock){.l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = (off_t)EPHEMERAL_LOCK_OFFSET,
			      .l_len = 1};
}

int ephemeral_hold(int fd)
{
	struct flock lock = byte_lock(F_RDLCK);

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

bool ephemeral_is_held(int fd)
{
	struct flock lock = byte_lock(F_WRLCK);

	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/*
 * Unlink the file that fd is of if nobody holds it and the name is still its. It is opened anew
 * for writing, which the lock needs, by the descriptor: under its name may be by now what is not
 * to be opened at all. Silently: what can't be done now is left to the next who comes.
 */
static void bury(int at, const char *path, int fd, const struct stat *st)
{
	CLEANUP_FD int own = open_again(fd, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct flock lock = byte_lock(F_WRLCK);
	struct stat named;

	if (own < 0 || fcntl(own, F_OFD_SETLK, &lock) < 0)
		return;
	if (fstatat(at, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && stat_same_file(&named, st))
		unlinkat(at, path, 0);
}

static bool has_mark(const struct opened *opened)
{
	return opened->meta.flags & EPHEMERAL_FLAG && opened->meta.inode == opened->st.st_ino;
}

bool ephemeral_is(const struct opened *opened)
{
	return has_mark(opened) && !opened->in_mount;
}

bool ephemeral_is_in_mount(const struct opened *opened)
{
	return has_mark(opened) && opened->in_mount;
}

bool ephemeral_is_leftover(int at, const char *path, const struct opened *opened)
{
	if (!ephemeral_is(opened) || ephemeral_is_held(opened->fd))
		return false;
	bury(at, path, opened->fd, &opened->st);
	return true;
}

int ephemeral_attach(const struct name *name, struct opened *opened)
{
	int r;

	if (!ephemeral_is(opened))
		return 0;
	if (ephemeral_is_leftover(name->at, name->path, opened))
		return -ENOENT;
	r = ephemeral_hold(opened->fd);
	if (r < 0)
		return r == -EAGAIN ? -ENOENT : r;
	if (fstat(opened->fd, &opened->st) < 0)
		return -errno;
	return opened->st.st_nlink == 0;
}

int ephemeral_open(struct name *name, int access, struct opened *ret_opened)
{
	int r = open_array(name, access, ret_opened);

	if (r < 0 || !ephemeral_is_leftover(name->at, name->path, ret_opened))
		return r;
	opened_deinit(ret_opened);
	return -ENOENT;
}

bool ephemeral_clear(const struct name *name)
{
	struct opened opened;
	struct stat st;
	bool cleared;

	if (open_array_warily(name->at, name->path, O_RDONLY, name->in_mount, &opened) < 0)
		return false;
	cleared = ephemeral_is_leftover(name->at, name->path, &opened) &&
		  (fstatat(name->at, name->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		   st.st_ino != opened.st.st_ino);
	opened_deinit(&opened);
	return cleared;
}

void ephemeral_release(const char *name, const struct stat *st)
{
	CLEANUP_NAME struct name place;
	CLEANUP_FD int fd = -1;
	struct stat found;

	if (name_init(name, SHARR_VIA_SHM, &place) < 0)
		return;
	fd = openat(place.at, place.path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &found) == 0 && stat_same_file(&found, st))
		bury(place.at, place.path, fd, st);
}
