/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread in 64 bits, so that it can be taken down and struck out in one step: the low half is its
 * id, of which one bit is free for other uses, the high half a tag of its pid namespace and start
 * time. So nobody is taken for dead who lives in another namespace, and a thread id that is used
 * again is not taken for the old one (but for one in 4096).
 */
#ifndef SHARR_OWNER_H
#define SHARR_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#define OWNER_FREE_BIT 0x80000000u

/* This thread. Looked up once per thread and process; any number but 0. */
uint64_t owner_self(void);

/*
 * Is this owner, whatever its free bit, known to be gone? Never said of one in another pid
 * namespace, or that can't be seen.
 */
bool owner_is_gone(uint64_t owner);

#endif
