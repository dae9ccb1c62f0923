/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: sharrfs [SOURCE] MOUNTPOINT [-f] [-o OPTIONS], as mount(8) and fstab give it
 * too.
 */
#ifndef SHARRFS_OPTIONS_H
#define SHARRFS_OPTIONS_H

#include <stdbool.h>

#include "fuse_api.h"

enum io_mode {
	IO_AUTO,        /* passthrough where it can be had */
	IO_PASSTHROUGH, /* or no mount */
	IO_FALLBACK,
};

enum options_outcome {
	OPTIONS_MOUNT = 0,
	OPTIONS_DONE = 1, /* --help or --version was printed */
};

struct options {
	char *store;      /* absolute, without symlinks */
	char *mountpoint; /* likewise */
	bool foreground;
	bool strict;
	enum io_mode io;
	struct fuse_args mount_args; /* for libfuse: what the kernel is to know, and no names but
					the escaped source */
};

/*
 * Returns an outcome, or after one line on standard error that says what is wrong -EINVAL for a
 * wrong call, and -ENODEV for a store or mount point that cannot be had. What *ret_options holds is
 * freed by options_deinit in any case.
 */
int options_parse(int argc, char **argv, struct options *ret_options);

void options_deinit(struct options *options);

#endif
