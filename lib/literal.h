/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Python literals that an npy header is made of, read from untrusted text piece by piece.
 * Blanks before a piece are skipped.
 */
#ifndef SHARR_LITERAL_H
#define SHARR_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct literal {
	const char *at;
	const char *end;
};

/* The next character that is no blank, or 0 at the end; not taken. */
static inline char literal_peek(struct literal *literal)
{
	const char *at = literal->at;

	while (at < literal->end && (*at == ' ' || *at == '\t' || *at == '\n'))
		at++;
	literal->at = at;
	return at < literal->end ? *at : '\0';
}

/* Take that character if it is `c`. */
static inline bool literal_accept(struct literal *literal, char c)
{
	if (literal_peek(literal) != c || literal->at == literal->end)
		return false;
	literal->at++;
	return true;
}

/* Take this word if it comes next. */
bool literal_accept_word(struct literal *literal, const char *word);

/*
 * Take a quoted string: *ret_text is what lies between the quotes, escapes as they are. False if
 * there is none.
 */
bool literal_string(struct literal *literal, const char **ret_text, size_t *ret_bytes);

/* Take a whole number from 0 to INT64_MAX (a Python 2 L behind it too). */
bool literal_number(struct literal *literal, int64_t *ret_number);

/*
 * Take a tuple of numbers, "()" "(3,)" "(3, 4)"; false if it is something else or has more than
 * `max`.
 */
bool literal_numbers(struct literal *literal, int max, int64_t *ret_numbers, int *ret_count);

/* Are all of these bytes below 0x80? */
bool literal_is_ascii(const char *text, size_t bytes);

/* Is this valid UTF-8 (no surrogates, nothing overlong)? */
bool literal_is_utf8(const char *text, size_t bytes);

#endif
