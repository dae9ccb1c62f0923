/* SPDX-License-Identifier: BSD-3-Clause */
/* Points in time, as nanoseconds of CLOCK_MONOTONIC. */
#ifndef SHARR_DEADLINE_H
#define SHARR_DEADLINE_H

#include <stdint.h>
#include <time.h>

#include "timespec.h"

#define DEADLINE_NEVER INT64_MAX

static inline int64_t deadline_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return timespec_ns(&now);
}

/* When a timeout that starts now is over; a negative one never is. */
static inline int64_t deadline_after(int64_t timeout_ns)
{
	int64_t deadline;

	if (timeout_ns < 0 || __builtin_add_overflow(deadline_now(), timeout_ns, &deadline))
		return DEADLINE_NEVER;
	return deadline;
}

/* How long to sleep until then, at most `most_ns`; 0 when it is over. */
static inline int64_t deadline_nap(int64_t deadline, int64_t most_ns)
{
	int64_t left = deadline == DEADLINE_NEVER ? most_ns : deadline - deadline_now();

	return left < 0 ? 0 : left < most_ns ? left : most_ns;
}

#endif
