/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What went wrong, in words: one line per thread, for sharr_error(). Public functions clear it
 * first; whoever finds an error that its number does not explain says so here and returns the
 * number.
 */
#ifndef SHARR_ERROR_H
#define SHARR_ERROR_H

#include <stdint.h>

void error_clear(void);

/*
 * Say it, and hand `number` (a negative errno) through, so that it can be returned in the same
 * line.
 */
int error_set(int number, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum { ERROR_BYTES_MAX = 48 };

/* "1.5 GiB (1610612736 bytes)" into ERROR_BYTES_MAX bytes; returns it. */
const char *error_bytes(uint64_t bytes, char *ret_text);

#endif
