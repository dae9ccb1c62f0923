/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread in 64 bits, so that it can be taken down and struck out in one step: the low half is its
 * id, of which two bits are free for other uses (ids end at 2^22), the high half a tag of its
 * namespaces and start time. So nobody is taken for dead who lives in another pid namespace, or in
 * another time namespace, where start times differ; and a thread id that is used again is not taken
 * for the old one (but for one in 4096).
 */
#ifndef SHARR_OWNER_H
#define SHARR_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#define OWNER_FREE_BITS 0xc0000000u

/* This thread. Looked up once per thread and process; any number but 0. */
uint64_t owner_self(void);

/*
 * Is this owner, whatever its free bits, known to be gone? Never said of one in another namespace, or
 * that can't be seen. Whom this thread has found alive is not looked at again for a tenth of a
 * second, so that it may be asked often.
 */
bool owner_is_gone(uint64_t owner);

#endif
