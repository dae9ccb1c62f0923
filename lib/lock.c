/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lock of an array: one word that is 0 while it is free, else its owner (owner.h), taken and
 * given back in one step. Its low half is what waiters sleep on (futex). In the spare bits of the
 * owner's low half waiters tell that there are some, and that one of them has waited for long.
 *
 * Whoever comes by takes a free lock, before waiters that have yet to wake up: that is what makes it
 * fast when many want it. A waiter that has lost so for STARVING_NS says so, and then the lock is
 * given back reserved: only such waiters take it. A reservation that none of them comes for, as
 * when it died, ends by itself; the word's high half has the time it was made.
 */
#include <errno.h>
#include <limits.h>

#include "deadline.h"
#include "error.h"
#include "futex.h"
#include "owner.h"
#include "sync.h"

#define WAITERS 0x80000000u
#define STARVING 0x40000000u

_Static_assert((WAITERS | STARVING) == OWNER_FREE_BITS, "no owner has them");

enum {
	STARVING_NS = 4000000,
	RESERVED_MS = 10,
	SPIN_COUNT = 100,
};

/* The low half of the word, wherever this machine has that. */
static void *futex_of(struct sync *sync)
{
	const union {
		uint32_t word;
		unsigned char byte;
	} one = {1};

	return (uint32_t *)(void *)&sync->lock + (one.byte ? 0 : 1);
}

static bool has_owner(uint64_t seen)
{
	return (uint32_t)seen & ~OWNER_FREE_BITS;
}

static uint32_t now_ms(void)
{
	return (uint32_t)(deadline_now() / 1000000);
}

static uint64_t reservation(void)
{
	return (uint64_t)now_ms() << 32 | WAITERS | STARVING;
}

/* May the lock, as seen, be taken? */
static bool is_free_for(uint64_t seen, bool starving)
{
	if (has_owner(seen))
		return false;
	return starving || !(seen & STARVING) || now_ms() - (uint32_t)(seen >> 32) >= RESERVED_MS;
}

static bool try_take(struct sync *sync, uint64_t seen, uint64_t own)
{
	return atomic_compare_exchange_strong(&sync->lock, &seen, own);
}

/* It may be given back in a moment, which sleeping and waking up takes longer than. */
static bool spin(struct sync *sync, uint64_t own)
{
	for (int i = 0; i < SPIN_COUNT; i++)
		if (atomic_load_explicit(&sync->lock, memory_order_relaxed) == 0 &&
		    try_take(sync, 0, own))
			return true;
	return false;
}

/* Take it from a dead owner, so that the next may have it. */
static int bury(struct sync *sync, uint64_t owner)
{
	if (!try_take(sync, owner, 0))
		return 0;
	futex_wake(futex_of(sync), INT_MAX);
	return error_set(-EOWNERDEAD, "the thread that had the lock died; the lock is free again, "
				      "the data may be half changed");
}

/* Sleep until the lock, as seen, has changed, or for nap_ns. Who gives it back is told to wake us. */
static int sleep_on(struct sync *sync, uint64_t seen, bool starving, int64_t nap_ns)
{
	uint64_t wanted = seen | WAITERS | (starving ? STARVING : 0);

	if (has_owner(seen) && wanted != seen && !try_take(sync, seen, wanted))
		return 0;
	return futex_wait(futex_of(sync), (uint32_t)(has_owner(seen) ? wanted : seen), nap_ns);
}

/* Without it. A wake-up may have been for us alone: another waiter takes it then. */
static int give_up(struct sync *sync, int r)
{
	if (!has_owner(atomic_load(&sync->lock)))
		futex_wake(futex_of(sync), 1);
	return r;
}

static int lock_slowly(struct sync *sync, uint64_t own, int64_t timeout_ns)
{
	int64_t deadline = deadline_after(timeout_ns), starving_at = deadline_after(STARVING_NS);
	uint64_t waiters = 0; /* whoever has slept leaves others behind, perhaps */

	for (;;) {
		uint64_t seen = atomic_load(&sync->lock);
		int64_t patience = deadline_nap(starving_at, SYNC_JUDGE_NS), nap;
		int r = 0;

		if (is_free_for(seen, patience == 0)) {
			if (try_take(sync, seen, own | waiters))
				return 0;
			continue;
		}
		if ((seen & ~(uint64_t)OWNER_FREE_BITS) == own)
			return error_set(-EDEADLK, "this thread has the lock already");
		if (has_owner(seen) && owner_is_gone(seen))
			r = bury(sync, seen);
		if (r < 0)
			return r;
		nap = deadline_nap(deadline, patience ? patience : SYNC_JUDGE_NS);
		if (nap == 0)
			return give_up(sync, error_set(-ETIMEDOUT, "another thread has the lock"));
		if (sleep_on(sync, seen, patience == 0, nap) == -EINTR)
			return give_up(sync, -EINTR);
		waiters = WAITERS;
	}
}

int sharr_lock(struct sharr *array, int64_t timeout_ns)
{
	struct sync *sync;
	uint64_t own;
	int r = sync_of(array, true, &sync);

	if (r < 0)
		return r;
	own = owner_self();
	if (try_take(sync, 0, own) || (timeout_ns != 0 && spin(sync, own)))
		return 0;
	return lock_slowly(sync, own, timeout_ns);
}

/* If nobody is there to come for the reservation, it is none. */
static void wake_starving(struct sync *sync, uint64_t reserved)
{
	if (futex_wake(futex_of(sync), INT_MAX) == 0)
		try_take(sync, reserved, 0);
}

int sharr_unlock(struct sharr *array)
{
	uint64_t own, seen, next;
	struct sync *sync;
	int r = sync_of(array, true, &sync);

	if (r < 0)
		return r;
	own = owner_self();
	seen = own;
	do {
		if ((seen & ~(uint64_t)OWNER_FREE_BITS) != own)
			return error_set(-EPERM, "this thread does not have the lock, or somebody "
						 "wrote over it");
		next = seen & STARVING ? reservation() : 0;
	} while (!atomic_compare_exchange_weak(&sync->lock, &seen, next));
	if (next)
		wake_starving(sync, next);
	else if (seen & WAITERS)
		futex_wake(futex_of(sync), 1);
	return 0;
}
