/* SPDX-License-Identifier: BSD-3-Clause */
#include "mount_create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attrs.h"
#include "cleanup.h"
#include "mount.h"
#include "open.h"
#include "space.h"
#include "whole.h"

int mount_has(const struct name *name)
{
	CLEANUP_FD int dir = -1;

	if (name->in_mount || name->in_store)
		return name->in_mount;
	dir = openat(name->at, name->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && mount_is_sharrfs(dir))
		return 1;
	/* A directory that was removed meanwhile, or made again, is not to be taken for another's. */
	if ((dir < 0 || mount_is_fuse(dir)) && (errno == ENOENT || errno == ESTALE))
		return -ENOENT;
	return 0;
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
	if (meta->dtype_name[0] && fsetxattr(fd, "user.sharr.dtype_name", meta->dtype_name,
					     strlen(meta->dtype_name), 0) < 0)
		return -errno;
	for (size_t i = 0; i < spec->attr_count; i++) {
		const struct sharr_attr *attr = &spec->attrs[i];

		snprintf(name, sizeof(name), "user.%s", attr->name);
		if (attr->value && fsetxattr(fd, name, attr->value, attr->bytes, 0) < 0)
			return -errno;
	}
	return 0;
}

static int give_size(int fd, const struct format_meta *meta, const void *data, bool reserve,
		     const char *where)
{
	int r = space_check(fd, meta->nbytes, data || reserve, where);

	if (r < 0)
		return r;
	if (!data)
		return space_take(fd, meta->nbytes, reserve, where);
	return space_explain(whole_pwrite(fd, data, (size_t)meta->nbytes, 0), meta->nbytes, where);
}

int mount_fill(int fd, const struct sharr_spec *spec, const struct format_meta *meta,
	       const void *data, bool reserve, const char *where)
{
	int r = give_size(fd, meta, data, reserve, where);

	return r < 0 ? r : set_attributes(fd, spec, meta);
}

/* If somebody else's is there already, that is nothing to be told. */
void mount_refresh(struct name *name, struct sharr_info *info)
{
	struct opened opened;

	if (open_array(name, O_RDONLY, &opened) < 0)
		return;
	if (opened.st.st_ino == info->inode) {
		info->created_ns = opened.meta.origin.created_ns;
		info->creator_pid = opened.meta.origin.pid;
	}
	opened_deinit(&opened);
}
