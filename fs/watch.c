/* SPDX-License-Identifier: BSD-3-Clause */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "fuse_api.h"
#include "signals.h"

enum {
	BUCKET_COUNT = 256,
	/* A reply that was composed before a change has reached the client by then, and events that
	   repeat each other have become one. */
	DELAY_MS = 10,
	EVENTS_BYTES = 64 * 1024,
	NUMBERS_AT_ONCE = 512,
};

/*
 * Never IN_OPEN and IN_CLOSE, which would cost every attach of the store's arrays 5 us. Nameless
 * files (O_TMPFILE) count as unlinked, and are nobody's concern.
 */
static const uint32_t events_wanted = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
				      IN_ATTRIB | IN_MODIFY | IN_EXCL_UNLINK | IN_ONLYDIR;

struct watcher {
	struct fs *fs;
	pthread_t thread;
	int inotify_fd;                      /* owned */
	int stop_fd;                         /* owned; readable: end */
	struct watch *buckets[BUCKET_COUNT]; /* by wd; under the inode table's lock */
};

/* Under the lock: what points to the watch, or to NULL behind the last. */
static struct watch **find(struct watcher *watcher, int wd)
{
	struct watch **at = &watcher->buckets[(unsigned)wd % BUCKET_COUNT];

	while (*at && (*at)->wd != wd)
		at = &(*at)->next;
	return at;
}

/* Under the lock: something has happened in it. Never 0, which stands for no watch. */
static void note_event(struct watch *watch)
{
	if (!++watch->generation)
		watch->generation = 1;
}

/* Under the lock. A directory that was renamed directly has an inode for each of its names. */
static void hand_to(struct watch *watch, struct inode *dir)
{
	if (watch->dir)
		watch->dir->watch = NULL;
	watch->dir = dir;
	note_event(watch);
	dir->watch = watch;
}

void watch_directory(struct fs *fs, struct inode *dir, int dirfd)
{
	struct watcher *watcher = fs->watcher;
	CLEANUP_FREE struct watch *fresh = NULL;
	struct watch **at;
	char path[32];
	int wd;

	if (!watcher || watch_generation(fs, dir))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	wd = inotify_add_watch(watcher->inotify_fd, path, events_wanted);
	fresh = wd < 0 ? NULL : calloc(1, sizeof(*fresh));
	if (!fresh)
		return;
	fresh->wd = wd;
	pthread_mutex_lock(&fs->inodes.lock);
	at = find(watcher, wd);
	if (!*at)
		*at = steal_ptr(fresh);
	hand_to(*at, dir);
	pthread_mutex_unlock(&fs->inodes.lock);
}

uint32_t watch_generation(struct fs *fs, const struct inode *dir)
{
	uint32_t generation;

	pthread_mutex_lock(&fs->inodes.lock);
	generation = dir->watch ? dir->watch->generation : 0;
	pthread_mutex_unlock(&fs->inodes.lock);
	return generation;
}

/* Attributes alone: that needs no lock which a client could hold. What it does not know is no error. */
static void forget(struct watcher *watcher, uint64_t number)
{
	fuse_lowlevel_notify_inval_inode(watcher->fs->session, number, -1, 0);
}

/* Events were lost. */
static void forget_all(struct watcher *watcher)
{
	struct inode_table *inodes = &watcher->fs->inodes;
	uint64_t numbers[NUMBERS_AT_ONCE];
	size_t count, bucket = 0;
	struct watch *watch;

	pthread_mutex_lock(&inodes->lock);
	for (int i = 0; i < BUCKET_COUNT; i++)
		for (watch = watcher->buckets[i]; watch; watch = watch->next)
			note_event(watch);
	pthread_mutex_unlock(&inodes->lock);
	while ((count = inode_numbers(inodes, &bucket, numbers, NUMBERS_AT_ONCE)))
		for (size_t i = 0; i < count; i++)
			forget(watcher, numbers[i]);
}

/* Under the lock: the watch's end, since its directory is no more. */
static void drop(struct watch **at)
{
	struct watch *watch = *at;

	*at = watch->next;
	if (watch->dir)
		watch->dir->watch = NULL;
	free(watch);
}

/*
 * Only what is kept for long is forgotten: attributes that the kernel is just being told would be
 * lost, and permission be refused by those it had before.
 */
static void take_event(struct watcher *watcher, const struct inotify_event *event)
{
	struct inode_table *inodes = &watcher->fs->inodes;
	struct inode *inode = NULL;
	struct watch **at;
	uint64_t number = 0;

	if (event->mask & IN_Q_OVERFLOW) {
		forget_all(watcher);
		return;
	}
	pthread_mutex_lock(&inodes->lock);
	at = find(watcher, event->wd);
	if (*at && event->mask & IN_IGNORED) {
		drop(at);
	} else if (*at) {
		note_event(*at);
		if ((*at)->dir && event->len)
			inode = inode_find(inodes, (*at)->dir, event->name);
		if (inode && inode->listed)
			number = inode_number(inode);
	}
	pthread_mutex_unlock(&inodes->lock);
	if (number)
		forget(watcher, number);
}

static bool is_stopped(struct watcher *watcher, int timeout_ms)
{
	struct pollfd stop = {.fd = watcher->stop_fd, .events = POLLIN};

	return poll(&stop, 1, timeout_ms) > 0;
}

static void take_events(struct watcher *watcher)
{
	_Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
	ssize_t count;

	while (!is_stopped(watcher, 0) &&
	       (count = read(watcher->inotify_fd, bytes, sizeof(bytes))) > 0) {
		ssize_t at = 0;

		while (at < count) {
			const struct inotify_event *event = (const void *)(bytes + at);

			take_event(watcher, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
}

static void *run(void *data)
{
	struct watcher *watcher = data;
	struct pollfd both[] = {{.fd = watcher->stop_fd, .events = POLLIN},
				{.fd = watcher->inotify_fd, .events = POLLIN}};

	while (poll(both, 2, -1) >= 0 || errno == EINTR) {
		if (is_stopped(watcher, DELAY_MS))
			break;
		take_events(watcher);
	}
	return NULL;
}

static void close_all(struct watcher *watcher)
{
	cleanup_fd(&watcher->inotify_fd);
	cleanup_fd(&watcher->stop_fd);
	free(watcher);
}

int watch_start(struct fs *fs, struct watcher **ret_watcher)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int rc;

	if (!watcher)
		return -ENOMEM;
	watcher->fs = fs;
	watcher->stop_fd = eventfd(0, EFD_CLOEXEC);
	watcher->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	rc = watcher->stop_fd < 0 || watcher->inotify_fd < 0
		     ? -errno
		     : signals_thread_without(&watcher->thread, run, watcher);
	if (rc < 0) {
		close_all(watcher);
		return rc;
	}
	*ret_watcher = watcher;
	return 0;
}

void watch_stop(struct fs *fs, struct watcher *watcher)
{
	if (!watcher)
		return;
	eventfd_write(watcher->stop_fd, 1);
	pthread_join(watcher->thread, NULL);
	pthread_mutex_lock(&fs->inodes.lock);
	for (int i = 0; i < BUCKET_COUNT; i++)
		while (watcher->buckets[i])
			drop(&watcher->buckets[i]);
	pthread_mutex_unlock(&fs->inodes.lock);
	close_all(watcher);
}
