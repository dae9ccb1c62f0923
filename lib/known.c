/* SPDX-License-Identifier: BSD-3-Clause */
#include "known.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "info.h"
#include "timespec.h"

enum { DIRECTORIES = 16, ARRAYS = 1 << 18 };

static const int64_t age_ns = 2000 * 1000 * 1000ll;

/* Tried, never waited for: in the child of a fork() it may be locked for ever. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct known directories[DIRECTORIES]; /* bucket_count 0: free. The last listed come first */

static atomic_size_t arrays; /* kept in all */
static atomic_uint_fast64_t last_serial;

static void free_chain(struct known_array *array)
{
	while (array) {
		struct known_array *next = array->next;

		free(array);
		atomic_fetch_sub(&arrays, 1);
		array = next;
	}
}

static void free_buckets(struct known *known)
{
	for (size_t i = 0; i < known->bucket_count; i++)
		free_chain(known->buckets[i]);
	free(known->buckets);
	known->buckets = NULL;
	known->bucket_count = 0;
}

static struct known_array **bucket_of(const struct known *known, ino_t ino)
{
	uint64_t hash = (uint64_t)ino * 0x9e3779b97f4a7c15u;

	return &known->buckets[(hash ^ hash >> 32) & (known->bucket_count - 1)];
}

/* Take the buckets of that directory, if any, and close the gap. Under the lock. */
static void take(struct known *known)
{
	for (size_t i = 0; i < DIRECTORIES; i++) {
		const struct known *at = &directories[i];

		if (!at->bucket_count || at->dev != known->dev || at->ino != known->ino ||
		    at->uid != known->uid)
			continue;
		known->buckets = at->buckets;
		known->bucket_count = at->bucket_count;
		memmove(&directories[i], &directories[i + 1],
			(DIRECTORIES - 1 - i) * sizeof(directories[0]));
		directories[DIRECTORIES - 1] = (struct known){0};
		return;
	}
}

void known_begin(struct known *known, int dir)
{
	struct timespec now;
	struct stat st;

	*known = (struct known){.old_ns = INT64_MIN};
	if (dir < 0 || fstat(dir, &st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return;
	known->dev = st.st_dev;
	known->ino = st.st_ino;
	known->uid = geteuid();
	known->old_ns = timespec_ns(&now) - age_ns;
	if (pthread_mutex_trylock(&lock) != 0)
		return;
	take(known);
	pthread_mutex_unlock(&lock);
}

struct known_array *known_find(const struct known *known, ino_t ino)
{
	struct known_array *array = known->bucket_count ? *bucket_of(known, ino) : NULL;

	while (array && array->ino != ino)
		array = array->next;
	return array;
}

bool known_is(const struct known_array *array, const struct stat *st)
{
	return array->ino == st->st_ino && array->bytes == st->st_size &&
	       array->ctime_ns == timespec_ns(&st->st_ctim) && S_ISREG(st->st_mode);
}

static void add_found(struct known *known, struct known_array *array)
{
	array->next = known->found;
	known->found = array;
	known->found_count++;
}

void known_found(struct known *known, struct known_array *array)
{
	struct known_array **at = bucket_of(known, array->ino);

	while (*at != array)
		at = &(*at)->next;
	*at = array->next;
	add_found(known, array);
}

uint64_t known_keep(struct known *known, const struct stat *st, const struct sharr_info *info)
{
	struct known_array *array;

	if (st->st_dev != known->dev || timespec_ns(&st->st_ctim) > known->old_ns ||
	    info->flags & SHARR_EPHEMERAL || atomic_load(&arrays) >= ARRAYS)
		return 0;
	array = malloc(sizeof(*array) + info_bytes(info));
	if (!array)
		return 0;
	info_copy(info, array + 1, &array->info);
	array->serial = atomic_fetch_add(&last_serial, 1) + 1;
	array->ino = st->st_ino;
	array->ctime_ns = timespec_ns(&st->st_ctim);
	array->bytes = st->st_size;
	atomic_fetch_add(&arrays, 1);
	add_found(known, array);
	return array->serial;
}

/* Half full at most. False: no memory. */
static bool rehash(struct known *known)
{
	size_t count = 16;

	while (count < 2 * known->found_count)
		count *= 2;
	known->buckets = calloc(count, sizeof(known->buckets[0]));
	if (!known->buckets)
		return false;
	known->bucket_count = count;
	while (known->found) {
		struct known_array *array = known->found;
		struct known_array **bucket = bucket_of(known, array->ino);

		known->found = array->next;
		array->next = *bucket;
		*bucket = array;
	}
	return true;
}

void known_end(struct known *known, bool complete)
{
	struct known same = {.dev = known->dev, .ino = known->ino, .uid = known->uid}, oldest;

	free_buckets(known);
	if (complete && known->found_count && rehash(known) && pthread_mutex_trylock(&lock) == 0) {
		take(&same); /* another listing has put it there meanwhile */
		oldest = directories[DIRECTORIES - 1];
		memmove(&directories[1], &directories[0],
			(DIRECTORIES - 1) * sizeof(directories[0]));
		directories[0] = *known;
		pthread_mutex_unlock(&lock);
		free_buckets(&same);
		free_buckets(&oldest);
		return;
	}
	free_chain(known->found);
	free_buckets(known);
}
