/* SPDX-License-Identifier: BSD-3-Clause */
#include "dtype.h"

#include <errno.h>
#include <string.h>

#include "text.h"

/*
 * One row a numpy type of fixed size; of two with the same kind and size the first is numpy's
 * choice on 64-bit systems.
 */
static const struct fixed_type {
	char kind;
	unsigned char itemsize;
	unsigned char typenum;
} fixed_types[] = {
	{'f', 8, DTYPE_FLOAT64},
	{'f', 4, DTYPE_FLOAT32},
	{'b', 1, DTYPE_BOOL},
	{'i', 1, DTYPE_INT8},
	{'u', 1, DTYPE_UINT8},
	{'i', 2, DTYPE_INT16},
	{'u', 2, DTYPE_UINT16},
	{'i', 4, DTYPE_INT32},
	{'u', 4, DTYPE_UINT32},
	{'i', 8, sizeof(long) == 8 ? DTYPE_LONG : DTYPE_LONGLONG},
	{'u', 8, sizeof(long) == 8 ? DTYPE_ULONG : DTYPE_ULONGLONG},
	{'f', 2, DTYPE_FLOAT16},
	{'f', sizeof(long double), DTYPE_LONGDOUBLE},
	{'c', 8, DTYPE_COMPLEX64},
	{'c', 16, DTYPE_COMPLEX128},
	{'c', 2 * sizeof(long double), DTYPE_CLONGDOUBLE},
	{'M', 8, DTYPE_DATETIME},
	{'m', 8, DTYPE_TIMEDELTA},
	/* Further numbers for the same: C's long and long long, of either size. */
	{'i', 4, DTYPE_LONG},
	{'u', 4, DTYPE_ULONG},
	{'i', 8, DTYPE_LONG},
	{'u', 8, DTYPE_ULONG},
	{'i', 8, DTYPE_LONGLONG},
	{'u', 8, DTYPE_ULONGLONG},
};

enum { FIXED_TYPE_COUNT = sizeof(fixed_types) / sizeof(fixed_types[0]) };

static int typenum_of(char kind, uint64_t itemsize)
{
	switch (kind) {
	case 'S':
		return DTYPE_BYTES;
	case 'U':
		return DTYPE_STR;
	case 'V':
		return DTYPE_VOID;
	}
	for (int i = 0; i < FIXED_TYPE_COUNT; i++)
		if (fixed_types[i].kind == kind && fixed_types[i].itemsize == itemsize)
			return fixed_types[i].typenum;
	return -EINVAL;
}

/* Does an element of this kind and size have a byte order? */
static bool is_ordered(char kind, uint64_t itemsize)
{
	return kind == 'U' || (itemsize > 1 && !strchr("bSV", kind));
}

/*
 * The unit of a datetime64 or timedelta64, "[ns]" or "[25ms]", or nothing. Its count is 1 if there
 * is none.
 */
static bool parse_unit(struct literal *text, int64_t *ret_count, const char **ret_unit)
{
	static const char *const units[] = {"generic", "ms", "us", "ns", "ps", "fs", "as",
					    "Y",       "M",  "W",  "D",  "h",  "m",  "s"};

	*ret_count = 1;
	*ret_unit = NULL;
	if (text->at == text->end)
		return true;
	if (!literal_accept(text, '['))
		return false;
	if (literal_number(text, ret_count) && (*ret_count < 1 || *ret_count > INT32_MAX))
		return false;
	for (size_t i = 0; !*ret_unit && i < sizeof(units) / sizeof(units[0]); i++)
		if (literal_accept_word(text, units[i]))
			*ret_unit = units[i];
	return *ret_unit && literal_accept(text, ']') && text->at == text->end;
}

static void spell(char order, char kind, int64_t count, int64_t unit_count, const char *unit,
		  char *ret_spelling)
{
	char *at = ret_spelling;

	*at++ = order;
	*at++ = kind;
	at = text_put_number(at, (uint64_t)count);
	if (unit && (unit_count > 1 || strcmp(unit, "generic") != 0)) {
		*at++ = '[';
		if (unit_count > 1)
			at = text_put_number(at, (uint64_t)unit_count);
		at = text_put_string(at, unit);
		*at++ = ']';
	}
	*at = '\0';
}

