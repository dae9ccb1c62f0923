/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What /proc tells of who sends a request: whether a FLUSH means that the file is finished, and
 * what attributes are wanted for. The kernel names threads, in this daemon's pid namespace; 0 is one that is not in it,
 * of which nothing is known.
 */
#ifndef SHARRFS_CLIENT_H
#define SHARRFS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Who asks. */
struct client {
	pid_t thread;
	uid_t uid;
	gid_t gid;
};

/*
 * The process of a thread; 0: unknown. An error is what the daemon lacks to find out: the client is
 * to be told so, and not to be taken for another.
 */
int client_process(pid_t thread, pid_t *ret_process);

/*
 * Is this thread being ended by a signal, so that it closes what it did not mean to? 1, 0, also if it
 * is not known, or a negative errno as above.
 */
int client_is_killed(pid_t thread);

/*
 * Does the thread ask for attributes on its way to something else, say to open the file? False: no,
 * by stat() and the like, or it can't be known.
 */
bool client_will_act(pid_t thread);

/*
 * What the client is sure to be let do with a file (R_OK, W_OK) or directory (X_OK too), as far as
 * it can be told without supplementary groups.
 */
int client_surely_may(const struct client *client, const struct stat *st);

/*
 * Has the process a descriptor of the inode `ino` of the file system `device`? Asked while one is
 * being closed, which is not among them any more. True also if it can't be known, or only by looking
 * at more than 4096 of them.
 */
bool client_has_open(pid_t process, uint64_t device, uint64_t ino);

#endif
