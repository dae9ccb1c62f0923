/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text composed piece by piece into memory that is large enough. Not by snprintf, which a program
 * that has formats of its own registered, as one with numpy does, waits several microseconds for.
 */
#ifndef SHARR_TEXT_H
#define SHARR_TEXT_H

#include <stdint.h>
#include <string.h>

enum { TEXT_NUMBER_MAX = 20 }; /* digits of a 64-bit number */

/* Each returns where the next piece goes. No NUL is written. */
static inline char *text_put(char *at, const char *text, size_t bytes)
{
	memcpy(at, text, bytes);
	return at + bytes;
}

static inline char *text_put_string(char *at, const char *text)
{
	return text_put(at, text, strlen(text));
}

static inline char *text_put_number(char *at, uint64_t number)
{
	char digits[TEXT_NUMBER_MAX], *first = digits + sizeof(digits);

	do
		*--first = (char)('0' + number % 10);
	while (number /= 10);
	return text_put(at, first, (size_t)(digits + sizeof(digits) - first));
}

#endif
