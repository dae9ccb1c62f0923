/* SPDX-License-Identifier: BSD-3-Clause */
#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"

enum {
	PIECE_BYTES = 256 << 20, /* of one fallocate; less if signals keep coming */
	PIECE_BYTES_MIN = 1 << 20,
};

/* What MemAvailable and SwapFree of /proc/meminfo add up to; UINT64_MAX if they can't be read. */
static uint64_t read_available_memory(void)
{
	CLEANUP_FD int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *available, *swap;

	if (n <= 0)
		return UINT64_MAX;
	text[n] = '\0';
	available = strstr(text, "MemAvailable:");
	swap = strstr(text, "SwapFree:");
	if (!available || !swap)
		return UINT64_MAX;
	return (strtoull(available + 13, NULL, 10) + strtoull(swap + 9, NULL, 10)) * 1024;
}

/*
 * A tmpfs as large as the memory promises what isn't there: past it the OOM killer comes, whatever
 * statfs said. Free memory alone is a lower bound of what is available, and asked for in a tenth of
 * the time.
 */
static int check_memory(uint64_t bytes, const char *where)
{
	char asked[ERROR_BYTES_MAX], available[ERROR_BYTES_MAX];
	struct sysinfo info;
	uint64_t memory;

	if (sysinfo(&info) == 0 && bytes < (uint64_t)info.freeram * info.mem_unit / 2)
		return 0;
	memory = read_available_memory();
	if (bytes <= memory)
		return 0;
	return error_set(-ENOSPC, "%s is in memory, of which %s are available; asked for were %s",
			 where, error_bytes(memory, available), error_bytes(bytes, asked));
}

static int check_store(int fd, uint64_t bytes, bool reserve, const char *where)
{
	char asked[ERROR_BYTES_MAX], available[ERROR_BYTES_MAX];
	struct statfs fs;
	uint64_t free_bytes;

	/* A tmpfs without a limit, and some network file systems, count no blocks. */
	if (!reserve || fstatfs(fd, &fs) < 0)
		return 0;
	free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (fs.f_blocks != 0 && bytes > free_bytes)
		return error_set(-ENOSPC, "%s has %s free; asked for were %s", where,
				 error_bytes(free_bytes, available), error_bytes(bytes, asked));
	return fs.f_type == SPACE_TMPFS_TYPE ? check_memory(bytes, where) : 0;
}

/* Above RLIMIT_FSIZE the kernel would send SIGXFSZ, which kills who does not expect it: look first.
 */
static int check_limit(uint64_t bytes)
{
	char asked[ERROR_BYTES_MAX], most[ERROR_BYTES_MAX];
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
	    bytes <= limit.rlim_cur)
		return 0;
	return error_set(-EFBIG,
			 "files of this process may have %s (RLIMIT_FSIZE, see ulimit -f); asked "
			 "for were %s",
			 error_bytes(limit.rlim_cur, most), error_bytes(bytes, asked));
}

/*
 * In pieces, as a tmpfs that is interrupted by a signal gives back all of the piece, and a timer of
 * a few milliseconds would otherwise keep a large one from ever being done.
 */
static int reserve_space(int fd, uint64_t file_bytes)
{
	uint64_t piece = PIECE_BYTES;

	for (uint64_t done = 0; done < file_bytes;) {
		uint64_t bytes = file_bytes - done < piece ? file_bytes - done : piece;

		if (fallocate(fd, 0, (off_t)done, (off_t)bytes) == 0)
			done += bytes;
		else if (errno == EOPNOTSUPP)
			return -posix_fallocate(fd, (off_t)done, (off_t)(file_bytes - done));
		else if (errno != EINTR)
			return -errno;
		else if (piece > PIECE_BYTES_MIN)
			piece /= 2;
	}
	return 0;
}

int space_check(int fd, uint64_t file_bytes, bool reserve, const char *where)
{
	int r = check_limit(file_bytes);

	return r < 0 ? r : check_store(fd, file_bytes, reserve, where);
}

int space_explain(int r, uint64_t file_bytes, const char *where)
{
	char asked[ERROR_BYTES_MAX];

	if (r != -ENOSPC && r != -EDQUOT)
		return r;
	return error_set(r, "%s has run full meanwhile; asked for were %s", where,
			 error_bytes(file_bytes, asked));
}

int space_take(int fd, uint64_t file_bytes, bool reserve, const char *where)
{
	if (!reserve)
		return ftruncate(fd, (off_t)file_bytes) < 0 ? -errno : 0;
	return space_explain(reserve_space(fd, file_bytes), file_bytes, where);
}
