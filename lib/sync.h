/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lock, event and sequence of an array, in the second cache line of its fixed block. Whoever may
 * write the array may write these words too, so that none is trusted: no address is kept there, and
 * the worst that garbage does is a wait that ends by its timeout, or an error. No pthread type lies
 * there, since a robust mutex would have others write into the holder's memory.
 */
#ifndef SHARR_SYNC_H
#define SHARR_SYNC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "array.h"

/* At FORMAT_BLOCK_SYNC of the fixed block. */
struct sync {
	_Atomic uint64_t lock; /* lock.c */
	_Atomic uint32_t event;
	_Atomic uint32_t sequence; /* odd while somebody writes */
	_Atomic uint64_t writer;   /* who (owner.h), or 0 */
};

/* A waiter looks so often whether the one it waits for still lives. */
enum { SYNC_JUDGE_NS = 100000000 };

/*
 * The words of an attached array, which `write` says whether the caller will change. -ENOTSUP: there
 * are none; -EACCES: it is attached read-only; -ENODEV: through a mount whose maps are its own.
 */
int sync_of(const struct sharr *array, bool write, struct sync **ret_sync);

#endif
