/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Going into the background: the process forks before anything is mounted, the child does all the
 * work with the terminal still at hand, and the parent waits until the child says that it serves,
 * or ends with the child's exit code.
 */
#ifndef SHARRFS_DAEMON_H
#define SHARRFS_DAEMON_H

/*
 * In the child: returns 0 and the descriptor by which to tell the parent. In the parent: does not
 * return. Negative errno if there is no child.
 */
int daemon_start(int *ret_report_fd);

/* The mount serves: let the parent go, and the terminal. */
void daemon_ready(int report_fd);

#endif
