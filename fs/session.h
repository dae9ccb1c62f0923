/* SPDX-License-Identifier: BSD-3-Clause */
/* One mount from beginning to end. */
#ifndef SHARRFS_SESSION_H
#define SHARRFS_SESSION_H

struct options;

/* An exit code, of those that mount(8) has and hands on; a wrong call is EXIT_FAILURE there too. */
enum { EXIT_MOUNT_FAILED = 32 };

/*
 * Mount, serve until unmounted or told to stop by a signal, clean up. Returns an exit code; errors
 * are one line each.
 */
int session_run(struct options *options);

#endif
