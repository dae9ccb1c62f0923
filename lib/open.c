/* SPDX-License-Identifier: BSD-3-Clause */
#include "open.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cleanup.h"
#include "mount.h"

enum { READ_TRIES = 8 };

/*
 * What open says of a symlink, a directory, a socket or a device without a driver: it is there, and
 * it is no array.
 */
static int open_error(int number)
{
	switch (number) {
	case ELOOP:
	case EISDIR:
	case ENXIO:
	case ENODEV:
		return -EBADMSG;
	}
	return -number;
}

/*
 * The end of the file moves when its metadata are rewritten. Who has asked for the size before
 * that, and reads after the tail of then was given back, looks again.
 */
static int read_meta(struct opened *opened)
{
	for (int i = 0; i < READ_TRIES; i++) {
		off_t size = opened->st.st_size;
		int r = format_read(opened->fd, (uint64_t)size, &opened->meta);

		if (r != -EBADMSG)
			return r;
		if (fstat(opened->fd, &opened->st) < 0)
			return -errno;
		if (opened->st.st_size <= size)
			break;
	}
	return -EBADMSG;
}

/* A file:// name may lead into a mounted sharrfs. */
static int read_meta_anywhere(struct opened *opened)
{
	int r = mount_is_fuse(opened->fd) ? mount_read(opened->fd, &opened->meta) : -ENODATA;

	return r == -ENODATA ? read_meta(opened) : r;
}

/*
 * A store may be a mount too, but is asked only if what lies there looks foreign: that would cost
 * each attach.
 */
static int read_meta_of_store(struct opened *opened)
{
	int r = read_meta(opened);

	return r == -EBADMSG && mount_is_fuse(opened->fd) ? read_meta_anywhere(opened) : r;
}

static int open_file(int dir, const char *path, int flags, bool in_store, struct opened *opened)
{
	int r;

	opened->fd = openat(dir, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (opened->fd < 0)
		return open_error(errno);
	if (fstat(opened->fd, &opened->st) < 0)
		r = -errno;
	else if (!S_ISREG(opened->st.st_mode))
		r = -EBADMSG;
	else
		r = in_store ? read_meta_of_store(opened) : read_meta_anywhere(opened);
	if (r < 0)
		cleanup_fd(&opened->fd);
	return r;
}

int open_array(const struct name *name, int access, struct opened *ret_opened)
{
	int flags = access | (name->nofollow ? O_NOFOLLOW : 0);

	return name_explain(name,
			    open_file(name->at, name->path, flags, name->in_store, ret_opened));
}

int open_array_at(int dir, const char *entry, int access, struct opened *ret_opened)
{
	return open_file(dir, entry, access | O_NOFOLLOW, true, ret_opened);
}

void opened_deinit(struct opened *opened)
{
	cleanup_fd(&opened->fd);
	format_meta_release(&opened->meta);
}
