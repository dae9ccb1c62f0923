/* SPDX-License-Identifier: BSD-3-Clause */
#include "setattr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "draft.h"
#include "file.h"
#include "fs.h"
#include "store_at.h"

enum {
	SET_OWNER = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID,
	SET_TIMES = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME,
	SET_NOW = FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW,
};

/* Other than the present, for which it takes no owner. */
static bool sets_given_time(int to_set)
{
	return (to_set & FUSE_SET_ATTR_ATIME && !(to_set & FUSE_SET_ATTR_ATIME_NOW)) ||
	       (to_set & FUSE_SET_ATTR_MTIME && !(to_set & FUSE_SET_ATTR_MTIME_NOW));
}

/*
 * The kernel has checked, but by what it knew then: who is not the owner now changes nothing that
 * only the owner may.
 */
static int check_owner(const struct facts *facts, int to_set, uid_t uid)
{
	if (!(to_set & (FUSE_SET_ATTR_MODE | SET_OWNER)) && !sets_given_time(to_set))
		return 0;
	return uid == 0 || uid == facts->st.st_uid ? 0 : -EPERM;
}

/* Setuid, setgid and sticky mean nothing on an array, and are dropped; directories keep them. */
static int set_mode(const char *path, const struct facts *facts, mode_t mode)
{
	mode_t mask = S_ISDIR(facts->st.st_mode) ? 07777 : 0777;

	return chmod(path, mode & mask) < 0 ? -errno : 0;
}

static int set_owner(const char *path, const struct stat *attr, int to_set)
{
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;

	return chown(path, uid, gid) < 0 ? -errno : 0;
}

static struct timespec time_to_set(const struct timespec *given, int to_set, int bit, int now_bit)
{
	if (to_set & now_bit)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return to_set & bit ? *given : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(const char *path, const struct stat *attr, int to_set)
{
	const struct timespec times[2] = {
		time_to_set(&attr->st_atim, to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW),
		time_to_set(&attr->st_mtim, to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW),
	};

	return utimensat(AT_FDCWD, path, times, 0) < 0 ? -errno : 0;
}

/*
 * All of it, or as much as went well: the path goes by an O_PATH descriptor, so that no name is
 * looked up again.
 */
static int apply(int fd, const struct facts *facts, const struct stat *attr, int to_set)
{
	char path[32];
	int rc = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (to_set & SET_OWNER)
		rc = set_owner(path, attr, to_set);
	if (rc == 0 && to_set & FUSE_SET_ATTR_MODE)
		rc = set_mode(path, facts, attr->st_mode);
	if (rc == 0 && to_set & (SET_TIMES | SET_NOW))
		rc = set_times(path, attr, to_set);
	return rc;
}

/* A draft may have any size; an array has its own. */
static int set_size(struct fs *fs, struct inode *inode, const struct facts *facts, off_t bytes)
{
	struct file *file = file_peek(fs, inode);
	int rc = bytes == facts->st.st_size ? 0 : -EPERM;

	if (file) {
		if (draft_is_open(file))
			rc = draft_resize(file, bytes);
		file_release(fs, file);
	}
	return rc;
}

/* A view is no directory of the store. What is in it is an array that is shown read-only. */
static bool is_fixed(const struct inode *inode)
{
	return inode->view && inode->directory;
}

int setattr_apply(struct fs *fs, struct inode *inode, const struct stat *attr, int to_set,
		  const struct client *client, struct facts *ret_facts)
{
	CLEANUP_FD int fd = -1;
	struct facts facts;
	int rc =
		is_fixed(inode) ? -EPERM : store_open_shown(fs, inode, client->thread, &fd, &facts);

	if (rc == 0)
		rc = check_owner(&facts, to_set, client->uid);
	if (rc < 0)
		return rc;
	if (to_set & FUSE_SET_ATTR_SIZE)
		rc = set_size(fs, inode, &facts, attr->st_size);
	if (rc == 0)
		rc = apply(fd, &facts, attr, to_set);
	return rc < 0 ? rc : store_facts_of(fs, inode, fd, ret_facts);
}
