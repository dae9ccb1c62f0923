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

/* Of the byte whose lock says who holds it: behind any data. */
#define EPHEMERAL_LOCK_OFFSET (1ull << 62)

/* In the extension's flags. */
#define EPHEMERAL_FLAG 0x1u

/*
 * Is it one, and not a copy of one (by cp or tar), which is a file like any other? Not said of what
 * is seen through a mount, where it is the daemon that holds it.
 */
bool ephemeral_is(const struct opened *opened);

/* Does somebody hold it? Asked by a descriptor that does not; needs no permission to write. */
bool ephemeral_is_held(int fd);

/* Is it one that is seen through a mount? The daemon holds it for as long as fd is open. */
bool ephemeral_is_in_mount(const struct opened *opened);

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

/* Free a name that is taken by a leftover of dead processes. False: by something else, or for good. */
bool ephemeral_clear(const struct name *name);

/* open_array, for a look: -ENOENT for a leftover of dead processes. */
int ephemeral_open(struct name *name, int access, struct opened *ret_opened);

/*
 * The descriptor of a holder of the array that has this name was closed: unlink it if that was the
 * last.
 */
void ephemeral_release(const char *name, const struct stat *st);

#endif
