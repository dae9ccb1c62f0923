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

/* The path of a hidden name beside the array, relative to name->at. */
static int hidden_path(const struct name *name, const char *hidden, char *ret_path)
{
	int n = snprintf(ret_path, PATH_MAX, "%s/%s", name->dir, hidden);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/*
 * A name that is taken was left by a process like this one, which is no more: no process uses one
 * twice.
 */
static int clear_hidden(const struct name *name, const char *path)
{
	return unlinkat(name->at, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* No one may open it by that name before it has its mode. */
static int open_hidden(const struct name *name, unsigned mode, struct staging *staging)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char path[PATH_MAX];
	int r;

	staging_new_hidden(staging->hidden);
	r = hidden_path(name, staging->hidden, path);
	if (r == 0)
		r = clear_hidden(name, path);
	if (r < 0)
		return r;
	staging->fd = openat(name->at, path, flags, mode ? mode & 0600 : 0666);
	return staging->fd < 0 ? -errno : 0;
}

int staging_open(const struct name *name, unsigned mode, struct staging *ret_staging)
{
	int r = 0;

	ret_staging->hidden[0] = '\0';
	ret_staging->fd = openat(name->at, name->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	if (ret_staging->fd < 0) {
		/*
		 * EISDIR: a kernel or file system that does not know O_TMPFILE sees a directory
		 * opened for writing.
		 */
		r = errno == EOPNOTSUPP || errno == EISDIR ? open_hidden(name, mode, ret_staging)
							   : -errno;
		if (r < 0)
			return name_explain(name, false, r);
	}
	if (mode && fchmod(ret_staging->fd, mode) < 0) {
		r = -errno;
		staging_close(ret_staging, name);
	}
	return r;
}

/* A second name for the file in the making, which is the first if it has none. */
static int link_as(const struct staging *staging, const struct name *name, const char *path)
{
	char from[PATH_MAX];
	int r;

	if (staging->hidden[0]) {
		r = hidden_path(name, staging->hidden, from);
		if (r < 0)
			return r;
		return linkat(name->at, from, name->at, path, 0) < 0 ? -errno : 0;
	}
	/* From Linux 6.10 on who opened it may link the descriptor itself, before that root alone. */
	if (linkat(staging->fd, "", name->at, path, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", staging->fd);
	return linkat(AT_FDCWD, from, name->at, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static void forget_hidden(struct staging *staging, const struct name *name)
{
	char path[PATH_MAX];

	if (hidden_path(name, staging->hidden, path) == 0)
		unlinkat(name->at, path, 0);
	staging->hidden[0] = '\0';
}

/* Only arrays are replaced, no symlink to one either; what can't be read is left alone as well. */
static int check_replaceable(const struct name *name)
{
	struct opened opened;
	int r = open_array_at(name->at, name->path, O_RDONLY, name->in_mount, &opened);

	if (r == -ENOENT)
		return -EAGAIN; /* deleted meanwhile: the name may be free now */
	if (r < 0)
		return r == -EBADMSG ? -EEXIST : r;
	opened_deinit(&opened);
	return 0;
}

/* Through a hidden name for an instant, as a link can't take the place of another. */
static int replace(struct staging *staging, const struct name *name)
{
	char path[PATH_MAX], hidden[NAME_MAX + 1];
	int r = check_replaceable(name);

	if (r < 0)
		return r;
	if (staging->hidden[0])
		strcpy(hidden, staging->hidden);
	else
		staging_new_hidden(hidden);
	r = hidden_path(name, hidden, path);
	if (r == 0 && !staging->hidden[0])
		r = clear_hidden(name, path);
	if (r == 0 && !staging->hidden[0])
		r = link_as(staging, name, path);
	if (r < 0)
		return r;
	if (renameat(name->at, path, name->at, name->path) < 0) {
		r = -errno;
		if (!staging->hidden[0])
			unlinkat(name->at, path, 0);
		return r;
	}
	staging->hidden[0] = '\0';
	return 0;
}

/* On file systems that have neither O_TMPFILE nor links, a mounted sharrfs among them. */
static int rename_exclusively(struct staging *staging, const struct name *name)
{
	char path[PATH_MAX];
	int r = hidden_path(name, staging->hidden, path);

	if (r < 0)
		return r;
	if (renameat2(name->at, path, name->at, name->path, RENAME_NOREPLACE) < 0)
		return -errno;
	staging->hidden[0] = '\0';
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
			forget_hidden(staging, name);
		else if (staging->hidden[0] && (r == -EPERM || r == -EOPNOTSUPP))
			r = rename_exclusively(staging, name);
		if (r == -EEXIST && replace_array)
			r = replace(staging, name);
	} while (r == -EAGAIN && --tries);
	return r == -EAGAIN ? -EEXIST : r;
}

void staging_close(struct staging *staging, const struct name *name)
{
	if (staging->hidden[0])
		forget_hidden(staging, name);
	cleanup_fd(&staging->fd);
	staging->fd = -1;
}
