/* SPDX-License-Identifier: BSD-3-Clause */
#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "fs.h"
#include "linux_calls.h"
#include "npyview.h"
#include "staging.h"
#include "store_at.h"
#include "timespec.h"

enum { RENAME_TRIES = 10 };

int namespace_may_remove(int dirfd, const struct facts *victim, uid_t uid)
{
	struct facts dir;
	int rc = facts_of_fd(dirfd, &dir);

	if (rc < 0)
		return rc;
	if (!(dir.st.st_mode & S_ISVTX) || uid == 0 || uid == victim->st.st_uid ||
	    uid == dir.st.st_uid)
		return 0;
	return -EPERM;
}

/* A view goes with its directory, and what is in it with its array. */
static int refuse_in_view(struct fs *fs, struct inode *dir, int dirfd, const char *name)
{
	CLEANUP_FD int fd = -1;
	struct facts facts;
	int rc = npyview_look(fs, dir, dirfd, name, &fd, &facts);

	return rc < 0 ? rc : -EPERM;
}

int namespace_remove(struct fs *fs, struct inode *dir, const char *name, bool directory, uid_t uid)
{
	CLEANUP_FD int dirfd = -1;
	struct facts victim;
	int rc = store_open_dir(fs, dir, &dirfd);

	if (rc == 0 && npyview_has(dir, name))
		return refuse_in_view(fs, dir, dirfd, name);
	if (rc == 0)
		rc = store_look(fs, dirfd, name, &victim);
	if (rc == 0)
		rc = namespace_may_remove(dirfd, &victim, uid);
	if (rc < 0)
		return rc;
	if (unlinkat(dirfd, name, directory ? AT_REMOVEDIR : 0) < 0)
		return -errno;
	inode_removed(&fs->inodes, dir, name);
	return 0;
}

/*
 * What the name to be taken means for the flags: an array may be replaced; a foreign file, which
 * the client does not see, may not; and nothing must stay nothing until the rename.
 */
static int check_target(struct fs *fs, int dirfd, const char *name, unsigned *flags, uid_t uid)
{
	struct facts target;
	int rc = store_look_taken(fs, dirfd, name, &target);

	if (rc == 0)
		return *flags & RENAME_NOREPLACE ? -EEXIST
						 : namespace_may_remove(dirfd, &target, uid);
	if (*flags & RENAME_EXCHANGE && rc == -EEXIST)
		return -ENOENT;
	if (*flags & RENAME_EXCHANGE || rc != -ENOENT)
		return rc;
	*flags |= RENAME_NOREPLACE;
	return 0;
}

/* Some file systems know no flags. */
static int rename_at(int from_fd, const char *from_name, int to_fd, const char *to_name,
		     unsigned flags)
{
	int rc = renameat2(from_fd, from_name, to_fd, to_name, flags);

	if (rc < 0 && errno == EINVAL && flags == RENAME_NOREPLACE)
		rc = renameat(from_fd, from_name, to_fd, to_name);
	return rc < 0 ? -errno : 0;
}

/* Checked and done; again if the target has come into being between the two. */
static int rename_checked(struct fs *fs, int from_fd, const char *from_name, int to_fd,
			  const char *to_name, unsigned flags, uid_t uid)
{
	int tries;
	int rc;

	for (tries = 0; tries < RENAME_TRIES; tries++) {
		unsigned now = flags;

		rc = check_target(fs, to_fd, to_name, &now, uid);
		if (rc < 0)
			return rc;
		rc = rename_at(from_fd, from_name, to_fd, to_name, now);
		if (rc != -EEXIST || now == flags)
			return rc;
	}
	return rc;
}

int namespace_rename(struct fs *fs, struct inode *from, const char *from_name, struct inode *to,
		     const char *to_name, unsigned flags, uid_t uid)
{
	CLEANUP_FD int from_fd = -1;
	CLEANUP_FD int to_fd = -1;
	struct facts moved;
	int rc;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (npyview_has(from, from_name) || to->view || store_hides(to_name))
		return -EPERM;
	rc = store_open_dir(fs, from, &from_fd);
	if (rc == 0)
		rc = store_open_dir(fs, to, &to_fd);
	if (rc == 0)
		rc = store_look(fs, from_fd, from_name, &moved);
	if (rc == 0)
		rc = namespace_may_remove(from_fd, &moved, uid);
	if (rc == 0)
		rc = rename_checked(fs, from_fd, from_name, to_fd, to_name, flags, uid);
	if (rc < 0)
		return rc;
	inode_renamed(&fs->inodes, from, from_name, to, to_name, flags & RENAME_EXCHANGE);
	return 0;
}

/*
 * Is this the directory that was just made, and not another that somebody has moved to its place
 * meanwhile? To own one that is as young, they would have had to make it as this daemon.
 */
static bool is_ours(const struct facts *made, int64_t since_ns)
{
	return made->st.st_uid == geteuid() && (!made->id.born_ns || made->id.born_ns >= since_ns);
}

/* A setgid directory hands its group down; else the group is the client's. */
static int hand_over(int fd, const struct facts *made, mode_t mode, const struct client *client)
{
	bool inherits = made->st.st_mode & S_ISGID;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", client->uid, inherits ? (gid_t)-1 : client->gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (chmod(path, (mode & 01777) | (inherits ? S_ISGID : 0)) < 0) /* fchmod takes no O_PATH */
		return -errno;
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE,
		      &now); /* what the kernel stamps files with, or earlier */
	return timespec_ns(&now);
}

/* An empty one under a hidden name, the daemon's still. */
static int make_hidden(int dirfd, const char *hidden, int *ret_fd, struct facts *ret_made)
{
	CLEANUP_FD int fd = -1;
	int64_t since_ns = now_ns();
	int rc;

	if (mkdirat(dirfd, hidden, 0700) < 0)
		return -errno;
	fd = openat(dirfd, hidden, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rc = fd < 0 ? -errno : facts_of_fd(fd, ret_made);
	if (rc < 0) {
		unlinkat(dirfd, hidden, AT_REMOVEDIR);
		return rc;
	}
	if (!is_ours(ret_made, since_ns))
		return -ESTALE;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* It gets its name when it is the client's, with its mode: nobody ever sees half of that. */
int namespace_mkdir(struct fs *fs, struct inode *dir, const char *name, mode_t mode,
		    const struct client *client, struct facts *ret_facts)
{
	char hidden[NAME_MAX + 1];
	CLEANUP_FD int dirfd = -1;
	CLEANUP_FD int fd = -1;
	struct facts made;
	int rc;

	if (dir->view || store_hides(name))
		return -EPERM;
	rc = store_open_dir(fs, dir, &dirfd);
	if (rc < 0)
		return rc;
	if (facts_of_name(dirfd, name, &made) == 0)
		return -EEXIST;
	staging_new_hidden(hidden);
	rc = make_hidden(dirfd, hidden, &fd, &made);
	if (rc == 0)
		rc = hand_over(fd, &made, mode, client);
	if (rc == 0)
		rc = rename_at(dirfd, hidden, dirfd, name, RENAME_NOREPLACE);
	if (rc == 0)
		return facts_of_fd(fd, ret_facts);
	if (fd >= 0)
		unlinkat(dirfd, hidden, AT_REMOVEDIR);
	return rc;
}
