/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sixteen threads that create, replace, fill, attach, read, list and delete a few arrays of the same names, all at once. What
 * one of them finds has to be whole: all bytes of an array are the same. For ThreadSanitizer too. `threads ROUNDS`.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sharr.h"

enum { THREADS = 16, NAMES = 5, BYTES_MAX = 20000 };

#define REQUIRE(condition)                                                                   \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                             \
		}                                                                            \
	} while (0)

static int rounds;

static void check_whole(const unsigned char *bytes, uint64_t count)
{
	REQUIRE(count > 0 && bytes[0] != 0);
	for (uint64_t i = 1; i < count; i++)
		REQUIRE(bytes[i] == bytes[0]);
}

static struct sharr_spec spec_of(unsigned *seed, int64_t *ret_length)
{
	*ret_length = 1 + rand_r(seed) % BYTES_MAX;
	return (struct sharr_spec){ .dtype = "|u1", .shape = ret_length, .ndim = 1 };
}

static void put(const char *name, unsigned *seed)
{
	static const unsigned flags[2] = { 0, SHARR_REPLACE };
	unsigned char data[BYTES_MAX];
	int64_t length;
	struct sharr_spec spec = spec_of(seed, &length);
	int r;

	memset(data, 1 + rand_r(seed) % 255, (size_t)length);
	r = sharr_put(name, &spec, data, flags[rand_r(seed) % 2]);
	REQUIRE(r == 0 || r == -EEXIST);
}

static void build(const char *name, unsigned *seed)
{
	struct sharr *array;
	int64_t length;
	struct sharr_spec spec = spec_of(seed, &length);
	int r = sharr_prepare(name, &spec, SHARR_REPLACE, &array);

	REQUIRE(r == 0);
	memset(sharr_data(array), 1 + rand_r(seed) % 255, (size_t)length);
	if (rand_r(seed) % 4)
		REQUIRE(sharr_publish(array) == 0);
	sharr_detach(array);
}

static void attach(const char *name)
{
	struct sharr *array;
	int r = sharr_attach(name, SHARR_READONLY, &array);

	REQUIRE(r == 0 || r == -ENOENT);
	if (r < 0)
		return;
	check_whole(sharr_data(array), sharr_info(array)->nbytes);
	sharr_detach(array);
}

static void copy(const char *name)
{
	unsigned char data[BYTES_MAX];
	struct sharr_info *info;
	int r = sharr_stat(name, &info);

	REQUIRE(r == 0 || r == -ENOENT);
	if (r < 0)
		return;
	r = sharr_copy(name, "|u1", data, (size_t)info->nbytes);
	REQUIRE(r == 0 || r == -ENOENT || r == -ERANGE);
	if (r == 0)
		check_whole(data, info->nbytes);
	sharr_info_free(info);
}

static int take(const struct sharr_info *info, void *userdata)
{
	*(int *)userdata += 1;
	REQUIRE(strcmp(info->dtype, "|u1") == 0 && info->ndim == 1 && info->nbytes == (uint64_t)info->shape[0]);
	return 0;
}

static void list(void)
{
	int count = 0;

	REQUIRE(sharr_list(NULL, take, &count) == 0);
}

static void erase(const char *name)
{
	int r = sharr_delete(name);

	REQUIRE(r == 0 || r == -ENOENT);
}

static void *work(void *number)
{
	unsigned seed = (unsigned)(size_t)number;

	for (int i = 0; i < rounds; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%d", rand_r(&seed) % NAMES);
		switch (rand_r(&seed) % 6) {
		case 0:
			put(name, &seed);
			break;
		case 1:
			build(name, &seed);
			break;
		case 2:
			attach(name);
			break;
		case 3:
			copy(name);
			break;
		case 4:
			list();
			break;
		default:
			erase(name);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	rounds = argc > 1 ? atoi(argv[1]) : 100;
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	return 0;
}
