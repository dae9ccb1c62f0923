/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exerciser STORE_FILE MOUNT_FILE NBYTES SEED COUNT MAPS: one array, directly and through a mount, read, written, mapped,
 * punched and copied at random, and compared with plain bytes at each read. MAPS 1: shared maps through the mount as well,
 * 0: private ones of a file that was opened just before. Stops at what is not so, and tells it; prints how often it did what.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SIDES = 2, STORE = 0, MOUNT = 1, LONGEST = 1 << 16 };

struct exercise {
	const char *path[SIDES];
	int fd[SIDES];
	unsigned char *map[SIDES]; /* shared; NULL: none */
	unsigned char *model;
	size_t nbytes;
	bool maps;
	uint64_t random;
	long turn; /* which operation this is */
	unsigned char buffer[LONGEST];
};

/* What an operation is about. */
struct range {
	int side;
	size_t offset, bytes;
};

/* xorshift64*: the same on every machine. */
static uint64_t next(struct exercise *x)
{
	x->random ^= x->random >> 12;
	x->random ^= x->random << 25;
	x->random ^= x->random >> 27;
	return x->random * 2685821657736338717u;
}

static size_t below(struct exercise *x, size_t bound)
{
	return (size_t)(next(x) >> 33) % bound;
}

static void fail(const struct exercise *x, const struct range *range, const char *what, size_t at)
{
	fprintf(stderr, "operation %ld, %s, %s, %zu bytes at %zu: at %zu: %s\n", x->turn, what,
		range->side == MOUNT ? "mount" : "store", range->bytes, range->offset, at,
		strerror(errno));
	exit(1);
}

static void require(const struct exercise *x, const struct range *range, const char *what, bool so)
{
	if (!so)
		fail(x, range, what, range->offset);
}

static void compare(const struct exercise *x, const struct range *range, const char *what,
		    const unsigned char *found)
{
	const unsigned char *wanted = x->model + range->offset;

	errno = 0;
	for (size_t i = 0; memcmp(found, wanted, range->bytes) && i < range->bytes; i++)
		if (found[i] != wanted[i])
			fail(x, range, what, range->offset + i);
}

static void fill(struct exercise *x, const struct range *range)
{
	for (size_t i = 0; i < range->bytes; i += 8) {
		uint64_t value = next(x);

		memcpy(x->buffer + i, &value, range->bytes - i < 8 ? range->bytes - i : 8);
	}
	memcpy(x->model + range->offset, x->buffer, range->bytes);
}

static void read_it(struct exercise *x, const struct range *range)
{
	ssize_t count = pread(x->fd[range->side], x->buffer, range->bytes, (off_t)range->offset);

	require(x, range, "read", count == (ssize_t)range->bytes);
	compare(x, range, "read", x->buffer);
}

/* Through the mount as much as there are data, and none of the tail. */
static void read_past_end(struct exercise *x, const struct range *range)
{
	size_t wanted = range->bytes + below(x, 5000);
	struct range last = {MOUNT, x->nbytes - range->bytes, range->bytes};
	ssize_t count;

	wanted = wanted < LONGEST ? wanted : LONGEST;
	count = pread(x->fd[MOUNT], x->buffer, wanted, (off_t)last.offset);
	require(x, &last, "read past the end", count == (ssize_t)last.bytes);
	compare(x, &last, "read past the end", x->buffer);
}

static void write_it(struct exercise *x, const struct range *range)
{
	fill(x, range);
	require(x, range, "write",
		pwrite(x->fd[range->side], x->buffer, range->bytes, (off_t)range->offset) ==
			(ssize_t)range->bytes);
}

static void write_past_end(struct exercise *x, const struct range *range)
{
	struct range last = {MOUNT, x->nbytes - range->bytes, range->bytes};

	require(x, &last, "write past the end",
		pwrite(x->fd[MOUNT], x->buffer, 8, (off_t)x->nbytes) == -1 && errno == EFBIG);
	if (range->bytes > LONGEST - 100)
		return;
	fill(x, &last);
	require(x, &last, "write across the end",
		pwrite(x->fd[MOUNT], x->buffer, last.bytes + 100, (off_t)last.offset) ==
			(ssize_t)last.bytes);
}

static void read_private(struct exercise *x, const struct range *range)
{
	int fd = open(x->path[MOUNT], O_RDONLY);
	unsigned char *map = mmap(NULL, x->nbytes, PROT_READ, MAP_PRIVATE, fd, 0);

	require(x, range, "map privately", map != MAP_FAILED);
	close(fd);
	compare(x, range, "private map", map + range->offset);
	munmap(map, x->nbytes);
}

static void read_map(struct exercise *x, const struct range *range)
{
	if (x->map[range->side])
		compare(x, range, "map", x->map[range->side] + range->offset);
	else
		read_private(x, range);
}

static void write_map(struct exercise *x, const struct range *range)
{
	struct range own = *range;

	if (!x->map[own.side])
		own.side = STORE;
	fill(x, &own);
	memcpy(x->map[own.side] + own.offset, x->buffer, own.bytes);
}

static void allocate(struct exercise *x, const struct range *range)
{
	require(x, range, "fallocate",
		fallocate(x->fd[range->side], 0, (off_t)range->offset, (off_t)range->bytes) == 0);
}

