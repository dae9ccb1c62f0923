/* SPDX-License-Identifier: BSD-3-Clause */
#include "open.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "map.h"
#include "mount.h"
#include "stat_of.h"
#include "timespec.h"

enum { OPEN_TRIES = 10000, READ_TRIES = 8 };

#define OPEN_FLAGS (O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

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

enum where {
	IN_STORE,
	IN_MOUNT,
	ANYWHERE, /* a path of the user's, which may lead into a mounted sharrfs */
};

/*
 * Through a mount as the kernel knows it: an array's size and kind do not change. The time of the
 * last access is what it does not know, once an array has been mapped.
 */
static int look(int fd, int sync, struct stat *ret_st)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | sync, STATX_BASIC_STATS & ~STATX_ATIME, &stx) < 0)
		return -errno;
	*ret_st = stat_of(&stx);
	return 0;
}

/* Is it another than it was by then, or none that can be looked at? */
static bool has_changed(struct opened *opened, int64_t ctime_ns)
{
	return look(opened->fd, AT_STATX_FORCE_SYNC, &opened->st) < 0 ||
	       timespec_ns(&opened->st.st_ctim) != ctime_ns;
}

static int read_through_mount(struct opened *opened)
{
	int r = mount_read(opened->fd, &opened->meta);

	opened->in_mount = r == 0;
	return r;
}

/* Of what is, or may be, in a mount; in a store only what was asked whether it is. */
static int read_meta_once(enum where where, struct opened *opened)
{
	int r = read_through_mount(opened);

	if (r != -ENODATA || where == IN_STORE)
		return r;
	return where == IN_MOUNT ? -EBADMSG
				 : format_read_again(opened->fd, &opened->st, &opened->meta);
}

/*
 * Asking whether a file is on a sharrfs costs a system call, so that in a store, which may be a mount
 * too, only what looks foreign is asked. Elsewhere its attribute is asked for at once: on a sharrfs
 * that is what is wanted, and on any other file it would be there only if one who may write to the
 * file, and so to all of the array, had set it. Through a mount metadata that are rewritten just then
 * may be none for a moment, too.
 */
static int read_meta(enum where where, struct opened *opened)
{
	int tries = READ_TRIES, r;
	int64_t ctime_ns;

	opened->in_mount = false;
	if (where == IN_STORE) {
		r = format_read_again(opened->fd, &opened->st, &opened->meta);
		if (r != -EBADMSG || !mount_is_fuse(opened->fd))
			return r;
	}
	do {
		ctime_ns = timespec_ns(&opened->st.st_ctim);
		r = read_meta_once(where, opened);
	} while (r == -EBADMSG && --tries && (where == IN_STORE || mount_is_fuse(opened->fd)) &&
		 has_changed(opened, ctime_ns));
	return r;
}

/*
 * The metadata of an array in a mount from a map of it, where that shows the file itself. What it
 * cannot tell, an error included, is left to a request.
 */
static bool read_from_map(struct opened *opened, int flags)
{
	int prot = (flags & O_ACCMODE) == O_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	uint64_t nbytes = (uint64_t)opened->st.st_size;
	uint64_t bytes = mount_map_bytes(nbytes);
	void *map = MAP_FAILED;

	if (map_check(bytes) == 0)
		map = mmap(NULL, (size_t)bytes, prot, MAP_SHARED, opened->fd, 0);
	if (map == MAP_FAILED)
		return false;
	if (mount_read_map(map, nbytes, &opened->meta) < 0) {
		munmap(map, (size_t)bytes);
		return false;
	}
	opened->map = map;
	opened->mapped = (size_t)bytes;
	opened->in_mount = true;
	return true;
}

/*
 * Somebody may have a lease on it for a moment (reap.c); and through a mount the kernel looks at a
 * name that is replaced all the time twice, and no more. Without O_NONBLOCK a fifo would block.
 */
static int open_now(int dir, const char *path, int flags)
{
	int fd = -1;

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = openat(dir, path, flags);
		if (fd >= 0 || (errno != EWOULDBLOCK && errno != ESTALE))
			return fd;
		sched_yield();
	}
	return fd;
}

int open_again(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open_now(AT_FDCWD, path, flags);
	return again < 0 ? -errno : again;
}

/* What it has opened, as an array if it is one. */
static int take(struct opened *opened, int flags, enum where where, bool to_map)
{
	int r;

	opened->map = NULL;
	if (where == IN_STORE)
		r = fstat(opened->fd, &opened->st) < 0 ? -errno : 0;
	else
		r = look(opened->fd, where == IN_MOUNT ? AT_STATX_DONT_SYNC : 0, &opened->st);
	if (r == 0 && !S_ISREG(opened->st.st_mode))
		r = -EBADMSG;
	if (r == 0 && to_map && where == IN_MOUNT && read_from_map(opened, flags))
		return 0;
	if (r == 0)
		r = read_meta(where, opened);
	if (r < 0)
		cleanup_fd(&opened->fd);
	return r;
}

static int open_file(int dir, const char *path, int flags, enum where where, bool to_map,
		     struct opened *opened)
{
	opened->fd = open_now(dir, path, flags | OPEN_FLAGS);
	return opened->fd < 0 ? open_error(errno) : take(opened, flags, where, to_map);
}

static int open_named(struct name *name, int access, bool to_map, struct opened *ret_opened)
{
	int r;

	do {
		int flags = access | (name->nofollow ? O_NOFOLLOW : 0);
		enum where where = name->in_mount ? IN_MOUNT : name->in_store ? IN_STORE : ANYWHERE;

		r = open_file(name->at, name->path, flags, where, to_map, ret_opened);
	} while (r == -ENOENT && name_try_mount(name));
	return name_explain(name, true, r);
}

int open_array(struct name *name, int access, struct opened *ret_opened)
{
	return open_named(name, access, false, ret_opened);
}

int open_array_to_map(struct name *name, int access, struct opened *ret_opened)
{
	return open_named(name, access, true, ret_opened);
}

int open_array_at(int dir, const char *entry, int access, bool in_mount, struct opened *ret_opened)
{
	return open_file(dir, entry, access | O_NOFOLLOW, in_mount ? IN_MOUNT : IN_STORE, false,
			 ret_opened);
}

int open_array_warily(int dir, const char *entry, int access, bool in_mount,
		      struct opened *ret_opened)
{
	CLEANUP_FD int path_fd = open_now(dir, entry, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (path_fd < 0)
		return -errno;
	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	ret_opened->fd = open_again(path_fd, access | OPEN_FLAGS);
	return ret_opened->fd < 0 ? ret_opened->fd
				  : take(ret_opened, access, in_mount ? IN_MOUNT : IN_STORE, false);
}

bool open_is_fatal(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EINTR;
}

void opened_deinit(struct opened *opened)
{
	cleanup_fd(&opened->fd);
	format_meta_release(&opened->meta);
	if (opened->map)
		munmap(opened->map, opened->mapped);
}
