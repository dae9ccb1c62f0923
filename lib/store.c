/* SPDX-License-Identifier: BSD-3-Clause */
#include "store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define SHM_DIRECTORY "/dev/shm"
#define DEFAULT_MOUNT "/mnt/sharr"

/* 0 not looked yet, 1 there, -1 not there. It does not come and go while a process runs. */
static atomic_int shm_state;

static int private_path(char *ret_path, size_t bytes)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int n;

	if (runtime && runtime[0] == '/')
		n = snprintf(ret_path, bytes, "%s/sharr", runtime);
	else
		n = snprintf(ret_path, bytes, "/tmp/sharr-%lu", (unsigned long)geteuid());
	if (n < 0 || (size_t)n >= bytes)
		return -ENAMETOOLONG;
	mkdir(ret_path, 0700); /* if this fails, so does what comes next, and says why */
	/* In a folder that all may write somebody else may have been first, to read along. */
	if (lstat(ret_path, &st) == 0 &&
	    (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0))
		return error_set(-EACCES, "the store %s is not a folder of this user alone",
				 ret_path);
	return n;
}

/* Without the slashes at its end. */
static int take_path(const char *path, char *ret_path, size_t bytes)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n >= bytes)
		return -ENAMETOOLONG;
	memcpy(ret_path, path, n);
	ret_path[n] = '\0';
	return (int)n;
}

int store_via(enum store_via *ret_via)
{
	const char *via = getenv("SHARR_VIA");

	if (!via || !via[0] || strcmp(via, "auto") == 0)
		*ret_via = STORE_VIA_AUTO;
	else if (strcmp(via, "shm") == 0)
		*ret_via = STORE_VIA_SHM;
	else if (strcmp(via, "mount") == 0)
		*ret_via = STORE_VIA_MOUNT;
	else
		return error_set(-EINVAL, "SHARR_VIA is '%s', not auto, shm or mount", via);
	return 0;
}

int store_mount_path(char *ret_path, size_t bytes)
{
	const char *path = getenv("SHARR_MOUNT");

	return take_path(path && path[0] ? path : DEFAULT_MOUNT, ret_path, bytes);
}

int store_path(char *ret_path, size_t bytes)
{
	const char *path = getenv("SHARR_STORE");
	struct stat st;

	if (!path || !path[0]) {
		if (atomic_load(&shm_state) == 0)
			atomic_store(&shm_state, stat(SHM_DIRECTORY, &st) == 0 ? 1 : -1);
		if (atomic_load(&shm_state) < 0)
			return private_path(ret_path, bytes);
		path = SHM_DIRECTORY;
	}
	return take_path(path, ret_path, bytes);
}
