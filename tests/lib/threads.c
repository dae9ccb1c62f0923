/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sixteen threads that make every call of the library on a few arrays of the same names, all at once. What one of them finds
 * has to be whole: all bytes of an array are the same, and so are its two attributes. All of them have one array attached
 * by one handle, too, and take turns on it. For ThreadSanitizer as well. `threads ROUNDS`.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sharr.h"

enum { THREADS = 16, NAMES = 5, BYTES_MAX = 20000, SECOND = 1000000000 };

#define REQUIRE(condition)                                                                   \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                             \
		}                                                                            \
	} while (0)

static int rounds;

/* What all threads have attached by one handle: how often somebody had its lock. */
static struct sharr *turns;

/* What each attaches for itself, so that copying while another writes is no race in one map. */
static const char *const marked = "marked";

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
	REQUIRE(sharr_map_bytes(array) > sharr_info(array)->nbytes);
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

struct room {
	unsigned char data[BYTES_MAX];
	uint64_t bytes;
};

static int place(const struct sharr_info *info, void *userdata, void **ret_buffer)
{
	struct room *room = userdata;

	REQUIRE(info->nbytes <= BYTES_MAX && strcmp(info->dtype, "|u1") == 0);
	room->bytes = info->nbytes;
	*ret_buffer = room->data;
	return 0;
}

static void copy_to(const char *name)
{
	struct room room;
	int r = sharr_copy_to(name, place, &room);

	REQUIRE(r == 0 || r == -ENOENT);
	if (r == 0)
		check_whole(room.data, room.bytes);
}

static int take(const struct sharr_info *info, void *userdata)
{
	*(int *)userdata += 1;
	REQUIRE(info->ndim == 1 && info->nbytes == info->itemsize * (uint64_t)info->shape[0]);
	if (strcmp(info->name, "turns") == 0)
		return 0;
	REQUIRE(strcmp(info->dtype, "|u1") == 0 && info->nbytes == (uint64_t)info->shape[0]);
	return 0;
}

static void list(void)
{
	int count = 0;

	REQUIRE(sharr_list(NULL, take, &count) == 0);
}

/* All creators live: this process. What is ephemeral may just have been let go by its last holder. */
static int kept(const struct sharr_reaped *reaped, void *userdata)
{
	REQUIRE(reaped->outcome != SHARR_REAPED || strcmp(reaped->name, "passing") == 0);
	return 0;
}

static void reap(unsigned *seed)
{
	REQUIRE(sharr_reap(NULL, rand_r(seed) % 2 ? SHARR_DEAD_CREATOR : 0, kept, NULL) == 0);
}

static void erase(const char *name)
{
	int r = sharr_delete(name);

	REQUIRE(r == 0 || r == -ENOENT);
}

static int take_attr(const struct sharr_attr *attr, void *userdata)
{
	int *seen = userdata;
	int value;

	REQUIRE(attr->bytes == sizeof(value) && (attr->name[0] == 'a' || attr->name[0] == 'b'));
	memcpy(&value, attr->value, sizeof(value));
	REQUIRE(*seen == 0 || *seen == value);
	*seen = value;
	return 0;
}

static void set_attrs(const char *name, unsigned *seed)
{
	int value = 1 + rand_r(seed) % 1000;
	const struct sharr_attr attrs[2] = { { "a", &value, sizeof(value) }, { "b", &value, sizeof(value) } };
	int r = sharr_attrs_set(name, attrs, 2);

	REQUIRE(r == 0 || r == -ENOENT || r == -EBUSY);
}

static void list_attrs(const char *name)
{
	int seen = 0;
	int r = sharr_attrs_list(name, take_attr, &seen);

	REQUIRE(r == 0 || r == -ENOENT);
}

/* Everyone holds it a moment: the last to go takes it away, and the next makes it anew. */
static void hold_ephemeral(void)
{
	struct sharr *array;
	int64_t length = 10;
	struct sharr_spec spec = { .dtype = "|u1", .shape = &length, .ndim = 1 };
	int r = sharr_create("passing", &spec, SHARR_EPHEMERAL, &array);

	if (r == -EEXIST)
		r = sharr_attach("passing", 0, &array);
	REQUIRE(r == 0 || r == -ENOENT);
	if (r == 0)
		sharr_detach(array);
}

