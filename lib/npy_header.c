/* SPDX-License-Identifier: BSD-3-Clause */
#include "npy_header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "text.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum {
	ALIGN = 64,
	GROWTH_DIGITS = 21, /* numpy leaves room for the length that grows to have as many digits */
	NUMBER_MAX = 24,
};

static int parse_descr(struct literal *text, struct npy_header *header)
{
	int r;

	if (literal_peek(text) == '[') {
		header->descr = text->at;
		r = dtype_parse_fields(text, &header->dtype, NULL);
		header->descr_bytes = (size_t)(text->at - header->descr);
		return r;
	}
	if (!literal_string(text, &header->descr, &header->descr_bytes))
		return -EINVAL;
	return dtype_parse_string(header->descr, header->descr_bytes, &header->dtype, NULL);
}

/* One `key: value`; `seen` says which keys there were, each may come once. */
static int parse_entry(struct literal *text, struct npy_header *header, unsigned *seen)
{
	static const struct {
		const char *text;
		size_t bytes;
	} keys[] = {{"descr", 5}, {"fortran_order", 13}, {"shape", 5}};
	const char *key;
	size_t bytes, i = 0;

	if (!literal_string(text, &key, &bytes) || !literal_accept(text, ':'))
		return -EINVAL;
	while (i < 3 && (keys[i].bytes != bytes || memcmp(keys[i].text, key, bytes) != 0))
		i++;
	if (i == 3 || *seen & 1u << i)
		return -EINVAL;
	*seen |= 1u << i;
	if (i == 0)
		return parse_descr(text, header);
	if (i == 2)
		return literal_numbers(text, NPY_HEADER_NDIM_MAX, header->shape, &header->ndim)
			       ? 0
			       : -EINVAL;
	header->order = literal_accept_word(text, "True") ? 'F' : 'C';
	return header->order == 'F' || literal_accept_word(text, "False") ? 0 : -EINVAL;
}

int npy_header_parse_text(const char *text, size_t bytes, struct npy_header *ret_header)
{
	struct literal rest = {text, text + bytes};
	bool comma = true;
	unsigned seen = 0;
	int r;

	if (!literal_accept(&rest, '{'))
		return -EBADMSG;
	while (!literal_accept(&rest, '}')) {
		r = comma ? parse_entry(&rest, ret_header, &seen) : -EINVAL;
		if (r < 0)
			return r == -ENOTSUP ? r : -EBADMSG;
		comma = literal_accept(&rest, ',');
	}
	literal_peek(&rest);
	return seen == 7 && rest.at == rest.end ? 0 : -EBADMSG;
}

/* Versions 1 and 2 are in Latin-1: the text in UTF-8, to be freed. */
static char *latin1_to_utf8(const char *text, size_t bytes, size_t *ret_bytes)
{
	unsigned char *utf8 = malloc(2 * bytes + 1), *at = utf8;

	if (!utf8)
		return NULL;
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x80) {
			*at++ = c;
		} else {
			*at++ = (unsigned char)(0xc0 | c >> 6);
			*at++ = (unsigned char)(0x80 | (c & 0x3f));
		}
	}
	*ret_bytes = (size_t)(at - utf8);
	return (char *)utf8;
}

int npy_header_parse(const unsigned char *bytes, size_t count, struct npy_header *ret_header,
		     void **ret_owned)
{
	CLEANUP_FREE char *owned = NULL;
	size_t prefix, text_bytes, total;
	const char *text;
	int r;

	if (count < 12 || memcmp(bytes, magic, sizeof(magic)) != 0 || bytes[6] < 1 || bytes[6] > 3)
		return -EBADMSG;
	prefix = bytes[6] == 1 ? 10 : 12;
	text_bytes = bytes[6] == 1 ? bytes_get16(bytes + 8) : bytes_get32(bytes + 8);
	if (text_bytes > count - prefix || text_bytes > INT32_MAX - prefix)
		return -EBADMSG;
	total = prefix + text_bytes;
	text = (const char *)bytes + prefix;
	if (!literal_is_ascii(text, text_bytes)) {
		if (bytes[6] == 3) {
			if (!literal_is_utf8(text, text_bytes))
				return -EBADMSG;
		} else {
			text = owned = latin1_to_utf8(text, text_bytes, &text_bytes);
			if (!owned)
				return -ENOMEM;
		}
	}
	r = npy_header_parse_text(text, text_bytes, ret_header);
	if (r < 0)
		return r;
	*ret_owned = steal_ptr(owned);
	return (int)total;
}