static void punch(struct exercise *x, const struct range *range)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	require(x, range, "punch",
		fallocate(x->fd[range->side], mode, (off_t)range->offset, (off_t)range->bytes) ==
			0);
	memset(x->model + range->offset, 0, range->bytes);
}

static void allocate_past_end(struct exercise *x, const struct range *range)
{
	off_t offset = (off_t)(x->nbytes - range->bytes + 1);

	require(x, range, "fallocate past the end",
		fallocate(x->fd[MOUNT], 0, offset, (off_t)range->bytes) == -1 && errno == EFBIG);
}

/* Within the one file, where the parts do not overlap. */
static void copy(struct exercise *x, const struct range *range)
{
	off_t from = (off_t)below(x, x->nbytes - range->bytes + 1), to = (off_t)range->offset;
	size_t left = range->bytes;

	if (llabs(from - to) < (long long)left)
		return;
	memcpy(x->model + to, x->model + from, left);
	while (left > 0) {
		ssize_t count = copy_file_range(x->fd[range->side], &from, x->fd[range->side], &to,
						left, 0);

		require(x, range, "copy_file_range", count > 0);
		left -= (size_t)count;
	}
}

static void open_side(struct exercise *x, int side)
{
	struct range range = {side, 0, x->nbytes};

	x->fd[side] = open(x->path[side], O_RDWR);
	require(x, &range, "open", x->fd[side] >= 0);
	if (side == MOUNT && !x->maps)
		return;
	x->map[side] = mmap(NULL, x->nbytes, PROT_READ | PROT_WRITE, MAP_SHARED, x->fd[side], 0);
	require(x, &range, "map", x->map[side] != MAP_FAILED);
}

static void reopen(struct exercise *x, const struct range *range)
{
	if (x->map[range->side])
		munmap(x->map[range->side], x->nbytes);
	close(x->fd[range->side]);
	open_side(x, range->side);
}

static void sync_it(struct exercise *x, const struct range *range)
{
	if (x->map[range->side])
		require(x, range, "msync", msync(x->map[range->side], x->nbytes, MS_SYNC) == 0);
	require(x, range, "fsync", fsync(x->fd[range->side]) == 0);
}

/* Its metadata move, the data do not. */
static void annotate(struct exercise *x, const struct range *range)
{
	require(x, range, "setxattr",
		setxattr(x->path[MOUNT], "user.note", x->model + range->offset,
			 range->bytes < 200 ? range->bytes : 200, 0) == 0);
}

static void look(struct exercise *x, const struct range *range)
{
	struct stat st;

	require(x, range, "stat", fstat(x->fd[MOUNT], &st) == 0 && (size_t)st.st_size == x->nbytes);
}

static const struct operation {
	const char *name;
	void (*run)(struct exercise *x, const struct range *range);
	unsigned weight;
} operations[] = {
	{"read", read_it, 20},
	{"read past the end", read_past_end, 3},
	{"write", write_it, 20},
	{"write past the end", write_past_end, 3},
	{"mapped read", read_map, 20},
	{"private map", read_private, 3},
	{"mapped write", write_map, 20},
	{"fallocate", allocate, 2},
	{"fallocate past the end", allocate_past_end, 1},
	{"punch", punch, 3},
	{"copy_file_range", copy, 5},
	{"reopen", reopen, 1},
	{"sync", sync_it, 1},
	{"setxattr", annotate, 1},
	{"stat", look, 2},
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static size_t choose(struct exercise *x)
{
	size_t all = 0, at, i;

	for (i = 0; i < OPERATIONS; i++)
		all += operations[i].weight;
	at = below(x, all);
	for (i = 0; at >= operations[i].weight; i++)
		at -= operations[i].weight;
	return i;
}

int main(int argc, char **argv)
{
	long done[OPERATIONS] = {0}, count = argc == 7 ? atol(argv[5]) : 0;
	static struct exercise x;
	struct range all = {STORE, 0, 0};

	if (count <= 0)
		return 2;
	x.path[STORE] = argv[1];
	x.path[MOUNT] = argv[2];
	x.nbytes = strtoul(argv[3], NULL, 10);
	x.random = strtoull(argv[4], NULL, 10) * 2 + 1;
	x.maps = atoi(argv[6]);
	x.model = calloc(1, x.nbytes);
	open_side(&x, STORE);
	open_side(&x, MOUNT);
	for (x.turn = 1; x.turn <= count; x.turn++) {
		size_t longest = x.nbytes < LONGEST ? x.nbytes : LONGEST, which = choose(&x);
		size_t bytes =
			1 + below(&x, below(&x, 4) ? 4096 < longest ? 4096 : longest : longest);
		struct range range = {(int)below(&x, SIDES), below(&x, x.nbytes - bytes + 1),
				      bytes};

		operations[which].run(&x, &range);
		done[which]++;
	}
	for (all.offset = 0; all.offset < x.nbytes; all.offset += all.bytes)
		for (all.side = 0; all.side < SIDES; all.side++) {
			all.bytes =
				x.nbytes - all.offset < LONGEST ? x.nbytes - all.offset : LONGEST;
			read_it(&x, &all);
		}
	for (size_t i = 0; i < OPERATIONS; i++)
		printf("%s %ld\n", operations[i].name, done[i]);
	return 0;
}
