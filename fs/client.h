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
#include <sys/types.h>

/* The process of a thread; 0: unknown. */
pid_t client_process(pid_t thread);

/* Is this thread being ended by a signal, so that it closes what it did not mean to? */
bool client_is_killed(pid_t thread);

/*
 * Does the thread ask for attributes on its way to something else, say to open the file? False: no,
 * by stat() and the like, or it can't be known.
 */
bool client_will_act(pid_t thread);

/*
 * Has the process a descriptor of the inode `ino` of the file system `device`? Asked while one is
 * being closed, which is not among them any more. True also if it can't be known.
 */
bool client_has_open(pid_t process, uint64_t device, uint64_t ino);

#endif
