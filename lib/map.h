/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping a file, with words for the one limit that people meet: vm.max_map_count. */
#ifndef SHARR_MAP_H
#define SHARR_MAP_H

#include <stdbool.h>
#include <stddef.h>

/* Map the first `bytes` of `fd`, shared. -ENOMEM and what else mmap gives. */
int map_file(int fd, size_t bytes, bool readonly, void **ret_address);

#endif
