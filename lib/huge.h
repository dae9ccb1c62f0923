/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Huge pages of a tmpfs. Mounted with huge=always or within_size it gives them to whoever reserves
 * space; with huge=advise only to a map that asks, by MADV_HUGEPAGE, and only where there are no
 * small pages yet: so such a file is populated through a map before its space is reserved
 * (measured: fallocate never gives them there, and 64 MiB take a fifth of the time so).
 */
#ifndef SHARR_HUGE_H
#define SHARR_HUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is a map of this file, which is to have so many bytes, to ask for huge pages? flags: SHARR_HUGE
 * and SHARR_NO_HUGE, or neither: where it pays.
 */
bool huge_is_wanted(int fd, uint64_t file_bytes, unsigned flags);

/*
 * Let an empty file grow to its size and fill with huge pages as much of it as whole ones cover. What
 * does not work is left to who reserves the space then.
 */
void huge_populate(int fd, uint64_t file_bytes);

/* Let a map have huge pages where it has none yet. */
void huge_advise(void *address, size_t bytes);

#endif
