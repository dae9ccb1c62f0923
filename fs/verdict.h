/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a file is an array, and how long its data are: known only by reading its tail, and so
 * remembered per inode of the store for as long as its ctime and size stay. Apart from inode.h,
 * since foreign files have verdicts too, and since a plain readdir asks for names that the kernel
 * does not look up. A cache: what does not fit is read again.
 */
#ifndef SHARRFS_VERDICT_H
#define SHARRFS_VERDICT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"

struct verdict {
	uint64_t nbytes; /* of an array */
	bool array;
	bool ephemeral;    /* an array that goes with its last holder (lib/ephemeral.h) */
	uint8_t mode_mask; /* the permission bits of group and others that an ACL leaves: 077
			      without one */
};

struct verdict_entry;

struct verdict_cache {
	pthread_mutex_t lock; /* innermost */
	struct verdict_entry *entries;
	size_t set_count; /* a power of 2 */
	size_t used;
	unsigned turn; /* which entry of a full set goes next */
};

int verdict_cache_init(struct verdict_cache *cache);
void verdict_cache_deinit(struct verdict_cache *cache);

/*
 * What was found when the file had these facts (its true size among them). False: never, or not any
 * more.
 */
bool verdict_find(struct verdict_cache *cache, const struct facts *facts,
		  struct verdict *ret_verdict);

/*
 * Remember what was just read. Fresh files are not remembered, as they may change without a change
 * of their ctime.
 */
void verdict_keep(struct verdict_cache *cache, const struct facts *facts,
		  const struct verdict *verdict);

/* Read it from the file `fd`, which is open for reading and may have changed since these facts. */
int verdict_read(int fd, struct facts *facts, struct verdict *ret_verdict);

#endif
