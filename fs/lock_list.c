/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "ephemeral.h"

/*
 * A line: "5: OFDLCK ADVISORY  READ -1 00:1d:27 4611686018427387904 4611686018427387904". Those of
 * who only waits for a lock have an arrow in front, and are passed over.
 */
static bool parse(const char *line, struct locked_file *ret_file)
{
	unsigned major_number, minor_number;
	unsigned long long ino, start;

	if (sscanf(line, "%*s %*s %*s %*s %*s %x:%x:%llu %llu", &major_number, &minor_number, &ino,
		   &start) != 4 ||
	    start != EPHEMERAL_LOCK_OFFSET)
		return false;
	*ret_file = (struct locked_file){.dev = makedev(major_number, minor_number), .ino = ino};
	return true;
}

static int add(struct lock_list *list, const struct locked_file *file)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct locked_file *files = realloc(list->files, room * sizeof(*files));

		if (!files)
			return -ENOMEM;
		list->files = files;
		list->room = room;
	}
	list->files[list->count++] = *file;
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct locked_file *a = left, *b = right;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

int lock_list_read(struct lock_list *ret_list)
{
	CLEANUP_STREAM FILE *stream = fopen("/proc/locks", "re");
	CLEANUP_FREE char *line = NULL;
	struct lock_list list = {0};
	struct locked_file file;
	size_t room = 0;
	int rc = stream ? 0 : -errno;

	while (rc == 0 && getline(&line, &room, stream) >= 0)
		if (parse(line, &file))
			rc = add(&list, &file);
	if (rc == 0 && !feof(stream))
		rc = -EIO;
	if (rc < 0) {
		lock_list_deinit(&list);
		return rc;
	}
	if (list.count)
		qsort(list.files, list.count, sizeof(*list.files), compare);
	*ret_list = list;
	return 0;
}

void lock_list_deinit(struct lock_list *list)
{
	free(list->files);
}

bool lock_list_has(const struct lock_list *list, dev_t dev, ino_t ino)
{
	const struct locked_file wanted = {.dev = dev, .ino = ino};

	return list->count &&
	       bsearch(&wanted, list->files, list->count, sizeof(*list->files), compare);
}
