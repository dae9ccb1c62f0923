/* SPDX-License-Identifier: BSD-3-Clause */
#include "ephemerals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cleanup.h"
#include "deadline.h"
#include "ephemeral.h"
#include "fs.h"
#include "lock_list.h"
#include "signals.h"
#include "store_at.h"
#include "watched.h"

enum {
	EVENTS_BYTES = 64 * 1024,
	READS_AFTER_STOP = 64,
	DOUBTS_MAX = 3, /* held, as it seems, by a lock that /proc/locks does not show */
};

/*
 * The kernel tells that a file was closed a moment before it drops the locks, and a busy machine makes
 * that moment long: when to look after that, each counted from the look before.
 */
static const int64_t look_delays_ns[] = {2000000, 20000000, 200000000, 2000000000};

enum { LOOKS_MAX = sizeof(look_delays_ns) / sizeof(look_delays_ns[0]) };

static const uint32_t directory_events = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_EXCL_UNLINK;

struct ephemerals {
	struct fs *fs;
	pthread_t thread;
	int inotify_fd;             /* owned */
	int stop_fd;                /* owned; readable: end */
	struct watched_table table; /* the thread's alone */
};

static int add_watch(struct ephemerals *ephemerals, int fd, uint32_t events)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return inotify_add_watch(ephemerals->inotify_fd, path, events);
}

static void forget(struct ephemerals *ephemerals, int wd)
{
	inotify_rm_watch(ephemerals->inotify_fd, wd);
	watched_remove(&ephemerals->table, wd);
}

static int open_path(int dirfd, const char *name)
{
	return openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* -ENOENT: it is no ephemeral array (any more). */
static int open_ephemeral(struct ephemerals *ephemerals, int path_fd, struct opened *ret_opened)
{
	CLEANUP_FD int fd = -1;
	int rc;

	if (path_fd < 0 || fstat(path_fd, &ret_opened->st) < 0 || !S_ISREG(ret_opened->st.st_mode))
		return -ENOENT;
	rc = store_reopen(ephemerals->fs, path_fd, O_RDONLY | O_NOATIME, &fd);
	if (rc == 0)
		rc = format_read_again(fd, &ret_opened->st, &ret_opened->meta);
	if (rc < 0)
		return rc;
	ret_opened->fd = steal_fd(&fd);
	ret_opened->in_mount = false;
	ret_opened->map = NULL;
	if (ephemeral_is(ret_opened))
		return 0;
	opened_deinit(ret_opened);
	return -ENOENT;
}

/* Its look is due soon, and then now and then. */
static void look_soon(struct ephemerals *ephemerals, struct watched *watched)
{
	watched->looks = 0;
	watched_look_at(&ephemerals->table, watched, deadline_now() + look_delays_ns[0]);
}

/*
 * Closed before it is watched, or a look at very many would be so many events; and watched before it
 * is looked at who holds it, which is soon, so that nothing happens between.
 */
static void look(struct ephemerals *ephemerals, int dirfd, const char *dir, const char *name)
{
	CLEANUP_FD int path_fd = store_hides(name) ? -1 : open_path(dirfd, name);
	struct opened opened;
	int wd;

	if (open_ephemeral(ephemerals, path_fd, &opened) < 0)
		return;
	opened_deinit(&opened);
	wd = add_watch(ephemerals, path_fd, IN_CLOSE);
	if (wd >= 0 && watched_put(&ephemerals->table, wd, dir, name, &opened.st) < 0)
		inotify_rm_watch(ephemerals->inotify_fd, wd);
	else if (wd >= 0)
		look_soon(ephemerals, watched_find(&ephemerals->table, wd));
}

static void look_at_entry(struct ephemerals *ephemerals, int dirfd, const char *dir,
			  const struct dirent *entry, struct path_list *subdirs)
{
	char path[PATH_MAX];

	if (entry->d_type == DT_REG)
		look(ephemerals, dirfd, dir, entry->d_name);
	if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
		return;
	if (snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", entry->d_name) <
	    (int)sizeof(path))
		path_list_push(subdirs, path);
}

/* One directory, to be watched from now on; what lies in it goes to `subdirs`. */
static void scan_one(struct ephemerals *ephemerals, const char *dir, struct path_list *subdirs)
{
	CLEANUP_DIR DIR *stream = NULL;
	CLEANUP_FD int path_fd = -1;
	const struct dirent *entry;
	int fd = -1;
	int wd;

	if (store_walk(ephemerals->fs, dir, &path_fd) < 0 ||
	    store_reopen(ephemerals->fs, path_fd, O_RDONLY | O_DIRECTORY, &fd) < 0)
		return;
	wd = add_watch(ephemerals, fd, directory_events);
	if (wd >= 0 && watched_put(&ephemerals->table, wd, dir, NULL, NULL) < 0)
		inotify_rm_watch(ephemerals->inotify_fd, wd);
	stream = fdopendir(fd);
	if (!stream) {
		close(fd);
		return;
	}
	while ((entry = readdir(stream)))
		look_at_entry(ephemerals, fd, dir, entry, subdirs);
}

/* The directory and all below it. */
static void scan(struct ephemerals *ephemerals, const char *dir)
{
	struct path_list left = {0};
	char *path;

	path_list_push(&left, dir);
	while ((path = path_list_pop(&left))) {
		scan_one(ephemerals, path, &left);
		free(path);
	}
	path_list_deinit(&left);
}

static void take_new_name(struct ephemerals *ephemerals, const char *dir,
			  const struct inotify_event *event)
{
	CLEANUP_FD int dirfd = -1;
	char path[PATH_MAX];

	if (event->mask & IN_ISDIR) {
		if (snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", event->name) <
		    (int)sizeof(path))
			scan(ephemerals, path);
	} else if (store_walk(ephemerals->fs, dir, &dirfd) == 0) {
		look(ephemerals, dirfd, dir, event->name);
	}
}

/*
 * Events were lost: all from the beginning. What is watched already would tell of each look at it,
 * and so lose events again.
 */
static void start_over(struct ephemerals *ephemerals)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return;
	dup3(fd, ephemerals->inotify_fd, O_CLOEXEC);
	close(fd);
	watched_table_deinit(&ephemerals->table);
	ephemerals->table = (struct watched_table){0};
	scan(ephemerals, "");
}

