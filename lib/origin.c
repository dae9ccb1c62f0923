/* SPDX-License-Identifier: BSD-3-Clause */
#include "origin.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "timespec.h"

/* Read a small file of /proc as a string; "" if that can't be. */
static void read_text(const char *path, char *ret_text, size_t bytes)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret_text, bytes - 1);

	ret_text[n < 0 ? 0 : n] = '\0';
}

/*
 * The command's name, in parentheses, may hold blanks and parentheses: count the fields from the
 * last one on.
 */
bool origin_read_stat(const char *path, char *ret_state, uint64_t *ret_start_ticks)
{
	char text[1024];
	const char *at;

	read_text(path, text, sizeof(text));
	at = strrchr(text, ')');
	if (!at || at[1] != ' ')
		return false;
	*ret_state = at[2];
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*ret_start_ticks = strtoull(at, NULL, 10);
	return true;
}

static void read_boot_id(unsigned char *ret_id)
{
	char text[64];
	int n = 0;

	read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text));
	memset(ret_id, 0, 16);
	for (const char *at = text; *at && n < 32; at++) {
		const char *digit = strchr("0123456789abcdef", *at);

		if (!digit)
			continue;
		ret_id[n / 2] = (unsigned char)(ret_id[n / 2] << 4 | (digit - "0123456789abcdef"));
		n++;
	}
}

static atomic_uint fork_count = 1;

static void count_fork(void)
{
	atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

unsigned origin_fork_count(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	return atomic_load_explicit(&fork_count, memory_order_relaxed);
}

/* /proc may have been mounted in another pid namespace, as in the child of `unshare -pf`. */
static bool proc_is_ours(void)
{
	static _Thread_local unsigned looked_at;
	static _Thread_local bool ours;
	unsigned forks = origin_fork_count();

	if (looked_at != forks) {
		char target[16];
		ssize_t n = readlink("/proc/self", target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		ours = strtol(target, NULL, 10) == getpid();
		looked_at = forks;
	}
	return ours;
}

enum origin_found origin_find(uint32_t id, uint64_t *ret_start_ticks)
{
	char path[32], state;

	if (kill((pid_t)id, 0) < 0 && errno == ESRCH)
		return ORIGIN_GONE;
	snprintf(path, sizeof(path), "/proc/%u/stat", id);
	if (!proc_is_ours() || !origin_read_stat(path, &state, ret_start_ticks))
		return ORIGIN_UNSEEN;
	return state == 'Z' || state == 'X' ? ORIGIN_GONE : ORIGIN_LIVES;
}

/* Per thread, so that no lock is needed, which a fork could leave held in the child. */
static _Thread_local struct origin cached;
static _Thread_local unsigned cached_at; /* the count of forks then; 0: never */

void origin_now(struct origin *ret_origin)
{
	unsigned forks = origin_fork_count();
	struct timespec now;
	struct stat st;
	char state;

	if (cached_at != forks) {
		read_boot_id(cached.boot_id);
		if (!origin_read_stat("/proc/self/stat", &state, &cached.start_ticks))
			cached.start_ticks = 0;
		cached.pidns = stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
		cached.pid = (uint32_t)getpid();
		cached_at = forks;
	}
	*ret_origin = cached;
	ret_origin->uid = (uint32_t)geteuid();
	clock_gettime(CLOCK_REALTIME, &now);
	ret_origin->created_ns = (uint64_t)timespec_ns(&now);
}
