/* SPDX-License-Identifier: BSD-3-Clause */
#include "futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int futex_wait(void *word, uint32_t value, int64_t timeout_ns)
{
	struct timespec timeout = {(time_t)(timeout_ns / 1000000000),
				   (long)(timeout_ns % 1000000000)};

	return syscall(SYS_futex, word, FUTEX_WAIT, value, timeout_ns < 0 ? NULL : &timeout, NULL,
		       0) < 0
		       ? -errno
		       : 0;
}

int futex_wake(void *word, int count)
{
	long woken = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);

	return woken < 0 ? 0 : (int)woken;
}
