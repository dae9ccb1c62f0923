/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that all clients together may have of the daemon for one purpose. */
#ifndef SHARRFS_BUDGET_H
#define SHARRFS_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* False: with so many bytes more it would be above the most, and they are not taken. */
static inline bool budget_take(atomic_size_t *used, size_t bytes, size_t most)
{
	if (atomic_fetch_add(used, bytes) + bytes <= most)
		return true;
	atomic_fetch_sub(used, bytes);
	return false;
}

static inline void budget_give_back(atomic_size_t *used, size_t bytes)
{
	atomic_fetch_sub(used, bytes);
}

#endif
