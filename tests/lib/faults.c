/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fault injection: `faults CALL` makes one public call again and again and lets the first, the second, … library or system
 * call that it needs fail with each errno, until it needs no more. The linker gives us these calls (--wrap), so that no
 * tracer is needed and a sanitizer sees all. After each: success or the error that was injected, and no descriptor, map or
 * file is left. Prints how many faults that were.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "sharr.h"

#define REQUIRE(condition, ...)                                                                      \
	do {                                                                                         \
		if (!(condition)) {                                                                  \
			fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);      \
			fprintf(stderr, __VA_ARGS__);                                                \
			fputc('\n', stderr);                                                         \
			exit(1);                                                                     \
		}                                                                                    \
	} while (0)

enum { CALLS_MAX = 60 }; /* what looks at each process of the machine does so again and again */

static const int64_t shape[2] = { 100, 200 };
static const struct sharr_attr attrs[1] = { { "units", "m", 1 } };
static const struct sharr_spec spec = {
	.dtype = "[('a', '<i4'), ('b', '<f4')]", .shape = shape, .ndim = 2, .attrs = attrs, .attr_count = 1
};
static char data[100 * 200 * 8];

/* What the store holds: each file's name, size and inode. */
static void look(char *ret_text, size_t bytes)
{
	const char *store = getenv("SHARR_STORE");
	DIR *dir = opendir(store);
	struct dirent *entry;
	size_t n = 0;

	REQUIRE(dir, "%s", store);
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		REQUIRE(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s", entry->d_name);
		if (S_ISREG(st.st_mode))
			n += (size_t)snprintf(ret_text + n, bytes - n, "%s %lld %llu\n", entry->d_name,
					      (long long)st.st_size, (unsigned long long)st.st_ino);
	}
	closedir(dir);
}

static int count_lines(const char *path, const char *what)
{
	FILE *file = fopen(path, "r");
	char line[4096];
	int count = 0;

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, what) != NULL;
	fclose(file);
	return count;
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int create_called(const char *name, unsigned flags)
{
	struct sharr *array;
	int r = sharr_create(name, &spec, flags, &array);

	if (r == 0)
		sharr_detach(array);
	return r;
}

static int attach_called(const char *name, unsigned flags)
{
	struct sharr *array;
	int r = sharr_attach(name, flags, &array);

	if (r == 0)
		sharr_detach(array);
	return r;
}

static int create(void)
{
	return create_called("new", 0);
}

static int create_taken(void)
{
	struct sharr *array;
	int r = sharr_create("old", &spec, 0, &array);

	REQUIRE(r < 0, "%s", "created twice");
	return r == -EEXIST ? 0 : r;
}

static int create_in_group(void)
{
	return create_called("group/new", SHARR_SPARSE);
}

static int replace(void)
{
	return create_called("old", SHARR_REPLACE);
}

static int prepare(void)
{
	struct sharr *array;
	int r = sharr_prepare("new", &spec, 0, &array);

	if (r < 0)
		return r;
	r = sharr_publish(array);
	sharr_detach(array);
	return r;
}

static int put(void)
{
	return sharr_put("new", &spec, data, 0);
}

static int attach(void)
{
	return attach_called("old", 0);
}

static int attach_long(void)
{
	return attach_called("long", SHARR_READONLY);
}

static int status(void)
{
	struct sharr_info *info;
	int r = sharr_stat("old", &info);

	if (r == 0)
		sharr_info_free(info);
	return r;
}

static int copy(void)
{
	return sharr_copy("old", spec.dtype, data, sizeof(data));
}

static int erase(void)
{
	return sharr_delete("old");
}

static int take(const struct sharr_info *info, void *userdata)
{
	*(int *)userdata += info->nbytes > 0;
	return 0;
}

static int list(void)
{
	int count = 0, r = sharr_list(NULL, take, &count);

	/* What can't be read is passed over; what this process lacks is an error. */
	REQUIRE(r < 0 || count == 2 || (faults_number() != ENOMEM && faults_number() != EMFILE && faults_number() != EINTR),
		"a short list of %d without an error", count);
	return r;
}

static int list_group(void)
{
	int count = 0;

	return sharr_list("group", take, &count);
}

static int take_attr(const struct sharr_attr *attr, void *userdata)
{
	return attr->bytes == 1 ? 0 : -EIO;
}

static int attrs_list(void)
{
	return sharr_attrs_list("old", take_attr, NULL);
}

static int attrs_set(void)
{
	return sharr_attrs_set("old", (struct sharr_attr[]){ { "units", "s", 1 }, { "axes", "xy", 2 } }, 2);
}

