/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ephemerals.c watches: directories, and ephemeral arrays, by the numbers that inotify gave
 * them, which it gives in rising order. And a list of paths yet to be visited. There may be very many
 * arrays: nothing here goes through all of them for one.
 */
#ifndef SHARRFS_WATCHED_H
#define SHARRFS_WATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct watched {
	int wd;
	int doubts;      /* see ephemerals.c */
	int looks;       /* at an array, since it was closed last */
	int64_t look_ns; /* when the next is due, CLOCK_MONOTONIC; 0: none is; watched_look_at() */
	char *name;      /* of an array, owned; NULL: a directory */
	char *dir;       /* path in the store of the directory that it lies in, or is; owned; NULL:
			    it was removed */
	dev_t dev;       /* of an array */
	ino_t ino;
};

struct watched_table {
	struct watched *items; /* by wd */
	size_t count, room;
	size_t removed;  /* of the items: they go when there are many */
	int64_t look_ns; /* no look is due before; 0: none is */
};

void watched_table_deinit(struct watched_table *table);

/*
 * Note that `wd` watches this array, or directory (name and st are NULL then), perhaps under a name
 * it did not have before.
 */
int watched_put(struct watched_table *table, int wd, const char *dir, const char *name,
		const struct stat *st);

/* NULL: there is none. Valid until the table is changed. */
struct watched *watched_find(struct watched_table *table, int wd);

void watched_remove(struct watched_table *table, int wd);

/* A look at it is due then, instead of at any other time. */
void watched_look_at(struct watched_table *table, struct watched *watched, int64_t look_ns);

/* Look at all arrays now. */
void watched_mark_all(struct watched_table *table);

/*
 * All arrays whose look is due, from first to last: `after` is 0 at first and then the wd of the one
 * before, which may have been removed. The look of what is returned is due no more. NULL: there is
 * none left.
 */
struct watched *watched_take_due(struct watched_table *table, int64_t now_ns, int after);

struct path_list {
	char **paths; /* owned */
	size_t count, room;
};

/* What there is no memory for is left out. */
void path_list_push(struct path_list *list, const char *path);

/* The caller frees it; NULL: there is none. */
char *path_list_pop(struct path_list *list);

void path_list_deinit(struct path_list *list);

#endif