static void take_turn(void)
{
	uint32_t before, after;
	int64_t *count = sharr_data(turns);
	int r;

	REQUIRE(sharr_event(turns, &before) == 0);
	REQUIRE(sharr_lock(turns, 60ll * SECOND) == 0);
	REQUIRE(sharr_lock(turns, 0) == -EDEADLK);
	count[0]++;
	count[1] = count[0];
	REQUIRE(sharr_unlock(turns) == 0);
	REQUIRE(sharr_unlock(turns) == -EPERM);
	REQUIRE(sharr_notify(turns) == 0);
	REQUIRE(sharr_wait(turns, before, 60ll * SECOND, &after) == 0 && after != before);
	r = sharr_wait(turns, after, 1000, &after);
	REQUIRE(r == 0 || r == -ETIMEDOUT);
}

/* By the handle that all share: the same two attributes, of which none is ever seen alone. */
static void describe_turns(unsigned *seed)
{
	int value = 1 + rand_r(seed) % 1000, seen = 0;
	const struct sharr_attr attrs[2] = { { "a", &value, sizeof(value) }, { "b", &value, sizeof(value) } };
	int r = sharr_attrs_set_of(turns, attrs, 2);

	REQUIRE(r == 0 || r == -EBUSY);
	REQUIRE(sharr_attrs_list_of(turns, take_attr, &seen) == 0 && (r != 0 || seen != 0));
}

static void count_holders(void)
{
	size_t count;

	REQUIRE(sharr_attached("turns", NULL, 0, &count) >= 0 && count >= 1);
}

static void write_marked(struct sharr *array, unsigned *seed)
{
	int r = sharr_write_begin(array);

	REQUIRE(r == 0 || r == -EBUSY);
	if (r < 0)
		return;
	memset(sharr_data(array), 1 + rand_r(seed) % 255, (size_t)sharr_info(array)->nbytes);
	REQUIRE(sharr_write_end(array) == 0);
}

static void mark(unsigned *seed)
{
	unsigned char whole[1000];
	struct sharr *array;
	int r;

	REQUIRE(sharr_attach(marked, 0, &array) == 0);
	if (rand_r(seed) % 2) {
		write_marked(array, seed);
	} else {
		r = sharr_snapshot(array, whole, 60ll * SECOND);
		REQUIRE(r == 0);
		check_whole(whole, sizeof(whole));
	}
	sharr_detach(array);
}

static void mistake(void)
{
	struct sharr *array;

	REQUIRE(sharr_attach("none", 0, &array) == -ENOENT);
	REQUIRE(sharr_attach("x0", ~0u, &array) == -EINVAL);
	REQUIRE(strlen(sharr_error()) < 512 && strlen(sharr_version()) > 0);
}

static void use_name(const char *name, unsigned *seed)
{
	switch (rand_r(seed) % 7) {
	case 0:
		put(name, seed);
		break;
	case 1:
		build(name, seed);
		break;
	case 2:
		attach(name);
		break;
	case 3:
		copy(name);
		copy_to(name);
		break;
	case 4:
		set_attrs(name, seed);
		break;
	case 5:
		list_attrs(name);
		break;
	default:
		erase(name);
	}
}

static void *work(void *number)
{
	unsigned seed = (unsigned)(size_t)number;

	for (int i = 0; i < rounds; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%d", rand_r(&seed) % NAMES);
		if (i % 200 == 100)
			count_holders();
		if (i % 200 == 150)
			reap(&seed);
		switch (rand_r(&seed) % 11) {
		case 0:
			list();
			break;
		case 1:
			hold_ephemeral();
			break;
		case 2:
			take_turn();
			break;
		case 3:
			mark(&seed);
			break;
		case 4:
			mistake();
			break;
		case 5:
			describe_turns(&seed);
			break;
		default:
			use_name(name, &seed);
		}
	}
	return NULL;
}

static void prepare_shared(void)
{
	const int64_t two = 2, thousand = 1000;
	struct sharr_spec counts = { .dtype = "<i8", .shape = &two, .ndim = 1 };
	struct sharr_spec bytes = { .dtype = "|u1", .shape = &thousand, .ndim = 1 };
	unsigned char data[1000];

	memset(data, 1, sizeof(data));
	REQUIRE(sharr_create("turns", &counts, 0, &turns) == 0);
	REQUIRE(sharr_put(marked, &bytes, data, 0) == 0);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	const int64_t *count;

	rounds = argc > 1 ? atoi(argv[1]) : 100;
	prepare_shared();
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	count = sharr_data(turns);
	REQUIRE(count[0] == count[1] && count[0] > 0);
	sharr_detach(turns);
	REQUIRE(sharr_delete("turns") == 0 && sharr_delete(marked) == 0);
	return 0;
}
