/* SPDX-License-Identifier: BSD-3-Clause */
/* pread and pwrite that go on where a signal or a limit of one call ended them. */
#ifndef SHARR_WHOLE_H
#define SHARR_WHOLE_H

#include <stddef.h>
#include <stdint.h>

/* All of `bytes`. -ENODATA: the file ends before; what else pread gives. */
int whole_pread(int fd, void *buffer, size_t bytes, uint64_t offset);

/* What pwrite gives. */
int whole_pwrite(int fd, const void *buffer, size_t bytes, uint64_t offset);

#endif