static void take_event(struct ephemerals *ephemerals, const struct inotify_event *event)
{
	struct watched *watched;
	CLEANUP_FREE char *dir = NULL;

	watched = watched_find(&ephemerals->table, event->wd);
	if (!watched)
		return;
	if (event->mask & IN_IGNORED) {
		watched_remove(&ephemerals->table, event->wd);
	} else if (watched->name) {
		look_soon(ephemerals, watched);
	} else if (event->len) {
		dir = strdup(watched->dir); /* the table may move */
		if (dir)
			take_new_name(ephemerals, dir, event);
	}
}

/* Does the name still stand for the file? */
static bool is_there(int dirfd, const struct watched *watched)
{
	struct stat st;

	return fstatat(dirfd, watched->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ino == watched->ino && st.st_dev == watched->dev;
}

/*
 * Nobody seems to hold it: unlink it. What can't be, or is not there any more, is forgotten, since
 * to have tried was an event again.
 */
static void reconsider(struct ephemerals *ephemerals, struct watched *watched)
{
	CLEANUP_FD int dirfd = -1;
	CLEANUP_FD int path_fd = -1;
	struct opened opened;
	bool leftover;

	if (store_walk(ephemerals->fs, watched->dir, &dirfd) == 0 && is_there(dirfd, watched))
		path_fd = open_path(dirfd, watched->name);
	if (open_ephemeral(ephemerals, path_fd, &opened) < 0) {
		forget(ephemerals, watched->wd);
		return;
	}
	leftover = ephemeral_is_leftover(dirfd, watched->name, &opened);
	opened_deinit(&opened);
	if (leftover ? is_there(dirfd, watched) : ++watched->doubts >= DOUBTS_MAX)
		forget(ephemerals, watched->wd);
}

/* Somebody holds it, or has yet to let go. */
static void look_later(struct ephemerals *ephemerals, struct watched *watched, int64_t now)
{
	watched->doubts = 0;
	if (++watched->looks < LOOKS_MAX)
		watched_look_at(&ephemerals->table, watched, now + look_delays_ns[watched->looks]);
}

/* All whose look is due; later, if it can't be read who holds them. */
static void judge(struct ephemerals *ephemerals)
{
	struct lock_list locks;
	struct watched *watched;
	int64_t now = deadline_now();
	int rc = 1; /* not read yet */
	int wd = 0;

	while ((watched = watched_take_due(&ephemerals->table, now, wd))) {
		wd = watched->wd;
		if (rc > 0)
			rc = lock_list_read(&locks);
		if (rc < 0 || lock_list_has(&locks, watched->dev, watched->ino))
			look_later(ephemerals, watched, now);
		else
			reconsider(ephemerals, watched);
	}
	if (rc == 0)
		lock_list_deinit(&locks);
}

static bool is_stopped(const struct ephemerals *ephemerals)
{
	struct pollfd stop = {.fd = ephemerals->stop_fd, .events = POLLIN};

	return poll(&stop, 1, 0) > 0;
}

/* What follows an overflow is of watches that are no more. */
static bool take_all(struct ephemerals *ephemerals, const char *bytes, ssize_t count)
{
	ssize_t at = 0;

	while (at < count) {
		const struct inotify_event *event = (const void *)(bytes + at);

		if (event->mask & IN_Q_OVERFLOW)
			return false;
		take_event(ephemerals, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return true;
}

/* What there is goes before the end, but not what comes without one. */
static void take_events(struct ephemerals *ephemerals)
{
	_Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
	int reads_left = READS_AFTER_STOP;
	ssize_t count;

	while (reads_left && (count = read(ephemerals->inotify_fd, bytes, sizeof(bytes))) > 0) {
		bool all = take_all(ephemerals, bytes, count);

		if (is_stopped(ephemerals))
			reads_left = all ? reads_left - 1 : 0;
		if (!all)
			start_over(ephemerals);
	}
}

/* For poll: until the next look. */
static int pause_ms(const struct ephemerals *ephemerals)
{
	int64_t next = ephemerals->table.look_ns;
	int64_t left = next - deadline_now();

	if (!next)
		return -1;
	return left < 0 ? 0 : (int)(left / 1000000) + 1;
}

static void *run(void *data)
{
	struct ephemerals *ephemerals = data;
	struct pollfd both[] = {{.fd = ephemerals->stop_fd, .events = POLLIN},
				{.fd = ephemerals->inotify_fd, .events = POLLIN}};

	scan(ephemerals, "");
	while (poll(both, 2, pause_ms(ephemerals)) >= 0 || errno == EINTR) {
		take_events(ephemerals);
		if (both[0].revents)
			watched_mark_all(&ephemerals->table);
		judge(ephemerals);
		if (both[0].revents)
			break;
	}
	return NULL;
}

static void close_all(struct ephemerals *ephemerals)
{
	cleanup_fd(&ephemerals->inotify_fd);
	cleanup_fd(&ephemerals->stop_fd);
	watched_table_deinit(&ephemerals->table);
	free(ephemerals);
}

int ephemerals_start(struct fs *fs, struct ephemerals **ret_ephemerals)
{
	struct ephemerals *ephemerals = calloc(1, sizeof(*ephemerals));
	int rc;

	if (!ephemerals)
		return -ENOMEM;
	ephemerals->fs = fs;
	ephemerals->stop_fd = eventfd(0, EFD_CLOEXEC);
	ephemerals->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	rc = ephemerals->stop_fd < 0 || ephemerals->inotify_fd < 0
		     ? -errno
		     : signals_thread_without(&ephemerals->thread, run, ephemerals);
	if (rc < 0) {
		close_all(ephemerals);
		return rc;
	}
	*ret_ephemerals = ephemerals;
	return 0;
}

void ephemerals_stop(struct ephemerals *ephemerals)
{
	if (!ephemerals)
		return;
	eventfd_write(ephemerals->stop_fd, 1);
	pthread_join(ephemerals->thread, NULL);
	close_all(ephemerals);
}