int dtype_parse_string(const char *text, size_t bytes, struct dtype *ret_dtype, char *ret_spelling)
{
	struct literal rest = {text, text + bytes};
	char order = '=', kind;
	int64_t count, unit_count = 1;
	const char *unit = NULL;
	uint64_t itemsize;
	int typenum;

	for (size_t i = 0; i < bytes; i++)
		if (text[i] == ' ' || text[i] == '\t' || text[i] == '\n')
			return -EINVAL;
	if (rest.at < rest.end && *rest.at && strchr("<>=|", *rest.at))
		order = *rest.at++;
	kind = rest.at < rest.end ? *rest.at++ : '\0';
	if (kind == 'O' || kind == 'T')
		return -ENOTSUP;
	if (!literal_number(&rest, &count) || count > INT32_MAX || rest.at[-1] == 'L')
		return -EINVAL;
	if (kind == 'a')
		kind = 'S';
	itemsize = (uint64_t)count * (kind == 'U' ? 4 : 1);
	typenum = typenum_of(kind, itemsize);
	if (typenum < 0 || itemsize > INT32_MAX)
		return -EINVAL;
	if (kind == 'M' || kind == 'm') {
		if (!parse_unit(&rest, &unit_count, &unit))
			return -EINVAL;
	} else if (rest.at != rest.end) {
		return -EINVAL;
	}
	if (!is_ordered(kind, itemsize))
		order = '|';
	else if (order != '>')
		order = '<';
	ret_dtype->itemsize = itemsize;
	ret_dtype->typenum = order == '>' ? DTYPE_VOID : typenum;
	if (ret_spelling)
		spell(order, kind, count, unit_count, unit, ret_spelling);
	return 0;
}

/* Where a spelling is written to; NULL is nowhere. */
static char *put(char *at, const char *text, size_t bytes)
{
	if (!at)
		return NULL;
	memcpy(at, text, bytes);
	return at + bytes;
}

static char *put_text(char *at, const char *text)
{
	return put(at, text, strlen(text));
}

/* A string as it stands in the text, quotes included: names and titles keep their spelling. */
static bool copy_string(struct literal *fields, char **spelling)
{
	const char *text;
	size_t bytes;

	if (!literal_string(fields, &text, &bytes))
		return false;
	*spelling = put(*spelling, text - 1, bytes + 2);
	return true;
}

/* A field's name, or (title, name). */
static bool copy_name(struct literal *fields, char **spelling)
{
	if (!literal_accept(fields, '('))
		return copy_string(fields, spelling);
	*spelling = put_text(*spelling, "(");
	if (!copy_string(fields, spelling) || !literal_accept(fields, ','))
		return false;
	*spelling = put_text(*spelling, ", ");
	if (!copy_string(fields, spelling))
		return false;
	literal_accept(fields, ',');
	*spelling = put_text(*spelling, ")");
	return literal_accept(fields, ')');
}

/* A subarray's shape, a number or a tuple; itemsize grows by it. */
static int parse_subshape(struct literal *fields, uint64_t *itemsize, char **spelling)
{
	int64_t lengths[64];
	char text[24];
	int count = 1;

	if (literal_peek(fields) == '(' ? !literal_numbers(fields, 64, lengths, &count)
					: !literal_number(fields, &lengths[0]))
		return -EINVAL;
	*spelling = put_text(*spelling, ", (");
	for (int i = 0; i < count; i++) {
		if (__builtin_mul_overflow(*itemsize, (uint64_t)lengths[i], itemsize) ||
		    *itemsize > INT32_MAX)
			return -EINVAL;
		*text_put_number(text, (uint64_t)lengths[i]) = '\0';
		*spelling = put_text(*spelling, i ? ", " : "");
		*spelling = put_text(*spelling, text);
	}
	*spelling = put_text(*spelling, count == 1 ? ",)" : ")");
	return 0;
}

