/* SPDX-License-Identifier: BSD-3-Clause */
#include "owner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "origin.h"

enum { PIDNS_BITS = 20, START_BITS = 12 };

static uint64_t low_bits(uint64_t number, int bits)
{
	return number & ((1u << bits) - 1);
}

/*
 * The state and the start time of a thread of this namespace. False: there is none such, or /proc
 * does not tell.
 */
static bool read_thread(uint32_t tid, char *ret_state, uint64_t *ret_start_ticks)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	return origin_read_stat(path, ret_state, ret_start_ticks);
}

uint64_t owner_self(void)
{
	static _Thread_local uint64_t cached;
	static _Thread_local unsigned cached_at;
	unsigned forks = origin_fork_count();

	if (cached_at != forks) {
		uint32_t tid = (uint32_t)syscall(SYS_gettid);
		uint64_t start_ticks = 0;
		struct origin origin;
		char state;

		origin_now(&origin);
		read_thread(tid, &state, &start_ticks);
		cached = (low_bits(origin.pidns, PIDNS_BITS) << START_BITS |
			  low_bits(start_ticks, START_BITS))
				 << 32 |
			 tid;
		cached_at = forks;
	}
	return cached;
}

bool owner_is_gone(uint64_t owner)
{
	uint32_t tid = (uint32_t)owner & ~OWNER_FREE_BIT;
	struct origin origin;
	uint64_t start_ticks;
	char state;

	origin_now(&origin);
	if (origin.pidns == 0 || owner >> (32 + START_BITS) != low_bits(origin.pidns, PIDNS_BITS) ||
	    tid == 0)
		return false;
	if (kill((pid_t)tid, 0) < 0)
		return errno == ESRCH;
	if (!read_thread(tid, &state, &start_ticks))
		return false;
	return state == 'Z' || state == 'X' ||
	       low_bits(start_ticks, START_BITS) != low_bits(owner >> 32, START_BITS);
}
