/* SPDX-License-Identifier: BSD-3-Clause */
#include "name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "store.h"

/* Is this a component that may stand in a name: not empty, not "." or "..", at most NAME_MAX bytes?
 */
static int check_component(const char *text, size_t bytes)
{
	if (bytes == 0 || (bytes == 1 && text[0] == '.') ||
	    (bytes == 2 && text[0] == '.' && text[1] == '.'))
		return -EINVAL;
	return bytes > NAME_MAX ? -ENAMETOOLONG : 0;
}

static int check_components(const char *text)
{
	for (;;) {
		size_t bytes = strcspn(text, "/");
		int r = check_component(text, bytes);

		if (r < 0 || text[bytes] == '\0')
			return r;
		text += bytes + 1;
	}
}

/*
 * Open the directory that the components before `end` lead to, one by one, so that no symlink is
 * followed on the way.
 */
static int walk(const char *store, const char *text, const char *end, int flags, int *ret_fd)
{
	CLEANUP_FD int fd = open(store, flags | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? error_set(-errno, "the store %s does not exist", store)
				       : -errno;
	while (text < end) {
		char component[NAME_MAX + 1];
		size_t bytes = strcspn(text, "/");
		int next;

		memcpy(component, text, bytes);
		component[bytes] = '\0';
		next = openat(fd, component, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -errno;
		close(fd);
		fd = next;
		text += bytes;
		if (text < end)
			text++;
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int init_in_store(const char *text, struct name *name)
{
	const char *leaf = strrchr(text, '/');
	int n, r = check_components(text);

	if (r < 0)
		return r;
	n = store_path(name->dir_text, sizeof(name->dir_text));
	if (n < 0)
		return n;
	name->in_store = name->nofollow = true;
	if (leaf) {
		r = walk(name->dir_text, text, leaf, O_PATH, &name->at);
		if (r < 0)
			return r;
		name->dir = ".";
		strcpy(name->path, leaf + 1); /* at most NAME_MAX: checked above */
		return 0;
	}
	name->dir = name->dir_text;
	n = snprintf(name->path, sizeof(name->path), "%s/%s", name->dir_text, text);
	return n < (int)sizeof(name->path) ? 0 : -ENAMETOOLONG;
}

/* The path is the user's own, and as free as any: only its last component is looked at. */
static int init_file(const char *path, struct name *name)
{
	const char *leaf = strrchr(path, '/');
	size_t bytes = strlen(path), dir_bytes = leaf ? (size_t)(leaf - path) : 0;
	int r = check_component(leaf ? leaf + 1 : path, leaf ? bytes - dir_bytes - 1 : bytes);

	if (r < 0)
		return r;
	if (bytes >= sizeof(name->path))
		return -ENAMETOOLONG;
	memcpy(name->path, path, bytes + 1);
	memcpy(name->dir_text, path, dir_bytes);
	name->dir_text[dir_bytes] = '\0';
	name->in_store = name->nofollow = false;
	name->dir = dir_bytes ? name->dir_text : leaf ? "/" : ".";
	return 0;
}

static const char *skip_prefix(const char *text, const char *prefix)
{
	size_t bytes = strlen(prefix);

	return strncmp(text, prefix, bytes) == 0 ? text + bytes : NULL;
}

int name_init(const char *text, struct name *ret_name)
{
	const char *rest = skip_prefix(text, "file://");

	ret_name->at = AT_FDCWD;
	if (rest)
		return init_file(rest, ret_name);
	rest = skip_prefix(text, "shm://");
	if (!rest)
		rest = text;
	while (*rest == '/') /* as shm_open does; an unknown scheme is an empty component then */
		rest++;
	return init_in_store(rest, ret_name);
}

const char *name_where(const struct name *name)
{
	return name->in_store ? name->dir_text : name->dir;
}

int name_explain(const struct name *name, int r)
{
	if (r == -ENOENT && name->in_store && access(name->dir_text, F_OK) < 0 && errno == ENOENT)
		return error_set(r, "the store %s does not exist", name->dir_text);
	return r;
}

void name_deinit(struct name *name)
{
	if (name->at >= 0)
		cleanup_fd(&name->at);
}

int name_open_group(const char *group, int *ret_fd)
{
	char store[PATH_MAX];
	int r = store_path(store, sizeof(store));

	if (r < 0)
		return r;
	if (!group)
		group = "";
	while (*group == '/')
		group++;
	r = *group ? check_components(group) : 0;
	return r < 0 ? r : walk(store, group, group + strlen(group), O_RDONLY, ret_fd);
}
