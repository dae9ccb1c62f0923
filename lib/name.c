/* SPDX-License-Identifier: BSD-3-Clause */
#include "name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "mount.h"
#include "sharr.h"
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
				       : name_explain_limits(store, -errno);
	while (text < end) {
		char component[NAME_MAX + 1];
		size_t bytes = strcspn(text, "/");
		int next;

		memcpy(component, text, bytes);
		component[bytes] = '\0';
		next = openat(fd, component, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return name_explain_limits(store, -errno);
		close(fd);
		fd = next;
		text += bytes;
		if (text < end)
			text++;
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

static const char *skip_prefix(const char *text, const char *prefix)
{
	size_t bytes = strlen(prefix);

	return strncmp(text, prefix, bytes) == 0 ? text + bytes : NULL;
}

/* The name without its scheme and the slashes before it, as shm_open drops them. */
static const char *skip_scheme(const char *text)
{
	const char *rest = skip_prefix(text, "shm://");

	if (!rest)
		rest = text;
	while (*rest == '/') /* an unknown scheme is an empty component then */
		rest++;
	return rest;
}

/* Where names of the store are looked up: its own path, or the mount's. */
static int base_path(bool in_mount, char *ret_path)
{
	return in_mount ? store_mount_path(ret_path, PATH_MAX) : store_path(ret_path, PATH_MAX);
}

static int init_in_store(bool in_mount, struct name *name)
{
	const char *text = skip_scheme(name->text);
	const char *leaf = strrchr(text, '/');
	size_t bytes = strlen(text);
	int n, r = check_components(text);

	if (r < 0)
		return r;
	n = base_path(in_mount, name->dir_text);
	if (n < 0)
		return n;
	name->in_store = name->nofollow = true;
	name->in_mount = in_mount;
	if (leaf) {
		r = walk(name->dir_text, text, leaf, O_PATH, &name->at);
		if (r < 0)
			return r;
		name->dir = ".";
		strcpy(name->path, leaf + 1); /* at most NAME_MAX: checked above */
		return 0;
	}
	name->dir = name->dir_text;
	if ((size_t)n + 1 + bytes >= sizeof(name->path))
		return -ENAMETOOLONG;
	memcpy(name->path, name->dir_text, (size_t)n); /* snprintf is slow beside this */
	name->path[n] = '/';
	memcpy(name->path + n + 1, text, bytes + 1);
	return 0;
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
	name->in_store = name->nofollow = name->in_mount = false;
	name->dir = dir_bytes ? name->dir_text : leaf ? "/" : ".";
	return 0;
}

/* Both flags: either way. */
static int choose_via(unsigned flags, enum store_via *ret_via)
{
	switch (flags & (SHARR_VIA_SHM | SHARR_VIA_MOUNT)) {
	case 0:
		return store_via(ret_via);
	case SHARR_VIA_SHM:
		*ret_via = STORE_VIA_SHM;
		return 0;
	case SHARR_VIA_MOUNT:
		*ret_via = STORE_VIA_MOUNT;
		return 0;
	}
	*ret_via = STORE_VIA_AUTO;
	return 0;
}

int name_init(const char *text, unsigned flags, struct name *ret_name)
{
	const char *path = skip_prefix(text, "file://");
	int r;

	ret_name->at = AT_FDCWD;
	ret_name->text = text;
	ret_name->via = STORE_VIA_AUTO;
	if (path)
		return init_file(path, ret_name);
	r = choose_via(flags, &ret_name->via);
	return r < 0 ? r : init_in_store(ret_name->via == STORE_VIA_MOUNT, ret_name);
}

/* The mount and the store, if names are looked up both ways and one is there that shows the other. */
static bool mount_beside(enum store_via via, char ret_mount[PATH_MAX], char ret_store[PATH_MAX])
{
	return via == STORE_VIA_AUTO && store_mount_path(ret_mount, PATH_MAX) >= 0 &&
	       store_path(ret_store, PATH_MAX) >= 0 && mount_shows(ret_mount, ret_store);
}

bool name_try_mount(struct name *name)
{
	char mount[PATH_MAX], store[PATH_MAX];

	if (!name->in_store || name->in_mount || !mount_beside(name->via, mount, store))
		return false;
	name_deinit(name);
	name->at = AT_FDCWD;
	return init_in_store(true, name) == 0;
}

int name_find(const char *text, unsigned flags, struct name *ret_name)
{
	int r = name_init(text, flags, ret_name);

	return r == -ENOENT && name_try_mount(ret_name) ? 0 : r;
}

const char *name_where(const struct name *name)
{
	return name->in_store ? name->dir_text : name->dir;
}

int name_explain_limits(const char *where, int r)
{
	struct rlimit limit = {.rlim_cur = 0};

	switch (-r) {
	case EROFS:
		return error_set(r, "%s is mounted read-only", where);
	case ENOTCONN:
		return error_set(r,
				 "the sharrfs that was mounted at %s is gone: umount -l %s, and "
				 "mount it again",
				 where, where);
	case EMFILE:
		getrlimit(RLIMIT_NOFILE, &limit);
		return error_set(r,
				 "this process has as many files open as RLIMIT_NOFILE allows "
				 "(%llu): close some, or raise it (ulimit -n)",
				 (unsigned long long)limit.rlim_cur);
	case ENFILE:
		return error_set(r, "this machine has as many files open as fs.file-max allows");
	}
	return r;
}

/* Whose it is, and who asks. */
static int explain_refusal(const char *what, const struct stat *st, int r)
{
	return error_set(r,
			 "%s belongs to uid %u, gid %u and has mode %04o; this process is uid "
			 "%u: its owner may chmod it",
			 what, st->st_uid, st->st_gid, st->st_mode & 07777, geteuid());
}

static int explain_permission(const struct name *name, bool of_file, int r)
{
	const char *where = name_where(name);
	struct stat st;

	if (of_file && fstatat(name->at, name->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return explain_refusal("the array", &st, r);
	if (fstatat(name->at, name->dir, &st, 0) == 0)
		return explain_refusal(where, &st, r);
	return r;
}

int name_explain(const struct name *name, bool of_file, int r)
{
	const char *where = name_where(name);

	if (r == -ENOENT && name->in_store && access(name->dir_text, F_OK) < 0 && errno == ENOENT)
		return error_set(r, "the store %s does not exist", name->dir_text);
	if (r == -EACCES || r == -EPERM)
		return explain_permission(name, of_file, r);
	return name_explain_limits(where, r);
}

void name_deinit(struct name *name)
{
	if (name->at >= 0)
		cleanup_fd(&name->at);
}

/* Without scheme and leading slashes; "" for NULL. */
static const char *group_path(const char *group)
{
	return skip_scheme(group ? group : "");
}

char *name_room_in_group(const char *group, size_t *ret_bytes)
{
	const char *path = group_path(group);
	size_t bytes = strlen(path);
	char *name = malloc(bytes + 1 + NAME_MAX + 1);

	if (!name)
		return NULL;
	memcpy(name, path, bytes);
	if (bytes)
		name[bytes++] = '/';
	*ret_bytes = bytes;
	return name;
}

int name_open_group(const char *group, int *ret_fd, bool *ret_in_mount)
{
	char base[PATH_MAX];
	enum store_via via;
	int r = store_via(&via);

	if (r == 0)
		r = base_path(via == STORE_VIA_MOUNT, base);
	if (r < 0)
		return r;
	*ret_in_mount = via == STORE_VIA_MOUNT;
	group = group_path(group);
	r = *group ? check_components(group) : 0;
	return r < 0 ? r : walk(base, group, group + strlen(group), O_RDONLY, ret_fd);
}

int name_open_group_beside(const char *group, int *ret_fd)
{
	char mount[PATH_MAX], store[PATH_MAX];
	enum store_via via;

	if (store_via(&via) < 0 || !mount_beside(via, mount, store) || mount_is_of(mount, store))
		return -ENOENT;
	group = group_path(group);
	return walk(mount, group, group + strlen(group), O_RDONLY, ret_fd);
}
