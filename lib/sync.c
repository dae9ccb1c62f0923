/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lock, event and sequence of an array, in the second cache line of its fixed block. Whoever may write the array may write
 * these words too, so that none is trusted: no address is kept there, and the worst that garbage does is a wait that ends by
 * its timeout, or an error. No pthread type lies there, since a robust mutex would have others write into the holder's memory.
 *
 * Owners are told by 64 bits that are taken and given back in one step: the low half is the thread's id and a bit for waiters
 * (the word that futexes wait on), the high half a tag of its pid namespace and start time, so that nobody is taken for dead
 * who lives in another namespace, and a thread id that is used again is not taken for the old one.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "error.h"
#include "origin.h"
#include "sharr.h"

/* At FORMAT_BLOCK_SYNC of the fixed block. */
struct sync {
	_Atomic uint64_t lock; /* owner, or 0 */
	_Atomic uint32_t event;
	_Atomic uint32_t sequence; /* odd while somebody writes */
	_Atomic uint64_t writer;   /* who, or 0 */
};

_Static_assert(sizeof(struct sync) <= FORMAT_BLOCK_BYTES - FORMAT_BLOCK_SYNC, "it fits into the block");

#define WAITERS 0x80000000u

enum {
	JUDGE_NS = 100000000, /* how often a waiter looks whether the owner still lives */
	SPIN_COUNT = 200,
};

/* The futex word of an owner: its low half, wherever this machine has that. */
static uint32_t *word_of(_Atomic uint64_t *owner)
{
	const union {
		uint32_t word;
		unsigned char byte;
	} one = { 1 };

	return (uint32_t *)(void *)owner + (one.byte ? 0 : 1);
}

static int futex_wait(uint32_t *word, uint32_t value, int64_t timeout_ns)
{
	struct timespec timeout = { (time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000) };

	return syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0) < 0 ? -errno : 0;
}

static void futex_wake(uint32_t *word, int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* When to give up; a negative timeout is never. */
static int64_t deadline_after(int64_t timeout_ns)
{
	int64_t deadline;

	if (timeout_ns < 0 || __builtin_add_overflow(now_ns(), timeout_ns, &deadline))
		return INT64_MAX;
	return deadline;
}

/* How long to sleep at most until the deadline; 0 when it is over. */
static int64_t nap_ns(int64_t deadline)
{
	int64_t left = deadline == INT64_MAX ? JUDGE_NS : deadline - now_ns();

	return left < 0 ? 0 : left < JUDGE_NS ? left : JUDGE_NS;
}

/*
 * The state and the start time of a thread of this namespace. False: there is none such, or /proc does not tell.
 */
static bool read_thread(uint32_t tid, char *ret_state, uint64_t *ret_start_ticks)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	return origin_read_stat(path, ret_state, ret_start_ticks);
}

static uint64_t owner_word(uint32_t tid, uint64_t pidns, uint64_t start_ticks)
{
	uint32_t tag = (uint32_t)((pidns & 0xfffff) << 12 | (start_ticks & 0xfff));

	return (uint64_t)tag << 32 | tid;
}

/* This thread, as an owner. Looked up once per thread and process. */
static uint64_t own_word(void)
{
	static _Thread_local uint64_t cached;
	static _Thread_local unsigned cached_at;
	unsigned forks = origin_fork_count();

	if (cached_at != forks) {
		uint32_t tid = (uint32_t)syscall(SYS_gettid);
		struct origin origin;
		uint64_t start_ticks = 0;
		char state;

		origin_now(&origin);
		read_thread(tid, &state, &start_ticks);
		cached = owner_word(tid, origin.pidns, start_ticks);
		cached_at = forks;
	}
	return cached;
}

