/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping a file, with words for the one limit that people meet: vm.max_map_count. */
#ifndef SHARR_MAP_H
#define SHARR_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Refuse, in words, what has more bytes than this process has addresses for, which those of 32 bits
 * meet: -EOVERFLOW. To be asked before a size of a file becomes a size_t.
 */
int map_check(uint64_t bytes);

/* Map the first `bytes` of `fd`, shared. -ENOMEM and what else mmap gives. */
int map_file(int fd, size_t bytes, bool readonly, void **ret_address);

/*
 * Let a writable map of a file that has its pages take them all at once: each would cost a fault
 * when it is first written. Kernels before 5.14 leave it at that.
 */
void map_populate(void *address, size_t bytes);

#endif
