/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SHARR_TIMESPEC_H
#define SHARR_TIMESPEC_H

#include <stdint.h>
#include <time.h>

static inline int64_t timespec_ns(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

#endif