static int parse_fields(struct literal *fields, int depth, uint64_t *ret_itemsize, char **spelling);

/* What a field holds: a type string, or fields again. */
static int parse_element(struct literal *fields, int depth, uint64_t *ret_itemsize, char **spelling)
{
	char own[DTYPE_STRING_MAX];
	struct dtype dtype;
	const char *text;
	size_t bytes;
	int r;

	if (literal_peek(fields) == '[')
		return parse_fields(fields, depth + 1, ret_itemsize, spelling);
	if (!literal_string(fields, &text, &bytes))
		return -EINVAL;
	r = dtype_parse_string(text, bytes, &dtype, own);
	if (r < 0)
		return r;
	*spelling = put_text(*spelling, "'");
	*spelling = put_text(*spelling, own);
	*spelling = put_text(*spelling, "'");
	*ret_itemsize = dtype.itemsize;
	return 0;
}

static int parse_field(struct literal *fields, int depth, uint64_t *ret_itemsize, char **spelling)
{
	int r;

	if (!literal_accept(fields, '('))
		return -EINVAL;
	*spelling = put_text(*spelling, "(");
	if (!copy_name(fields, spelling) || !literal_accept(fields, ','))
		return -EINVAL;
	*spelling = put_text(*spelling, ", ");
	r = parse_element(fields, depth, ret_itemsize, spelling);
	if (r < 0)
		return r;
	if (literal_accept(fields, ',') && literal_peek(fields) != ')') {
		r = parse_subshape(fields, ret_itemsize, spelling);
		if (r < 0)
			return r;
		literal_accept(fields, ',');
	}
	*spelling = put_text(*spelling, ")");
	return literal_accept(fields, ')') ? 0 : -EINVAL;
}

static int parse_fields(struct literal *fields, int depth, uint64_t *ret_itemsize, char **spelling)
{
	uint64_t total = 0, itemsize = 0;
	bool comma = true;
	int r;

	if (depth > DTYPE_DEPTH_MAX || !literal_accept(fields, '['))
		return -EINVAL;
	*spelling = put_text(*spelling, "[");
	for (bool first = true; !literal_accept(fields, ']'); first = false) {
		if (!comma)
			return -EINVAL;
		if (!first)
			*spelling = put_text(*spelling, ", ");
		r = parse_field(fields, depth, &itemsize, spelling);
		if (r < 0)
			return r;
		total += itemsize;
		if (total > INT32_MAX)
			return -EINVAL;
		comma = literal_accept(fields, ',');
	}
	*spelling = put_text(*spelling, "]");
	*ret_itemsize = total;
	return 0;
}

int dtype_parse_fields(struct literal *fields, struct dtype *ret_dtype, char *ret_spelling)
{
	uint64_t itemsize = 0;
	int r = parse_fields(fields, 1, &itemsize, &ret_spelling);

	if (r < 0)
		return r;
	if (ret_spelling)
		*ret_spelling = '\0';
	ret_dtype->itemsize = itemsize;
	ret_dtype->typenum = DTYPE_VOID;
	return 0;
}

int dtype_from_typenum(int typenum, uint64_t itemsize, char *ret_text)
{
	char kind = '\0';
	uint64_t count = itemsize;

	if (typenum < 0 || itemsize == 0 || itemsize > INT32_MAX)
		return -EINVAL;
	if (typenum == DTYPE_BYTES)
		kind = 'S';
	else if (typenum == DTYPE_STR)
		kind = 'U';
	else if (typenum == DTYPE_VOID || typenum == DTYPE_OBJECT || typenum > DTYPE_FLOAT16)
		kind = 'V';
	for (int i = 0; !kind && i < FIXED_TYPE_COUNT; i++)
		if (fixed_types[i].typenum == typenum && fixed_types[i].itemsize == itemsize)
			kind = fixed_types[i].kind;
	if (!kind || (kind == 'U' && itemsize % 4))
		return -EINVAL;
	if (kind == 'U')
		count = itemsize / 4;
	spell(is_ordered(kind, itemsize) ? '<' : '|', kind, (int64_t)count, 1, NULL, ret_text);
	return 0;
}
