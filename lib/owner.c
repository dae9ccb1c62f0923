/* SPDX-License-Identifier: BSD-3-Clause */
#include "owner.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deadline.h"
#include "origin.h"

enum { NAMESPACE_BITS = 20, START_BITS = 12, LOOK_NS = 100000000 };

static uint64_t low_bits(uint64_t number, int bits)
{
	return number & ((1u << bits) - 1);
}

/* 0: unknown. */
static uint64_t namespace_tag(void)
{
	struct origin origin;
	struct stat st;

	origin_now(&origin);
	if (origin.pidns == 0)
		return 0;
	if (stat("/proc/self/ns/time", &st) < 0)
		st.st_ino = 0; /* before Linux 5.6 */
	return low_bits(origin.pidns ^ (uint64_t)st.st_ino << 4, NAMESPACE_BITS);
}

static uint64_t look_up_self(void)
{
	uint64_t start_ticks = 0;
	char state;

	/* Not by its number, which is another's in the /proc of another pid namespace. */
	origin_read_stat("/proc/thread-self/stat", &state, &start_ticks);
	return (namespace_tag() << START_BITS | low_bits(start_ticks, START_BITS)) << 32 |
	       (uint32_t)syscall(SYS_gettid);
}

uint64_t owner_self(void)
{
	static _Thread_local uint64_t cached;
	static _Thread_local unsigned cached_at;
	unsigned forks = origin_fork_count();

	if (cached_at != forks) {
		cached = look_up_self();
		cached_at = forks;
	}
	return cached;
}

static bool look(uint64_t owner)
{
	uint32_t tid = (uint32_t)owner;
	uint64_t tag = owner_self() >> (32 + START_BITS), start_ticks;

	if (tid == 0 || tag == 0 || owner >> (32 + START_BITS) != tag)
		return false;
	switch (origin_find(tid, &start_ticks)) {
	case ORIGIN_GONE:
		return true;
	case ORIGIN_LIVES:
		return low_bits(start_ticks, START_BITS) != low_bits(owner >> 32, START_BITS);
	case ORIGIN_UNSEEN:
		break;
	}
	return false;
}

bool owner_is_gone(uint64_t owner)
{
	static _Thread_local uint64_t alive;
	static _Thread_local int64_t looked_ns;
	int64_t now = deadline_now();

	owner &= ~(uint64_t)OWNER_FREE_BITS;
	if (owner == alive && now - looked_ns < LOOK_NS)
		return false;
	if (look(owner))
		return true;
	alive = owner;
	looked_ns = now;
	return false;
}
