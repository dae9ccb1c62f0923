/* SPDX-License-Identifier: BSD-3-Clause */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "linux_calls.h"

enum { ONE_FAULT_BYTES = 4096 };

static long read_max_map_count(void)
{
	CLEANUP_FD int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return -1;
	text[n] = '\0';
	return atol(text);
}

static long count_maps(void)
{
	CLEANUP_FD int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char text[4096];
	long count = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++)
			count += text[i] == '\n';
	return count;
}

/* ENOMEM of mmap is said to be memory, and is the number of maps more often. */
static int explain(int number, size_t bytes)
{
	char asked[ERROR_BYTES_MAX];
	long most;

	if (number == ENODEV)
		return error_set(-ENODEV, "this mount has no passthrough (see its user.sharr.io): "
					  "attach it read-only, or in the "
					  "store itself");
	if (number != ENOMEM)
		return -number;
	most = read_max_map_count();
	if (most > 0 && count_maps() >= most - 16)
		return error_set(-ENOMEM,
				 "this process has as many maps as vm.max_map_count allows (%ld): "
				 "detach some, or raise it "
				 "(sysctl -w vm.max_map_count=%ld)",
				 most, most * 4);
	return error_set(-ENOMEM, "no room to map %s into this process (see ulimit -v)",
			 error_bytes(bytes, asked));
}

int map_check(uint64_t bytes)
{
	char asked[ERROR_BYTES_MAX];

	if (bytes <= PTRDIFF_MAX)
		return 0;
	return error_set(-EOVERFLOW, "%s are more than a process of %d bits has addresses for",
			 error_bytes(bytes, asked), (int)sizeof(void *) * CHAR_BIT);
}

void map_populate(void *address, size_t bytes)
{
	if (bytes > ONE_FAULT_BYTES)
		madvise(address, bytes, MADV_POPULATE_WRITE);
}

int map_file(int fd, size_t bytes, bool readonly, void **ret_address)
{
	void *address =
		mmap(NULL, bytes, readonly ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (address == MAP_FAILED)
		return explain(errno, bytes);
	*ret_address = address;
	return 0;
}
