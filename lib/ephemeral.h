/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays that go with the last process that holds them. Every holder keeps a descriptor with a
 * shared lock on one byte far behind any data, from before the array has a name; the kernel drops
 * it when the holder dies. Whoever gets that byte exclusively knows that nobody holds the array,
 * and unlinks it. Locks belong to the open file and not to the process (OFD), so that a forked
 * child's end does not take the parent's.
 */
#ifndef SHARR_EPHEMERAL_H
#define SHARR_EPHEMERAL_H

#include <sys/stat.h>

#include "name.h"
#include "open.h"

/* In the extension's flags. */
#define EPHEMERAL_FLAG 0x1u

/*
 * Is it one, and not a copy of one (by cp or tar), which is a file like any other? Through a mount
 * it can't be held.
 */
bool ephemeral_is(const struct opened *opened);

/* Hold it for as long as fd is open. -EAGAIN: it is being unlinked. */
int ephemeral_hold(int fd);

/*
 * Hold what was just opened, if it is ephemeral. 0; 1 if it has gone meanwhile, and its name should
 * be looked up again; -ENOENT if it was a leftover of dead processes: then it is unlinked here, if
 * this user may.
 */
int ephemeral_attach(const struct name *name, struct opened *opened);

/* Is it ephemeral, and does nobody hold it? Then it is unlinked, if this user may. */
bool ephemeral_is_leftover(int at, const char *path, const struct opened *opened);

/* open_array, for a look: -ENOENT for a leftover of dead processes. */
int ephemeral_open(struct name *name, int access, struct opened *ret_opened);

/*
 * The descriptor of a holder of the array that has this name was closed: unlink it if that was the
 * last.
 */
void ephemeral_release(const char *name, const struct stat *st);

#endif
