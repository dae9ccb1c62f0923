/* SPDX-License-Identifier: BSD-3-Clause */
/* Before the daemon's main(): what its calls are to do, and did, is in the file that SHARR_FAULTS names; see faults.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faults.h"

static __attribute__((constructor)) void share(void)
{
	const char *path = getenv("SHARR_FAULTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared = mmap(NULL, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (shared == MAP_FAILED)
		abort();
	close(fd);
	faults_share(shared);
}
