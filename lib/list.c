/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "ephemeral.h"
#include "error.h"
#include "info.h"
#include "known.h"
#include "list.h"
#include "name.h"
#include "open.h"
#include "sharr.h"
#include "staging.h"

/* What a listing carries from one entry to the next. */
struct listing {
	int dir;
	bool in_mount;
	int before; /* the same group of the store, listed first: its names hide these; or -1 */
	char *name; /* room for the group, a slash and an entry */
	size_t group_bytes; /* of the group and its slash, which name starts with */
	void *payload;      /* owned, for info_fill; grows */
	size_t payload_bytes;
	struct known known; /* of the directory; of one in a mount nothing */
	list_fn *fn;
	void *userdata;
};

static int tell(struct listing *listing, const struct opened *opened)
{
	size_t bytes = info_payload_bytes(listing->name, &opened->meta);
	struct sharr_info info;
	uint64_t serial;

	if (bytes > listing->payload_bytes) {
		void *larger = realloc(listing->payload, bytes + 256);

		if (!larger)
			return -ENOMEM;
		listing->payload = larger;
		listing->payload_bytes = bytes + 256;
	}
	info_fill(listing->name, &opened->meta, &opened->st, listing->payload, &info);
	serial = known_keep(&listing->known, &opened->st, &info);
	return listing->fn(&info, serial, listing->userdata);
}

/* The array of that entry, if it still is what the last listing found; it is found again. */
static const struct known_array *find_known(struct listing *listing, const struct dirent *entry)
{
	struct known_array *array = known_find(&listing->known, entry->d_ino);
	struct stat st;

	if (!array || fstatat(listing->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_dev != listing->known.dev || !known_is(array, &st) ||
	    strcmp(array->info.name, listing->name) != 0)
		return NULL;
	known_found(&listing->known, array);
	return array;
}

/*
 * In passing, what a process that was killed left of an array it was replacing, or of a group that it
 * was making, is cleared away.
 */
static bool is_hidden(const struct listing *listing, const char *name)
{
	if (!staging_is_hidden(name))
		return false;
	if (staging_is_abandoned(name) && unlinkat(listing->dir, name, 0) < 0 && errno == EISDIR)
		unlinkat(listing->dir, name, AT_REMOVEDIR);
	return true;
}

static bool is_hidden_by_the_store(const struct listing *listing, const char *name)
{
	struct opened opened;

	if (listing->before < 0 ||
	    open_array_at(listing->before, name, O_RDONLY, false, &opened) < 0)
		return false;
	opened_deinit(&opened);
	return true;
}

static int visit(struct listing *listing, const struct dirent *entry)
{
	const struct known_array *known;
	struct opened opened;
	int r;

	/* Some file systems count characters: a name of theirs may have more bytes than ours. */
	if (strlen(entry->d_name) > NAME_MAX || is_hidden(listing, entry->d_name) ||
	    (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN) ||
	    is_hidden_by_the_store(listing, entry->d_name))
		return 0;
	strcpy(listing->name + listing->group_bytes, entry->d_name);
	known = find_known(listing, entry);
	if (known)
		return listing->fn(&known->info, known->serial, listing->userdata);
	r = open_array_at(listing->dir, entry->d_name, O_RDONLY, listing->in_mount, &opened);
	if (r < 0)
		return open_is_fatal(r) ? name_explain_limits("the store", r) : 0;
	if (!ephemeral_is_leftover(listing->dir, entry->d_name, &opened))
		r = tell(listing, &opened);
	opened_deinit(&opened);
	return r;
}

static int visit_all(struct listing *listing, DIR *dir)
{
	for (;;) {
		const struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		r = visit(listing, entry);
		if (r != 0)
			return r;
	}
}

/* The descriptor is the stream's from then on. */
static int list_directory(struct listing *listing, int *fd, DIR **ret_dir)
{
	int r;

	*ret_dir = fdopendir(*fd);
	if (!*ret_dir)
		return -errno;
	listing->dir = steal_fd(fd);
	known_begin(&listing->known, listing->in_mount ? -1 : listing->dir);
	r = visit_all(listing, *ret_dir);
	known_end(&listing->known, r == 0);
	return r;
}

/* The store, and behind it what the mount of another one has beside it. */
static int list_all(struct listing *listing, const char *group)
{
	CLEANUP_DIR DIR *dir = NULL;
	CLEANUP_DIR DIR *other_dir = NULL;
	CLEANUP_FD int fd = -1;
	CLEANUP_FD int other = -1;
	int r = name_open_group(group, &fd, &listing->in_mount);
	int beside = r == 0 || r == -ENOENT ? name_open_group_beside(group, &other) : r;

	if (r == 0)
		r = list_directory(listing, &fd, &dir);
	else if (beside == 0)
		r = 0;
	if (r != 0 || beside < 0)
		return r == 0 && open_is_fatal(beside) ? beside : r;
	listing->before = dir ? listing->dir : -1;
	listing->in_mount = true;
	return list_directory(listing, &other, &other_dir);
}

int list_each(const char *group, list_fn *fn, void *userdata)
{
	CLEANUP_FREE char *name = NULL;
	struct listing listing = {.before = -1, .fn = fn, .userdata = userdata};
	int r;

	error_clear();
	listing.name = name = name_room_in_group(group, &listing.group_bytes);
	if (!name)
		return -ENOMEM;
	r = list_all(&listing, group);
	free(listing.payload);
	return r;
}

struct plain {
	int (*fn)(const struct sharr_info *info, void *userdata);
	void *userdata;
};

static int tell_plain(const struct sharr_info *info, uint64_t serial, void *userdata)
{
	const struct plain *plain = userdata;

	return plain->fn(info, plain->userdata);
}

int sharr_list(const char *group, int (*fn)(const struct sharr_info *info, void *userdata),
	       void *userdata)
{
	struct plain plain = {fn, userdata};

	return list_each(group, tell_plain, &plain);
}
