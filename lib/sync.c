/* SPDX-License-Identifier: BSD-3-Clause */
#include "sync.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include "deadline.h"
#include "error.h"
#include "futex.h"

_Static_assert(sizeof(struct sync) <= FORMAT_BLOCK_BYTES - FORMAT_BLOCK_SYNC,
	       "it fits into the block");

/*
 * Without passthrough a map made through a mount ends with the data, and a load from behind them is
 * SIGBUS: asked of a system call, which says EFAULT instead. Only maps for reading can be such; what
 * is found out is kept.
 */
static bool is_private_of_mount(const struct sharr *array, const char *block)
{
	enum { UNKNOWN, SHARED, PRIVATE };
	_Atomic int *known = &((struct sharr *)array)->mount_map;

	if (atomic_load_explicit(known, memory_order_relaxed) == UNKNOWN) {
		char copy[FORMAT_BLOCK_BYTES];
		struct iovec here = {copy, sizeof(copy)}, there = {(void *)block, sizeof(copy)};
		bool whole = process_vm_readv(getpid(), &here, 1, &there, 1, 0) == sizeof(copy);

		atomic_store_explicit(known, whole && format_is_block(copy) ? SHARED : PRIVATE,
				      memory_order_relaxed);
	}
	return atomic_load_explicit(known, memory_order_relaxed) == PRIVATE;
}

int sync_of(const struct sharr *array, bool write, struct sync **ret_sync)
{
	char *block = (char *)array->data + format_block_offset(array->info.nbytes);

	error_clear();
	if (array->in_mount && array->readonly && !array->info.foreign &&
	    is_private_of_mount(array, block))
		return error_set(-ENODEV,
				 "it is attached through a mount without passthrough, whose "
				 "maps are its own: attach it directly");
	if (array->info.foreign || !format_is_block(block))
		return error_set(-ENOTSUP, "this array was written by SharedArray, which left no "
					   "room for a lock or an event: store a copy of it");
	if (write && array->readonly)
		return error_set(-EACCES, "it is attached read-only: attach it for writing");
	*ret_sync = (struct sync *)(block + FORMAT_BLOCK_SYNC);
	return 0;
}

int sharr_event(const struct sharr *array, uint32_t *ret_count)
{
	struct sync *sync;
	int r = sync_of(array, false, &sync);

	if (r < 0)
		return r;
	*ret_count = atomic_load(&sync->event);
	return 0;
}

int sharr_notify(struct sharr *array)
{
	struct sync *sync;
	int r = sync_of(array, true, &sync);

	if (r < 0)
		return r;
	atomic_fetch_add(&sync->event, 1);
	futex_wake(&sync->event, INT_MAX);
	return 0;
}

int sharr_wait(const struct sharr *array, uint32_t seen, int64_t timeout_ns, uint32_t *ret_count)
{
	int64_t deadline = 0;
	struct sync *sync;
	uint32_t count;
	int r = sync_of(array, false, &sync);

	if (r < 0)
		return r;
	for (bool first = true; (count = atomic_load(&sync->event)) == seen; first = false) {
		int64_t nap = -1; /* without a timer, which takes longer to set than the rest */

		if (first)
			deadline = deadline_after(timeout_ns);
		if (deadline != DEADLINE_NEVER)
			nap = deadline_nap(deadline, DEADLINE_NEVER);
		if (nap == 0)
			return error_set(-ETIMEDOUT, "nobody has notified");
		if (futex_wait(&sync->event, seen, nap) == -EINTR)
			return -EINTR;
	}
	*ret_count = count;
	return 0;
}
