/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash of bytes, with a seed. Names are other people's choice: without one that they don't know
 * they could choose names that all meet in one place of a table.
 */
#ifndef SHARRFS_HASH_H
#define SHARRFS_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;
	uint64_t hash = seed;

	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ at[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return hash ^ hash >> 32;
}

static inline uint64_t hash_name(uint64_t seed, const char *name)
{
	return hash_bytes(seed, name, strlen(name));
}

#endif
