/* SPDX-License-Identifier: BSD-3-Clause */
#include "literal.h"

#include <string.h>

bool literal_accept_word(struct literal *literal, const char *word)
{
	size_t bytes = strlen(word);

	literal_peek(literal);
	if ((size_t)(literal->end - literal->at) < bytes || memcmp(literal->at, word, bytes) != 0)
		return false;
	literal->at += bytes;
	return true;
}

bool literal_string(struct literal *literal, const char **ret_text, size_t *ret_bytes)
{
	char quote = literal_peek(literal);

	if (quote != '\'' && quote != '"')
		return false;
	for (const char *at = literal->at + 1; at < literal->end; at++) {
		if (*at > '\\') /* most of what comes: small letters */
			continue;
		if (*at == quote) {
			*ret_text = literal->at + 1;
			*ret_bytes = (size_t)(at - *ret_text);
			literal->at = at + 1;
			return true;
		}
		if (*at == '\\')
			at++; /* whatever comes next is no closing quote */
		if (at < literal->end && (unsigned char)*at < 0x20)
			return false;
	}
	return false;
}

bool literal_number(struct literal *literal, int64_t *ret_number)
{
	const char *start;
	int64_t number = 0;

	literal_peek(literal);
	start = literal->at;
	for (; literal->at < literal->end && *literal->at >= '0' && *literal->at <= '9';
	     literal->at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *literal->at - '0', &number))
			return false;
	if (literal->at == start)
		return false;
	if (literal->at < literal->end && *literal->at == 'L')
		literal->at++;
	*ret_number = number;
	return true;
}

bool literal_numbers(struct literal *literal, int max, int64_t *ret_numbers, int *ret_count)
{
	bool comma = true;
	int count = 0;

	if (!literal_accept(literal, '('))
		return false;
	while (!literal_accept(literal, ')')) {
		if (!comma || count == max || !literal_number(literal, &ret_numbers[count]))
			return false;
		count++;
		comma = literal_accept(literal, ',');
	}
	*ret_count = count;
	return count != 1 || comma; /* "(3)" is no tuple */
}

bool literal_is_ascii(const char *text, size_t bytes)
{
	uint64_t all = 0, piece;
	size_t i = 0;

	for (; bytes - i >= sizeof(piece); i += sizeof(piece)) {
		memcpy(&piece, text + i, sizeof(piece));
		all |= piece;
	}
	for (; i < bytes; i++)
		all |= (unsigned char)text[i];
	return (all & 0x8080808080808080) == 0;
}

/* The length of the sequence that starts with this byte, 0 if none does. */
static int utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

bool literal_is_utf8(const char *text, size_t bytes)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	for (size_t i = 0; i < bytes;) {
		unsigned char first = (unsigned char)text[i];
		int length = utf8_length(first);
		uint32_t point = length == 1 ? first : first & (0x7fu >> length);

		if (length == 0 || bytes - i < (size_t)length)
			return false;
		for (int j = 1; j < length; j++) {
			if (((unsigned char)text[i + (size_t)j] & 0xc0) != 0x80)
				return false;
			point = point << 6 | ((unsigned char)text[i + (size_t)j] & 0x3f);
		}
		if (point < least[length] || point > 0x10ffff ||
		    (point >= 0xd800 && point < 0xe000))
			return false;
		i += (size_t)length;
	}
	return true;
}
