/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Removing what dead processes left: ephemeral arrays that nobody holds, and on request arrays whose
 * creator is gone and that nobody maps. A doubt is enough to keep one: a creator of another boot or
 * pid namespace can't be asked after.
 *
 * Whether anybody maps a file the kernel tells by a lease, which it gives to the only opener: maps
 * count as open, those in other namespaces and through mounts too, and nobody opens it before its
 * name is gone. Where a lease can't be had, as of other users' files, the maps of all processes are
 * looked through; then one that can't be looked at, or seen from this pid namespace, is a doubt.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attached.h"
#include "cleanup.h"
#include "ephemeral.h"
#include "error.h"
#include "mount.h"
#include "name.h"
#include "open.h"
#include "sharr.h"
#include "staging.h"
#include "stat_of.h"

/* Of the first pid namespace, which sees all processes; the kernel has it fixed. */
#define FIRST_PIDNS 0xeffffffcu

enum { WHY_BYTES = 160 };

struct reaping {
	int dir;
	unsigned flags;
	char *name;         /* room for the group, a slash and an entry */
	size_t group_bytes; /* of the group and its slash, which name starts with */
	uint64_t *mapped;   /* inode numbers, sorted; owned */
	size_t mapped_count, mapped_room;
	bool scanned;
	unsigned unread; /* processes that could not be looked at */
	struct origin self;
	int (*fn)(const struct sharr_reaped *reaped, void *userdata);
	void *userdata;
};

/* What becomes of one array, and why. */
struct verdict {
	int outcome;
	char why[WHY_BYTES];
};

static void decide(struct verdict *verdict, int outcome, const char *why)
{
	verdict->outcome = outcome;
	snprintf(verdict->why, sizeof(verdict->why), "%s", why);
}

