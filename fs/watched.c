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

/* Or one that was removed. */
static struct watched *find(struct watched_table *table, int wd)
{
	size_t at = place_of(table, wd);

	return at < table->count && table->items[at].wd == wd ? &table->items[at] : NULL;
}

struct watched *watched_find(struct watched_table *table, int wd)
{
	struct watched *watched = find(table, wd);

	return watched && watched->dir ? watched : NULL;
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
	struct watched *old = find(table, wd);
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
		table->removed -= !old->dir;
		free_item(old);
	} else {
		memmove(&table->items[at + 1], &table->items[at],
			(table->count - at) * sizeof(*table->items));
		table->count++;
	}
	table->items[at] = watched;
	return 0;
}

/* Without those that were removed. */
static void compact(struct watched_table *table)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++)
		if (table->items[i].dir)
			table->items[kept++] = table->items[i];
	table->count = kept;
	table->removed = 0;
}

void watched_remove(struct watched_table *table, int wd)
{
	struct watched *watched = watched_find(table, wd);

	if (!watched)
		return;
	free_item(watched);
	*watched = (struct watched){.wd = wd};
	if (++table->removed > table->count / 2)
		compact(table);
}

static void note_look(struct watched_table *table, int64_t look_ns)
{
	if (!table->look_ns || look_ns < table->look_ns)
		table->look_ns = look_ns;
}

void watched_look_at(struct watched_table *table, struct watched *watched, int64_t look_ns)
{
	watched->look_ns = look_ns;
	note_look(table, look_ns);
}

void watched_mark_all(struct watched_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i].name)
			watched_look_at(table, &table->items[i], 1);
}

struct watched *watched_take_due(struct watched_table *table, int64_t now_ns, int after)
{
	if (!after && (!table->look_ns || table->look_ns > now_ns))
		return NULL;
	if (!after)
		table->look_ns = 0; /* found anew on the way through all */
	for (size_t i = place_of(table, after + 1); i < table->count; i++) {
		struct watched *watched = &table->items[i];

		if (watched->look_ns && watched->look_ns <= now_ns) {
			watched->look_ns = 0;
			return watched;
		}
		if (watched->look_ns)
			note_look(table, watched->look_ns);
	}
	return NULL;
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
