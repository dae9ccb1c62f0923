/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file in the making: out of everyone's sight (nameless.h) until it is published under its name
 * in one step. Where there are no nameless files it has a hidden name of its own meanwhile.
 */
#ifndef SHARR_STAGING_H
#define SHARR_STAGING_H

#include <limits.h>
#include <stdbool.h>

#include "name.h"

struct staging {
	int fd;                    /* read-write, owned; -1 if there is nothing in the making */
	char hidden[NAME_MAX + 1]; /* its name meanwhile, or "" */
	int dir_fd;                /* the directory of that name, owned while there is one */
};

/*
 * Open an empty file in the directory of `name`. mode: permission bits, or 0 for 0666 less the
 * umask.
 */
int staging_open(const struct name *name, unsigned mode, struct staging *ret_staging);

/*
 * Give it its name, which may lie in another directory of the file system. -EEXIST if that is taken:
 * with `replace` only by something that is no array. The descriptor stays open until staging_close.
 */
int staging_publish(struct staging *staging, const struct name *name, bool replace);

/* Close it; what was not published is gone, unless a forked child closes what its parent makes. */
void staging_close(struct staging *staging);

/* A hidden name that is nobody else's: a buffer of NAME_MAX + 1 bytes. */
void staging_new_hidden(char *ret_hidden);

/* Is this the name of a file in the making, which no list should show? */
bool staging_is_hidden(const char *name);

/* Is whoever was making the file of this hidden name gone, so that it may be unlinked? */
bool staging_is_abandoned(const char *hidden);

#endif