/* Is the owner known to be gone? Never said of one in another pid namespace, or one that can't be looked at. */
static bool is_gone(uint64_t owner)
{
	uint32_t tid = (uint32_t)owner & ~WAITERS;
	struct origin origin;
	uint64_t start_ticks;
	char state;

	origin_now(&origin);
	if (owner >> 44 != (origin.pidns & 0xfffff) || origin.pidns == 0 || tid == 0)
		return false;
	if (kill((pid_t)tid, 0) < 0)
		return errno == ESRCH;
	if (!read_thread(tid, &state, &start_ticks))
		return false;
	return state == 'Z' || state == 'X' || (start_ticks & 0xfff) != (owner >> 32 & 0xfff);
}

static struct sync *sync_of(const struct sharr *array)
{
	return (struct sync *)((char *)array->data + format_block_offset(array->info.nbytes) + FORMAT_BLOCK_SYNC);
}

/* Can this array, attached so, be locked? write: words will be changed. */
static int check(const struct sharr *array, bool write)
{
	error_clear();
	if (array->info.foreign || !format_is_block((char *)array->data + format_block_offset(array->info.nbytes)))
		return error_set(-ENOTSUP, "this array was written by SharedArray, which left no room for a lock: store a copy "
				 "of it");
	if (write && array->readonly)
		return error_set(-EACCES, "it is attached read-only: attach it for writing");
	return 0;
}

/* One look at a lock that somebody has: 0 if it has just become ours, 1 if not, or an error. */
static int try_lock(struct sync *sync, uint64_t own, bool waited)
{
	uint64_t seen = 0;

	if (waited)
		own |= WAITERS; /* there may be others */
	for (int i = 0; i < SPIN_COUNT; i++) {
		if (((uint32_t)seen & ~WAITERS) == 0) {
			if (atomic_compare_exchange_weak(&sync->lock, &seen, own))
				return 0;
		} else {
			seen = atomic_load(&sync->lock);
		}
		if ((seen & ~(uint64_t)WAITERS) == (own & ~(uint64_t)WAITERS))
			return error_set(-EDEADLK, "this thread has the lock already");
	}
	return 1;
}

/* Take it from a dead owner, so that the next may have it. */
static bool bury(struct sync *sync, uint64_t owner)
{
	if (!atomic_compare_exchange_strong(&sync->lock, &owner, 0))
		return false;
	futex_wake(word_of(&sync->lock), INT_MAX);
	return true;
}

int sharr_lock(struct sharr *array, int64_t timeout_ns)
{
	int64_t deadline = 0;
	uint64_t own, seen;
	struct sync *sync;
	int r = check(array, true);

	if (r < 0)
		return r;
	sync = sync_of(array);
	own = own_word();
	for (bool waited = false;; waited = true) {
		int64_t nap;

		r = try_lock(sync, own, waited);
		if (r <= 0)
			return r;
		seen = atomic_load(&sync->lock);
		if (is_gone(seen) && bury(sync, seen))
			return error_set(-EOWNERDEAD, "the thread that had the lock died; the lock is free again, the data may be "
					 "half changed");
		if (!waited)
			deadline = deadline_after(timeout_ns);
		nap = nap_ns(deadline);
		if (nap == 0)
			return -ETIMEDOUT;
		if ((uint32_t)seen == 0 ||
		    (!(seen & WAITERS) && !atomic_compare_exchange_strong(&sync->lock, &seen, seen | WAITERS)))
			continue;
		if (futex_wait(word_of(&sync->lock), (uint32_t)seen | WAITERS, nap) == -EINTR)
			return -EINTR;
	}
}

int sharr_unlock(struct sharr *array)
{
	uint64_t own, seen;
	struct sync *sync;
	int r = check(array, true);

	if (r < 0)
		return r;
	sync = sync_of(array);
	own = own_word();
	seen = own;
	while (!atomic_compare_exchange_weak(&sync->lock, &seen, 0))
		if ((seen & ~(uint64_t)WAITERS) != own)
			return error_set(-EPERM, "this thread does not have the lock");
	if (seen & WAITERS)
		futex_wake(word_of(&sync->lock), 1);
	return 0;
}

