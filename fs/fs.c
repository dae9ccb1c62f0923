/* SPDX-License-Identifier: BSD-3-Clause */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "store_at.h"

/* As many open arrays as the system lets us have; how many descriptors that is. */
static int raise_descriptor_limit(int *ret_max)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	*ret_max = limit.rlim_max < INT_MAX ? (int)limit.rlim_max : INT_MAX;
	return 0;
}

int fs_init(struct fs *fs, const char *path)
{
	CLEANUP_FD int root_fd = -1;
	CLEANUP_FD int proc_fd = -1;
	struct statvfs mounted;
	struct facts root;
	int rc;

	memset(fs, 0, sizeof(*fs));
	root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return -errno;
	rc = raise_descriptor_limit(&fs->descriptor_max);
	if (rc == 0)
		rc = facts_of_fd(root_fd, &root);
	if (rc < 0)
		return rc;
	if (fstatvfs(root_fd, &mounted) < 0)
		return -errno;
	fs->no_devices = mounted.f_flag & ST_NODEV;
	rc = io_buffers_init(&fs->buffers);
	if (rc < 0)
		return rc;
	rc = inode_table_init(&fs->inodes, &root);
	if (rc < 0)
		goto no_inodes;
	rc = verdict_cache_init(&fs->verdicts);
	if (rc < 0)
		goto no_verdicts;
	rc = pins_init(&fs->pins, fs->inodes.seed, root_fd, fs->descriptor_max);
	if (rc < 0)
		goto no_pins;
	rc = unused_init(&fs->unused);
	if (rc < 0)
		goto no_unused;
	rc = npy_recent_init(&fs->npy_recent);
	if (rc < 0)
		goto no_npy_recent;
	fs->store = path;
	fs->root_fd = steal_fd(&root_fd);
	fs->proc_fd = steal_fd(&proc_fd);
	return 0;

no_npy_recent:
	unused_deinit(&fs->unused);
no_unused:
	pins_deinit(&fs->pins);
no_pins:
	verdict_cache_deinit(&fs->verdicts);
no_verdicts:
	inode_table_deinit(&fs->inodes);
no_inodes:
	io_buffers_deinit(&fs->buffers);
	return rc;
}

void fs_deinit(struct fs *fs)
{
	npy_recent_deinit(&fs->npy_recent);
	unused_deinit(&fs->unused);
	pins_deinit(&fs->pins);
	verdict_cache_deinit(&fs->verdicts);
	inode_table_deinit(&fs->inodes);
	io_buffers_deinit(&fs->buffers);
	close(fs->proc_fd);
	close(fs->root_fd);
}
