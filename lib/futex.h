/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeping on 32 bits of shared memory until somebody wakes whoever sleeps there. Processes meet by
 * the file and the offset in it, wherever each has mapped it, a map for reading or one made through
 * a mount included.
 *
 * futex.c leaves both to the kernel. futex_portable.c looks at the word again and again, so that
 * nobody needs to be woken, and programs of both kinds meet: one that looks finds what another
 * wrote, and wakes those who sleep in the kernel for nothing but a moment.
 */
#ifndef SHARR_FUTEX_H
#define SHARR_FUTEX_H

#include <stdint.h>

/*
 * Sleep while the word is `value`, for at most timeout_ns, or for ever if that is negative. 0: woken, perhaps for nothing; -EAGAIN:
 * it has another value; -ETIMEDOUT; -EINTR: a signal came.
 */
int futex_wait(void *word, uint32_t value, int64_t timeout_ns);

/* Wake up to `count` sleepers. How many that were; 1 where nobody knows. */
int futex_wake(void *word, int count);

#endif