int sharr_event(const struct sharr *array, uint32_t *ret_count)
{
	int r = check(array, false);

	if (r < 0)
		return r;
	*ret_count = atomic_load(&sync_of(array)->event);
	return 0;
}

int sharr_notify(struct sharr *array)
{
	struct sync *sync;
	int r = check(array, true);

	if (r < 0)
		return r;
	sync = sync_of(array);
	atomic_fetch_add(&sync->event, 1);
	futex_wake((uint32_t *)(void *)&sync->event, INT_MAX);
	return 0;
}

int sharr_wait(const struct sharr *array, uint32_t seen, int64_t timeout_ns, uint32_t *ret_count)
{
	int64_t deadline = deadline_after(timeout_ns);
	struct sync *sync;
	uint32_t count;
	int r = check(array, false);

	if (r < 0)
		return r;
	sync = sync_of(array);
	while ((count = atomic_load(&sync->event)) == seen) {
		int64_t nap = deadline == INT64_MAX ? INT64_MAX / 2 : deadline - now_ns();

		if (nap <= 0)
			return -ETIMEDOUT;
		if (futex_wait((uint32_t *)(void *)&sync->event, seen, nap) == -EINTR)
			return -EINTR;
	}
	*ret_count = count;
	return 0;
}

int sharr_write_begin(struct sharr *array)
{
	uint64_t own, seen = 0;
	struct sync *sync;
	int r = check(array, true);

	if (r < 0)
		return r;
	sync = sync_of(array);
	own = own_word();
	while (!atomic_compare_exchange_strong(&sync->writer, &seen, own)) {
		if (seen == own)
			return error_set(-EDEADLK, "this thread is writing already");
		if (seen != 0 && !is_gone(seen))
			return error_set(-EBUSY, "another thread is writing: let writers take turns by the lock");
		if (seen != 0 && atomic_compare_exchange_strong(&sync->writer, &seen, own))
			break;
		seen = 0;
	}
	atomic_fetch_or(&sync->sequence, 1); /* odd already if a writer died before */
	atomic_thread_fence(memory_order_seq_cst);
	return 0;
}

int sharr_write_end(struct sharr *array)
{
	uint64_t own;
	struct sync *sync;
	int r = check(array, true);

	if (r < 0)
		return r;
	sync = sync_of(array);
	own = own_word();
	if (atomic_load(&sync->writer) != own)
		return error_set(-EPERM, "this thread has not begun to write");
	atomic_store(&sync->sequence, (atomic_load(&sync->sequence) | 1) + 1);
	atomic_store(&sync->writer, 0);
	futex_wake((uint32_t *)(void *)&sync->sequence, INT_MAX);
	return 0;
}

/* Wait until nobody writes. */
static int wait_even(struct sync *sync, int64_t deadline, uint32_t *ret_sequence)
{
	uint32_t sequence;

	while ((sequence = atomic_load(&sync->sequence)) & 1) {
		int64_t nap = nap_ns(deadline);

		if (is_gone(atomic_load(&sync->writer)) && atomic_load(&sync->sequence) == sequence)
			return error_set(-EOWNERDEAD, "the thread that was writing died in the middle of it");
		if (nap == 0)
			return -ETIMEDOUT;
		if (futex_wait((uint32_t *)(void *)&sync->sequence, sequence, nap) == -EINTR)
			return -EINTR;
	}
	*ret_sequence = sequence;
	return 0;
}

int sharr_snapshot(const struct sharr *array, void *buffer, int64_t timeout_ns)
{
	int64_t deadline = deadline_after(timeout_ns);
	struct sync *sync;
	uint32_t sequence = 0;
	int r = check(array, false);

	if (r < 0)
		return r;
	sync = sync_of(array);
	for (;;) {
		r = wait_even(sync, deadline, &sequence);
		if (r < 0)
			return r;
		memcpy(buffer, array->data, (size_t)array->info.nbytes);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&sync->sequence) == sequence)
			return 0;
		if (nap_ns(deadline) == 0)
			return -ETIMEDOUT;
	}
}
