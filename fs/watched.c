/* SPDX-License-Identifier: BSD-3-Clause */
#include "watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* Where the item of that wd is, or would be. */
static size_t place_of(const struct watched_table *table, int wd)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table->items[middle].wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct watched *watched_find(struct watched_table *table, int wd)
{
	size_t at = place_of(table, wd);

	return at < table->count && table->items[at].wd == wd ? &table->items[at] : NULL;
}

/* Room for one more. */
static int grow(struct watched_table *table)
{
	size_t room = table->room ? table->room * 2 : 64;
	struct watched *items;

	if (table->count < table->room)
		return 0;
	items = realloc(table->items, room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	table->items = items;
	table->room = room;
	return 0;
}

static void free_item(struct watched *watched)
{
	free(watched->name);
	free(watched->dir);
}

int watched_put(struct watched_table *table, int wd, const char *dir, const char *name,
		const struct stat *st)
{
	struct watched watched = {.wd = wd, .dir = strdup(dir)};
	struct watched *old = watched_find(table, wd);
	size_t at = place_of(table, wd);

	watched.name = name ? strdup(name) : NULL;
	if (!watched.dir || (name && !watched.name) || (!old && grow(table) < 0)) {
		free_item(&watched);
		return -ENOMEM;
	}
	if (st) {
		watched.dev = st->st_dev;
		watched.ino = st->st_ino;
	}
	if (old) {
		free_item(old);
	} else {
		memmove(&table->items[at + 1], &table->items[at],
			(table->count - at) * sizeof(*table->items));
		table->count++;
	}
	table->items[at] = watched;
	return 0;
}

void watched_remove(struct watched_table *table, int wd)
{
	struct watched *watched = watched_find(table, wd);

	if (!watched)
		return;
	free_item(watched);
	table->count--;
	memmove(watched, watched + 1,
		(size_t)(table->items + table->count - watched) * sizeof(*watched));
}

void watched_mark_all(struct watched_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		table->items[i].look_ns = table->items[i].name ? 1 : 0;
}

struct watched *watched_take_due(struct watched_table *table, int64_t now_ns)
{
	for (size_t i = 0; i < table->count; i++) {
		struct watched *watched = &table->items[i];

		if (watched->look_ns && watched->look_ns <= now_ns) {
			watched->look_ns = 0;
			return watched;
		}
	}
	return NULL;
}

int64_t watched_next_look(const struct watched_table *table)
{
	int64_t next = 0;

	for (size_t i = 0; i < table->count; i++) {
		int64_t look_ns = table->items[i].look_ns;

		if (look_ns && (!next || look_ns < next))
			next = look_ns;
	}
	return next;
}

void watched_table_deinit(struct watched_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free_item(&table->items[i]);
	free(table->items);
}

void path_list_push(struct path_list *list, const char *path)
{
	CLEANUP_FREE char *copy = strdup(path);

	if (!copy)
		return;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		char **paths = realloc(list->paths, room * sizeof(*paths));

		if (!paths)
			return;
		list->paths = paths;
		list->room = room;
	}
	list->paths[list->count++] = steal_ptr(copy);
}

char *path_list_pop(struct path_list *list)
{
	return list->count ? list->paths[--list->count] : NULL;
}

void path_list_deinit(struct path_list *list)
{
	char *path;

	while ((path = path_list_pop(list)))
		free(path);
	free(list->paths);
}
