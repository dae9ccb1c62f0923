/* SPDX-License-Identifier: BSD-3-Clause */
/* One mount from beginning to end. */
#ifndef SHARRFS_SESSION_H
#define SHARRFS_SESSION_H

struct options;

/*
 * Mount, serve until unmounted or told to stop by a signal, clean up. Returns an exit code; errors
 * are one line each.
 */
int session_run(struct options *options);

#endif