static int ephemeral(void)
{
	return create_called("new", SHARR_EPHEMERAL);
}

static int attached(void)
{
	uint32_t pids[8];
	size_t count;

	int r = sharr_attached("old", pids, 8, &count);

	return r > 0 ? 0 : r; /* how many processes could not be looked at */
}

/* Its creator lives: it stays, whatever can't be found out. */
static int take_reaped(const struct sharr_reaped *reaped, void *userdata)
{
	return reaped->outcome == SHARR_REAPED ? -EIO : 0;
}

static int reap(void)
{
	return sharr_reap(NULL, SHARR_DEAD_CREATOR, take_reaped, NULL);
}

static int take_turns(void)
{
	struct sharr *array;
	int r = sharr_attach("old", 0, &array);

	if (r < 0)
		return r;
	r = sharr_lock(array, 0);
	if (r == 0)
		r = sharr_attrs_set_of(array, attrs, 1);
	if (r == 0)
		r = sharr_unlock(array);
	sharr_detach(array);
	return r;
}

static const struct call {
	const char *name;
	int (*run)(void);
	bool changes; /* the store, if it succeeds */
} calls[] = {
	{ "create", create, true },
	{ "create_taken", create_taken, false },
	{ "create_in_group", create_in_group, true },
	{ "replace", replace, true },
	{ "prepare", prepare, true },
	{ "put", put, true },
	{ "attach", attach, false },
	{ "attach_long", attach_long, false },
	{ "stat", status, false },
	{ "copy", copy, false },
	{ "delete", erase, true },
	{ "list", list, false },
	{ "list_group", list_group, false },
	{ "attrs_list", attrs_list, false },
	{ "attrs_set", attrs_set, true },
	{ "ephemeral", ephemeral, true },
	{ "attached", attached, false },
	{ "reap", reap, false },
	{ "lock", take_turns, true },
};

/* The store as each round finds it: an array, one with a tail of many pages, a foreign file and an empty group. */
static void set_up(void)
{
	static char dtype[40000];
	struct sharr *array;
	struct sharr_spec wide = { .dtype = dtype, .shape = shape, .ndim = 1 };
	size_t n = 1;

	unlink("new");
	unlink("old");
	unlink("group/new");
	REQUIRE(sharr_put("old", &spec, data, 0) == 0, "%s", sharr_error());
	if (dtype[0])
		return;
	dtype[0] = '[';
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(dtype + n, sizeof(dtype) - n, "('field %d', '<i4'), ", i);
	strcpy(dtype + n, "]");
	REQUIRE(sharr_create("long", &wide, SHARR_REPLACE, &array) == 0, "%s", sharr_error());
	sharr_detach(array);
}

static bool round_of(const struct call *call, int nth, int number)
{
	char before[8192] = "", after[8192] = "";
	int descriptors, maps, r;
	bool reached;

	set_up();
	look(before, sizeof(before));
	descriptors = count_descriptors();
	maps = count_lines("/proc/self/maps", getenv("SHARR_STORE"));
	faults_arm(nth, number);
	r = call->run();
	reached = faults_disarm();
	REQUIRE(r == 0 || r == -faults_number(), "%s: %d (%s) at fault %d (%s) with errno %d", call->name, r, sharr_error(),
		nth, faults_last(), faults_number());
	REQUIRE(count_descriptors() == descriptors, "%s leaves a descriptor at fault %d (%s)", call->name, nth, faults_last());
	REQUIRE(count_lines("/proc/self/maps", getenv("SHARR_STORE")) == maps, "%s leaves a map at fault %d (%s)", call->name,
		nth, faults_last());
	look(after, sizeof(after));
	REQUIRE((r == 0 && call->changes) || strcmp(before, after) == 0, "%s changed the store at fault %d (%s), %d:\n%s---\n%s",
		call->name, nth, faults_last(), number, before, after);
	REQUIRE(reached || r == 0, "%s: %d without a fault", call->name, r);
	return reached;
}

int main(int argc, char **argv)
{
	static const int numbers[] = { ENOSPC, ENOMEM, EMFILE, EIO, EACCES, EINTR };
	int count = 0;

	REQUIRE(chdir(getenv("SHARR_STORE")) == 0 && argc == 2, "SHARR_STORE and a call");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (size_t j = 0; strcmp(calls[i].name, argv[1]) == 0 && j < sizeof(numbers) / sizeof(numbers[0]); j++)
			for (int nth = 1; nth <= CALLS_MAX && round_of(&calls[i], nth, numbers[j]); nth++)
				count++;
	printf("%d\n", count);
	return count == 0;
}