int npy_header_text(const struct npy_header *header, char **ret_text)
{
	const char *quote = header->descr_bytes && header->descr[0] == '[' ? "" : "'";
	size_t room = header->descr_bytes + (size_t)header->ndim * NUMBER_MAX + 96;
	char *text = malloc(room), *at = text;

	if (!text)
		return -ENOMEM;
	at = text_put_string(at, "{'descr': ");
	at = text_put_string(at, quote);
	at = text_put(at, header->descr, header->descr_bytes);
	at = text_put_string(at, quote);
	at = text_put_string(at, ", 'fortran_order': ");
	at = text_put_string(at, header->order == 'F' ? "True" : "False");
	at = text_put_string(at, ", 'shape': (");
	for (int i = 0; i < header->ndim; i++) {
		at = text_put_string(at, i ? ", " : "");
		at = text_put_number(at, (uint64_t)header->shape[i]);
	}
	at = text_put_string(at, header->ndim == 1 ? ",), }" : "), }");
	*at = '\0';
	*ret_text = text;
	return 0;
}

/* To Latin-1 in place, if it can be; returns its length, or 0 and leaves the text as it was. */
static size_t utf8_to_latin1(char *text, size_t bytes)
{
	unsigned char *out = (unsigned char *)text;
	const unsigned char *in = out, *end = in + bytes;

	for (size_t i = 0; i < bytes; i++)
		if (out[i] > 0xc3)
			return 0;
	while (in < end) {
		if (*in >= 0x80 && in + 1 < end) {
			*out++ = (unsigned char)(*in << 6 | (in[1] & 0x3f));
			in += 2;
		} else {
			*out++ = *in++;
		}
	}
	return (size_t)(out - (unsigned char *)text);
}

/*
 * Blanks that numpy puts behind the dict so that the length along the last written axis may grow in
 * place.
 */
static size_t growth_blanks(const struct npy_header *header)
{
	char number[TEXT_NUMBER_MAX];
	int grows = header->order == 'F' ? header->ndim - 1 : 0;

	if (header->ndim == 0)
		return 0;
	return GROWTH_DIGITS -
	       (size_t)(text_put_number(number, (uint64_t)header->shape[grows]) - number);
}

int npy_header_compose(const struct npy_header *header, unsigned char **ret_bytes,
		       size_t *ret_count)
{
	CLEANUP_FREE char *text = NULL;
	size_t bytes, latin1, length, total, prefix = 10;
	unsigned char *out, major = 1;
	int r = npy_header_text(header, &text);

	if (r < 0)
		return r;
	bytes = latin1 = strlen(text);
	if (!literal_is_ascii(text, bytes))
		latin1 = utf8_to_latin1(text, bytes);
	if (latin1)
		bytes = latin1;
	length = bytes + growth_blanks(header) + 1;
	/*
	 * numpy pads by a whole block where nothing is missing to one, and takes version 2 when 16
	 * bits don't hold that.
	 */
	total = (prefix + length) / ALIGN * ALIGN + ALIGN;
	if (!latin1 || total - prefix > UINT16_MAX) {
		major = latin1 ? 2 : 3;
		prefix = 12;
		total = (prefix + length) / ALIGN * ALIGN + ALIGN;
	}
	out = malloc(total);
	if (!out)
		return -ENOMEM;
	memset(out, ' ', total);
	memcpy(out, magic, sizeof(magic));
	out[6] = major;
	out[7] = 0;
	if (major == 1)
		bytes_put16(out + 8, (uint16_t)(total - prefix));
	else
		bytes_put32(out + 8, (uint32_t)(total - prefix));
	memcpy(out + prefix, text, bytes);
	out[total - 1] = '\n';
	*ret_bytes = out;
	*ret_count = total;
	return 0;
}
