/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Being told to end. A thread of its own waits for the signals: libfuse's loop (3.14) looks at its
 * flag and falls asleep then, so that a signal between the two would be lost on it.
 */
#ifndef SHARRFS_SIGNALS_H
#define SHARRFS_SIGNALS_H

#include <pthread.h>
#include <signal.h>

#include "fuse_api.h"

struct signals {
	sigset_t
		set; /* those that end it: SIGHUP, SIGINT and SIGTERM, as far as they are not ignored */
	struct fuse_session *session;
	pthread_t server; /* whom to wake */
	pthread_t thread;
};

/* Hold back the signals until signals_start. Before there is any thread that inherits it. */
void signals_block(struct signals *signals);

/*
 * From now on a signal ends the loop that this thread is about to serve the session in. Returns 0 or a
 * negative errno.
 */
int signals_start(struct signals *signals, struct fuse_session *session);

/* The loop has ended. */
void signals_stop(struct signals *signals);

/* A thread that gets no signal. Returns 0 or a negative errno. */
int signals_thread_without(pthread_t *ret_thread, void *(*run)(void *), void *data);

#endif
