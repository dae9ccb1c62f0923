/* SPDX-License-Identifier: BSD-3-Clause */
/* The sequence word: writers mark what they do, so that readers get the data whole. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "deadline.h"
#include "error.h"
#include "futex.h"
#include "owner.h"
#include "sync.h"

#define WRITING_STILL "somebody has been writing all the time"

/* Become the writer, in the place of one that died too. */
static int take_turn(struct sync *sync)
{
	uint64_t own = owner_self(), seen = 0;

	while (!atomic_compare_exchange_strong(&sync->writer, &seen, own)) {
		if (seen == own)
			return error_set(-EDEADLK, "this thread is writing already");
		if (!owner_is_gone(seen))
			return error_set(
				-EBUSY,
				"another thread is writing: let writers take turns by the lock");
		if (atomic_compare_exchange_strong(&sync->writer, &seen, own))
			break;
		seen = 0;
	}
	return 0;
}

int sharr_write_begin(struct sharr *array)
{
	struct sync *sync;
	int r = sync_of(array, true, &sync);

	if (r == 0)
		r = take_turn(sync);
	if (r < 0)
		return r;
	atomic_fetch_or(&sync->sequence, 1); /* odd already if a writer died before */
	atomic_thread_fence(memory_order_seq_cst);
	return 0;
}

int sharr_write_end(struct sharr *array)
{
	struct sync *sync;
	int r = sync_of(array, true, &sync);

	if (r < 0)
		return r;
	if (atomic_load(&sync->writer) != owner_self())
		return error_set(-EPERM, "this thread has not begun to write");
	atomic_store(&sync->sequence, (atomic_load(&sync->sequence) | 1) + 1);
	atomic_store(&sync->writer, 0);
	futex_wake(&sync->sequence, INT_MAX);
	return 0;
}

/* Did the one die who made the sequence what it is, and has nobody come since? */
static bool is_abandoned(struct sync *sync, uint32_t sequence)
{
	uint64_t writer = atomic_load(&sync->writer);

	return owner_is_gone(writer) && atomic_load(&sync->sequence) == sequence &&
	       atomic_load(&sync->writer) == writer;
}

/* Wait until nobody writes. */
static int wait_even(struct sync *sync, int64_t deadline, uint32_t *ret_sequence)
{
	uint32_t sequence;

	while ((sequence = atomic_load(&sync->sequence)) & 1) {
		int64_t nap = deadline_nap(deadline, SYNC_JUDGE_NS);

		if (is_abandoned(sync, sequence))
			return error_set(-EOWNERDEAD,
					 "the thread that was writing died in the middle of it");
		if (nap == 0)
			return error_set(-ETIMEDOUT, WRITING_STILL);
		if (futex_wait(&sync->sequence, sequence, nap) == -EINTR)
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
	int r = sync_of(array, false, &sync);

	if (r < 0)
		return r;
	for (;;) {
		r = wait_even(sync, deadline, &sequence);
		if (r < 0)
			return r;
		memcpy(buffer, array->data, (size_t)array->info.nbytes);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&sync->sequence) == sequence)
			return 0;
		if (deadline_nap(deadline, SYNC_JUDGE_NS) == 0)
			return error_set(-ETIMEDOUT, WRITING_STILL);
	}
}
