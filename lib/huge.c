/* SPDX-License-Identifier: BSD-3-Clause */
#include "huge.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "linux_calls.h"
#include "mountinfo.h"
#include "sharr.h"
#include "space.h"

/* Where huge pages have another size this is a granularity like any other. */
enum { HUGE_BYTES = 2 << 20 };

static bool has_option(const char *options, const char *wanted)
{
	size_t bytes = strlen(wanted);

	for (const char *at = options; (at = strstr(at, wanted)); at += bytes)
		if ((at == options || at[-1] == ',') && (at[bytes] == ',' || at[bytes] == '\0'))
			return true;
	return false;
}

/* 1: this is the mount, and it gives huge pages to who asks; -1: it is, and does not. */
static int look_at(const struct mountinfo *mount, void *userdata)
{
	const uint64_t *device = userdata;

	if (mount->device != *device)
		return 0;
	return has_option(mount->options, "huge=advise") ? 1 : -1;
}

bool huge_is_wanted(int fd, uint64_t file_bytes, unsigned flags)
{
	struct statfs fs;
	struct stat st;
	uint64_t device;

	if (flags & SHARR_NO_HUGE || (file_bytes < HUGE_BYTES && !(flags & SHARR_HUGE)))
		return false;
	if (fstatfs(fd, &fs) < 0 || fs.f_type != SPACE_TMPFS_TYPE || fstat(fd, &st) < 0)
		return false;
	device = st.st_dev;
	return mountinfo_each(look_at, &device) > 0;
}

void huge_populate(int fd, uint64_t file_bytes)
{
	size_t bytes = (size_t)(file_bytes & ~(uint64_t)(HUGE_BYTES - 1));
	void *address;

	if (ftruncate(fd, (off_t)file_bytes) < 0 || bytes == 0)
		return;
	address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		return;
	if (madvise(address, bytes, MADV_HUGEPAGE) == 0)
		madvise(address, bytes, MADV_POPULATE_WRITE);
	munmap(address, bytes);
}

void huge_advise(void *address, size_t bytes)
{
	madvise(address, bytes, MADV_HUGEPAGE);
}
