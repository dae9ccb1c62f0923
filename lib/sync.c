/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lock, event and sequence of an array, in the second cache line of its fixed block. Whoever may
 * write the array may write these words too, so that none is trusted: no address is kept there, and
 * the worst that garbage does is a wait that ends by its timeout, or an error. No pthread type lies
 * there, since a robust mutex would have others write into the holder's memory.
 *
 * The owner (owner.h) is taken and given back in one step, its low half with a bit for waiters
 * being the word that futexes wait on.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "error.h"
#include "owner.h"
#include "sharr.h"

/* At FORMAT_BLOCK_SYNC of the fixed block. */
struct sync {
	_Atomic uint64_t lock; /* owner, or 0 */
	_Atomic uint32_t event;
	_Atomic uint32_t sequence; /* odd while somebody writes */
	_Atomic uint64_t writer;   /* who, or 0 */
};

_Static_assert(sizeof(struct sync) <= FORMAT_BLOCK_BYTES - FORMAT_BLOCK_SYNC,
	       "it fits into the block");

#define WAITERS OWNER_FREE_BIT

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
	} one = {1};

	return (uint32_t *)(void *)owner + (one.byte ? 0 : 1);
}

static int futex_wait(uint32_t *word, uint32_t value, int64_t timeout_ns)
{
	struct timespec timeout = {(time_t)(timeout_ns / 1000000000),
				   (long)(timeout_ns % 1000000000)};

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

static struct sync *sync_of(const struct sharr *array)
{
	return (struct sync *)((char *)array->data + format_block_offset(array->info.nbytes) +
			       FORMAT_BLOCK_SYNC);
}

/* Can this array, attached so, be locked? write: words will be changed. */
static int check(const struct sharr *array, bool write)
{
	error_clear();
	if (array->info.foreign ||
	    !format_is_block((char *)array->data + format_block_offset(array->info.nbytes)))
		return error_set(-ENOTSUP, "this array was written by SharedArray, which left no "
					   "room for a lock: store a copy "
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
	own = owner_self();
	for (bool waited = false;; waited = true) {
		int64_t nap;

		r = try_lock(sync, own, waited);
		if (r <= 0)
			return r;
		seen = atomic_load(&sync->lock);
		if (owner_is_gone(seen) && bury(sync, seen))
			return error_set(-EOWNERDEAD, "the thread that had the lock died; the lock "
						      "is free again, the data may be "
						      "half changed");
		if (!waited)
			deadline = deadline_after(timeout_ns);
		nap = nap_ns(deadline);
		if (nap == 0)
			return -ETIMEDOUT;
		if ((uint32_t)seen == 0 ||
		    (!(seen & WAITERS) &&
		     !atomic_compare_exchange_strong(&sync->lock, &seen, seen | WAITERS)))
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
	own = owner_self();
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
	own = owner_self();
	while (!atomic_compare_exchange_strong(&sync->writer, &seen, own)) {
		if (seen == own)
			return error_set(-EDEADLK, "this thread is writing already");
		if (seen != 0 && !owner_is_gone(seen))
			return error_set(
				-EBUSY,
				"another thread is writing: let writers take turns by the lock");
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
	own = owner_self();
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

		if (owner_is_gone(atomic_load(&sync->writer)) &&
		    atomic_load(&sync->sequence) == sequence)
			return error_set(-EOWNERDEAD,
					 "the thread that was writing died in the middle of it");
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
