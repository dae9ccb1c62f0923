/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who made an array, and when: enough to tell later whether that process still lives. A pid alone
 * is reused and means nothing in another pid namespace or after a boot, so the start time, the
 * namespace's inode and the boot id go with it.
 */
#ifndef SHARR_ORIGIN_H
#define SHARR_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

struct origin {
	uint64_t created_ns;  /* CLOCK_REALTIME */
	uint64_t start_ticks; /* field 22 of /proc/PID/stat: clock ticks since boot; 0 if unknown */
	uint64_t pidns;       /* inode of /proc/PID/ns/pid; 0 if unknown */
	uint32_t pid;         /* 0 if unknown */
	uint32_t uid;         /* effective */
	unsigned char boot_id[16];
};

/*
 * This process, now. All but the time is looked up once per process and again after a fork. Any
 * thread.
 */
void origin_now(struct origin *ret_origin);

/*
 * Counts the forks that led to this process, so that what a thread remembers of itself (its id, its
 * process) is known to be its parent's: cheaper than asking the kernel each time.
 */
unsigned origin_fork_count(void);

enum origin_found {
	ORIGIN_GONE,
	ORIGIN_LIVES,
	ORIGIN_UNSEEN, /* there is one, but /proc does not show it, or is another namespace's */
};

/*
 * The process or thread of this number in this pid namespace. *ret_start_ticks: since when, if it
 * lives; not the wanted one's if that number has been given anew.
 */
enum origin_found origin_find(uint32_t id, uint64_t *ret_start_ticks);

/*
 * State ('R', 'Z', …) and start time of the process or thread with this /proc/…/stat. False: it
 * can't be read.
 */
bool origin_read_stat(const char *path, char *ret_state, uint64_t *ret_start_ticks);

#endif
