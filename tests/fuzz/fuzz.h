/* SPDX-License-Identifier: BSD-3-Clause */
/* What libFuzzer calls with each input, and replay.c with each file. */
#ifndef SHARR_FUZZ_H
#define SHARR_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: this is to hold in every build. */
#define REQUIRE(condition)                                                                   \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                             \
		}                                                                            \
	} while (0)

#endif
