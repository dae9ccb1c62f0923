/* SPDX-License-Identifier: BSD-3-Clause */
#include "staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "cleanup.h"
#include "linux_calls.h"
#include "nameless.h"
#include "open.h"
#include "origin.h"

#define HIDDEN_PREFIX ".sharr~"

enum { HIDDEN_DIGITS = 5 * 8, REPLACE_TRIES = 1000 };

/*
 * Who makes it: a process, as the thread that began may end before; and of which boot, as a store
 * may be on many machines.
 */
struct maker {
	unsigned pid, start_ticks, pidns, boot;
};

static struct maker maker_self(void)
{
	struct origin origin;
	struct maker maker;

	origin_now(&origin);
	maker.pid = origin.pid;
	maker.start_ticks = (unsigned)origin.start_ticks;
	maker.pidns = (unsigned)origin.pidns;
	maker.boot = bytes_get32(origin.boot_id);
	return maker;
}

/* The hidden name tells whose it is, so that what a killed process left behind is known as such. */
void staging_new_hidden(char *ret_hidden)
{
	static atomic_uint count;
	struct maker self = maker_self();

	snprintf(ret_hidden, NAME_MAX + 1, HIDDEN_PREFIX "%08x%08x%08x%08x%08x", self.pid,
		 self.start_ticks, self.pidns, self.boot, atomic_fetch_add(&count, 1));
}

bool staging_is_hidden(const char *name)
{
	const char *digits = name + sizeof(HIDDEN_PREFIX) - 1;

	return strncmp(name, HIDDEN_PREFIX, sizeof(HIDDEN_PREFIX) - 1) == 0 &&
	       strlen(digits) == HIDDEN_DIGITS &&
	       strspn(digits, "0123456789abcdef") == HIDDEN_DIGITS;
}

bool staging_is_abandoned(const char *hidden)
{
	struct maker self = maker_self(), maker;
	uint64_t start_ticks;

	if (sscanf(hidden + sizeof(HIDDEN_PREFIX) - 1, "%8x%8x%8x%8x", &maker.pid,
		   &maker.start_ticks, &maker.pidns, &maker.boot) != 4 ||
	    maker.pid == 0 || maker.pid > INT32_MAX)
		return false;
	if (self.pidns == 0 || self.boot == 0 || maker.pidns != self.pidns ||
	    maker.boot != self.boot)
		return false;
	switch (origin_find(maker.pid, &start_ticks)) {
	case ORIGIN_GONE:
		return true;
	case ORIGIN_LIVES:
		return (unsigned)start_ticks != maker.start_ticks;
	case ORIGIN_UNSEEN:
		break;
	}
	return false;
}

/*
 * A name that is taken was left by a process like this one, which is no more: no process uses one
 * twice.
 */
