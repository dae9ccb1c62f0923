/* SPDX-License-Identifier: BSD-3-Clause */
#include "mount_create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attrs.h"
#include "cleanup.h"
#include "error.h"
#include "mount.h"
#include "whole.h"

int mount_has(const struct name *name)
{
	CLEANUP_FD int dir = -1;

	if (name->in_mount || name->in_store)
		return name->in_mount;
	dir = openat(name->at, name->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && mount_is_sharrfs(dir))
		return 1;
	/* ENOENT of a directory that was removed meanwhile, too: not to be taken for another's. */
	return (dir < 0 || mount_is_fuse(dir)) && errno == ENOENT ? -ENOENT : 0;
}

static int set_attributes(int fd, const struct sharr_spec *spec, const struct format_meta *meta)
{
	CLEANUP_FREE char *npy = NULL;
	char name[sizeof("user.") + ATTRS_NAME_MAX];
	int r = format_npy_text(meta, &npy);

	if (r < 0)
		return r;
	if (fsetxattr(fd, "user.sharr.npy", npy, strlen(npy), 0) < 0)
		return -errno;
	for (size_t i = 0; i < spec->attr_count; i++) {
		const struct sharr_attr *attr = &spec->attrs[i];

		snprintf(name, sizeof(name), "user.%s", attr->name);
		if (attr->value && fsetxattr(fd, name, attr->value, attr->bytes, 0) < 0)
			return -errno;
	}
	return 0;
}

static int give_size(int fd, const struct format_meta *meta, const void *data, unsigned flags)
{
	if (data)
		return whole_pwrite(fd, data, (size_t)meta->nbytes, 0);
	if (meta->nbytes == 0)
		return 0;
	if (flags & SHARR_SPARSE)
		return ftruncate(fd, (off_t)meta->nbytes) < 0 ? -errno : 0;
	return -posix_fallocate(fd, 0, (off_t)meta->nbytes);
}

int mount_create(const struct name *name, const struct sharr_spec *spec,
		 const struct format_meta *meta, const void *data, unsigned flags)
{
	CLEANUP_FD int fd = -1;
	int r;

	if (flags & ~SHARR_SPARSE)
		return error_set(-EOPNOTSUPP,
				 "through a mount arrays are neither replaced nor ephemeral");
	fd = openat(name->at, name->path,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
		    spec->mode ? spec->mode & 0600 : 0666);
	if (fd < 0)
		return -errno;
	r = spec->mode && fchmod(fd, spec->mode) < 0 ? -errno : 0;
	if (r == 0)
		r = give_size(fd, meta, data, flags);
	if (r == 0)
		r = set_attributes(fd, spec, meta);
	if (r < 0) {
		unlinkat(name->at, name->path,
			 0); /* it is this process's alone: nobody has seen it */
		return r;
	}
	return close(steal_fd(&fd)) < 0 ? -errno : 0; /* published here */
}
