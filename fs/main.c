/* SPDX-License-Identifier: BSD-3-Clause */
/* sharrfs: a store of shared arrays, mounted. */
#include <errno.h>
#include <stdlib.h>

#include "options.h"
#include "session.h"

int main(int argc, char **argv)
{
	struct options options;
	int rc = options_parse(argc, argv, &options);

	if (rc == OPTIONS_MOUNT)
		rc = session_run(&options);
	else if (rc < 0)
		rc = rc == -EINVAL ? EXIT_FAILURE : EXIT_MOUNT_FAILED;
	else
		rc = EXIT_SUCCESS;
	options_deinit(&options);
	return rc;
}