static int clear_hidden(int at, const char *path)
{
	return unlinkat(at, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * No one may open it by that name before it has its mode. The directory is held, since it may be
 * renamed before the file is whole, and the file be published in another.
 */
static int open_hidden(const struct name *name, unsigned mode, struct staging *staging)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	CLEANUP_FD int dir_fd = openat(name->at, name->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char hidden[NAME_MAX + 1];
	int r;

	if (dir_fd < 0)
		return -errno;
	staging_new_hidden(hidden);
	r = clear_hidden(dir_fd, hidden);
	if (r < 0)
		return r;
	staging->fd = openat(dir_fd, hidden, flags, mode ? mode & 0600 : 0666);
	if (staging->fd < 0)
		return -errno;
	strcpy(staging->hidden, hidden);
	staging->dir_fd = steal_fd(&dir_fd);
	return 0;
}

/*
 * Of a directory that was removed, and perhaps made again, since it was opened, file systems that
 * other machines or processes serve say ESTALE: there is none of that name any more.
 */
static int none_if_stale(int r)
{
	return r == -ESTALE ? -ENOENT : r;
}

int staging_open(const struct name *name, unsigned mode, struct staging *ret_staging)
{
	int r = nameless_open(name->at, name->dir);

	ret_staging->hidden[0] = '\0';
	ret_staging->fd = r < 0 ? -1 : r;
	if (r == -EOPNOTSUPP)
		r = open_hidden(name, mode, ret_staging);
	if (r < 0)
		return name_explain(name, false, none_if_stale(r));
	r = 0;
	if (mode && fchmod(ret_staging->fd, mode) < 0) {
		r = -errno;
		staging_close(ret_staging);
	}
	return r;
}

/* A second name for the file in the making, which is the first if it has none. */
static int link_as(const struct staging *staging, const struct name *name, const char *path)
{
	if (!staging->hidden[0])
		return nameless_link(staging->fd, name->at, path);
	return linkat(staging->dir_fd, staging->hidden, name->at, path, 0) < 0 ? -errno : 0;
}

/* It has that name no more. */
static void drop_hidden(struct staging *staging)
{
	staging->hidden[0] = '\0';
	cleanup_fd(&staging->dir_fd);
}

/* What a forked child inherits is its parent's, which goes on with it. */
static bool is_own(const char *hidden)
{
	unsigned pid;

	return sscanf(hidden + sizeof(HIDDEN_PREFIX) - 1, "%8x", &pid) == 1 &&
	       pid == maker_self().pid;
}

static void forget_hidden(struct staging *staging)
{
	if (is_own(staging->hidden))
		unlinkat(staging->dir_fd, staging->hidden, 0);
	drop_hidden(staging);
}

/* Only arrays are replaced, no symlink to one either; what can't be read is left alone as well. */
static int check_replaceable(const struct name *name)
{
	struct opened opened;
	int r = open_array_warily(name->at, name->path, O_RDONLY, name->in_mount, &opened);

	if (r == -ENOENT)
		return -EAGAIN; /* deleted meanwhile: the name may be free now */
	if (r < 0)
		return r == -EBADMSG ? -EEXIST : r;
	opened_deinit(&opened);
	return 0;
}

/* Through a hidden name for an instant, as a link can't take the place of another. */
static int replace_by_nameless(struct staging *staging, const struct name *name)
{
	char path[PATH_MAX], hidden[NAME_MAX + 1];
	int r;

	staging_new_hidden(hidden);
	if (snprintf(path, sizeof(path), "%s/%s", name->dir, hidden) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = clear_hidden(name->at, path);
	if (r == 0)
		r = link_as(staging, name, path);
	if (r < 0)
		return r;
	if (renameat(name->at, path, name->at, name->path) < 0) {
		r = -errno;
		unlinkat(name->at, path, 0);
	}
	return r;
}

static int replace(struct staging *staging, const struct name *name)
{
	int r = check_replaceable(name);

	if (r < 0)
		return r;
	if (!staging->hidden[0])
		return replace_by_nameless(staging, name);
	if (renameat(staging->dir_fd, staging->hidden, name->at, name->path) < 0)
		return -errno;
	drop_hidden(staging);
	return 0;
}

/* On file systems that have neither nameless files nor links, a mounted sharrfs among them. */
static int rename_exclusively(struct staging *staging, const struct name *name)
{
	if (renameat2(staging->dir_fd, staging->hidden, name->at, name->path, RENAME_NOREPLACE) < 0)
		return -errno;
	drop_hidden(staging);
	return 0;
}

/*
 * Deleted in between, the name may be free at the next try; taken for good it may be by a file that
 * a mounted sharrfs hides.
 */
int staging_publish(struct staging *staging, const struct name *name, bool replace_array)
{
	int tries = REPLACE_TRIES, r;

	do {
		r = link_as(staging, name, name->path);
		if (r == 0 && staging->hidden[0])
			forget_hidden(staging);
		else if (staging->hidden[0] && (r == -EPERM || r == -EOPNOTSUPP))
			r = rename_exclusively(staging, name);
		if (r == -EEXIST && replace_array)
			r = replace(staging, name);
	} while (r == -EAGAIN && --tries);
	return r == -EAGAIN ? -EEXIST : none_if_stale(r);
}

void staging_close(struct staging *staging)
{
	if (staging->hidden[0])
		forget_hidden(staging);
	cleanup_fd(&staging->fd);
	staging->fd = -1;
}