static int note_map(uint32_t pid, uint64_t ino, void *userdata)
{
	struct reaping *reaping = userdata;

	if (reaping->mapped_count == reaping->mapped_room) {
		size_t room = reaping->mapped_room ? reaping->mapped_room * 2 : 256;
		uint64_t *larger = realloc(reaping->mapped, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		reaping->mapped = larger;
		reaping->mapped_room = room;
	}
	reaping->mapped[reaping->mapped_count++] = ino;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* All maps at once, when they are needed first: a look at all processes takes long. */
static int look_at_maps(struct reaping *reaping)
{
	struct attached_devices devices;
	int r;

	if (reaping->scanned)
		return 0;
	reaping->scanned = true;
	r = attached_devices_of(reaping->dir, &devices);
	if (r == 0)
		r = attached_scan(&devices, note_map, reaping, &reaping->unread);
	if (r == 0 && reaping->mapped_count)
		qsort(reaping->mapped, reaping->mapped_count, sizeof(*reaping->mapped), compare);
	return r;
}

static bool is_mapped(const struct reaping *reaping, uint64_t ino)
{
	return reaping->mapped_count &&
	       bsearch(&ino, reaping->mapped, reaping->mapped_count, sizeof(ino), compare);
}

static bool is_still(const struct reaping *reaping, const char *entry, const struct stat *st)
{
	struct stat named;

	return fstatat(reaping->dir, entry, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       stat_same_file(&named, st);
}

/* Is its creator known to be gone? Else the verdict says why it stays. */
static bool creator_is_gone(const struct reaping *reaping, const struct format_meta *meta,
			    struct verdict *verdict)
{
	const struct origin *creator = &meta->origin, *self = &reaping->self;
	uint64_t start_ticks;

	if (creator->pid == 0 || creator->start_ticks == 0 || creator->pidns == 0 ||
	    self->pidns == 0) {
		decide(verdict, SHARR_REAP_UNDECIDED, "its creator is not known");
		return false;
	}
	if (memcmp(creator->boot_id, self->boot_id, sizeof(self->boot_id)) != 0) {
		decide(verdict, SHARR_REAP_UNDECIDED,
		       "it was made before the last boot, or elsewhere");
		return false;
	}
	if (creator->pidns != self->pidns) {
		decide(verdict, SHARR_REAP_UNDECIDED, "it was made in another pid namespace");
		return false;
	}
	switch (origin_find(creator->pid, &start_ticks)) {
	case ORIGIN_GONE:
		return true;
	case ORIGIN_UNSEEN:
		decide(verdict, SHARR_REAP_UNDECIDED, "its creator can't be looked at");
		return false;
	case ORIGIN_LIVES:
		break;
	}
	decide(verdict, SHARR_REAP_ALIVE, "its creator lives");
	return start_ticks != creator->start_ticks;
}

/*
 * Have it for ourselves for as long as fd is open. Who opens it meanwhile waits, and lets this
 * process be told by a signal: one that nobody minds.
 */
static bool take_lease(int fd)
{
	return fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

/* Does nobody map it? Else the verdict says why it stays. Negative: it could not be asked. */
static int is_unused(struct reaping *reaping, const struct opened *opened, struct verdict *verdict)
{
	int r;

	if (take_lease(opened->fd))
		return true;
	decide(verdict, SHARR_REAP_USED, "a process has it open or mapped");
	if (errno == EAGAIN)
		return false;
	r = look_at_maps(reaping);
	if (r < 0 || is_mapped(reaping, opened->st.st_ino))
		return r;
	if (reaping->self.pidns != FIRST_PIDNS)
		decide(verdict, SHARR_REAP_UNDECIDED,
		       "a process outside of this pid namespace may map it");
	else if (reaping->unread)
		decide(verdict, SHARR_REAP_UNDECIDED,
		       "not all processes could be looked at: one may map it");
	else
		return true;
	return false;
}

static void remove_array(const struct reaping *reaping, const char *entry,
			 const struct opened *opened, struct verdict *verdict)
{
	if (!is_still(reaping, entry, &opened->st)) {
		decide(verdict, SHARR_REAP_USED, "it has been replaced or deleted meanwhile");
	} else if (!(reaping->flags & SHARR_DRY_RUN) && unlinkat(reaping->dir, entry, 0) < 0) {
		decide(verdict, SHARR_REAP_FAILED, strerror(errno));
	}
}

static int judge(struct reaping *reaping, const char *entry, const struct opened *opened,
		 struct verdict *verdict)
{
	int r = creator_is_gone(reaping, &opened->meta, verdict);

	if (r > 0)
		r = is_unused(reaping, opened, verdict);
	if (r <= 0)
		return r;
	decide(verdict, SHARR_REAPED, "its creator is gone, and nobody maps it");
	remove_array(reaping, entry, opened, verdict);
	return 0;
}

static void judge_ephemeral(const struct reaping *reaping, const char *entry,
			    const struct opened *opened, struct verdict *verdict)
{
	if (ephemeral_is_held(opened->fd)) {
		decide(verdict, SHARR_REAP_USED, "ephemeral, and a process holds it");
		return;
	}
	decide(verdict, SHARR_REAPED, "ephemeral, and nobody holds it");
	if (reaping->flags & SHARR_DRY_RUN)
		return;
	ephemeral_is_leftover(reaping->dir, entry, opened);
	if (is_still(reaping, entry, &opened->st))
		decide(verdict, SHARR_REAP_FAILED, "ephemeral, and this user may not delete it");
}

static int visit(struct reaping *reaping, const struct dirent *entry)
{
	struct sharr_reaped reaped = {.name = reaping->name};
	struct verdict verdict;
	struct opened opened;
	int r;

	if ((entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN) ||
	    strlen(entry->d_name) > NAME_MAX || staging_is_hidden(entry->d_name))
		return 0;
	r = open_array_at(reaping->dir, entry->d_name, O_RDONLY, false, &opened);
	if (r < 0)
		return open_is_fatal(r) ? r : 0;
	if (ephemeral_is(&opened))
		judge_ephemeral(reaping, entry->d_name, &opened, &verdict);
	else if (reaping->flags & SHARR_DEAD_CREATOR)
		r = judge(reaping, entry->d_name, &opened, &verdict);
	else
		reaped.name = NULL;
	opened_deinit(&opened);
	if (r < 0 || !reaped.name)
		return r;
	strcpy(reaping->name + reaping->group_bytes, entry->d_name);
	reaped.outcome = verdict.outcome;
	reaped.why = verdict.why;
	return reaping->fn(&reaped, reaping->userdata);
}

static int visit_all(struct reaping *reaping, DIR *dir)
{
	const struct dirent *entry;
	int r;

	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		r = visit(reaping, entry);
		if (r != 0)
			return r;
	}
	return -errno;
}

/* The store's directory, or a group in it: not as a mount shows it, where nothing is unlinked by
 * inode and locks are not seen. */
static int open_group(const char *group, struct reaping *reaping, DIR **ret_dir)
{
	bool in_mount;
	int r = name_open_group(group, &reaping->dir, &in_mount);

	if (r < 0)
		return r;
	*ret_dir = fdopendir(reaping->dir);
	if (!*ret_dir) {
		r = -errno;
		cleanup_fd(&reaping->dir);
		return r;
	}
	return in_mount || mount_is_sharrfs(reaping->dir)
		       ? error_set(-EOPNOTSUPP, "reap where the store itself is seen, not a mount")
		       : 0;
}

int sharr_reap(const char *group, unsigned flags,
	       int (*fn)(const struct sharr_reaped *reaped, void *userdata), void *userdata)
{
	struct reaping reaping = {.flags = flags, .fn = fn, .userdata = userdata};
	CLEANUP_FREE char *name = NULL;
	CLEANUP_DIR DIR *dir = NULL;
	int r;

	error_clear();
	if (flags & ~(SHARR_DRY_RUN | SHARR_DEAD_CREATOR))
		return -EINVAL;
	origin_now(&reaping.self);
	r = open_group(group, &reaping, &dir);
	if (r < 0)
		return r;
	reaping.name = name = name_room_in_group(group, &reaping.group_bytes);
	if (!name)
		return -ENOMEM;
	r = visit_all(&reaping, dir);
	free(reaping.mapped);
	return r;
}
