/* SPDX-License-Identifier: BSD-3-Clause */
#include "signals.h"

#include <stddef.h>
#include <time.h>

enum { WAKE = SIGUSR1 };

static const int ending[] = {SIGHUP, SIGINT, SIGTERM};

static void on_wake(int number)
{
}

void signals_block(struct signals *signals)
{
	const struct sigaction wake = {.sa_handler = on_wake}; /* no SA_RESTART: it is to be seen */
	struct sigaction now;

	sigemptyset(&signals->set);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (sigaction(ending[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&signals->set, ending[i]);
	pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
	sigaction(WAKE, &wake, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The server is woken until it has seen that it is to end: it stops this thread then. */
static void *wait_for_one(void *userdata)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	struct signals *signals = userdata;
	sigset_t set = signals->set;
	int number;

	sigaddset(&set, WAKE);
	sigwait(&set, &number);
	if (number == WAKE)
		return NULL;
	fuse_session_exit(signals->session);
	sigemptyset(&set);
	sigaddset(&set, WAKE);
	do
		pthread_kill(signals->server, WAKE);
	while (sigtimedwait(&set, NULL, &pause) < 0);
	return NULL;
}

int signals_start(struct signals *signals, struct fuse_session *session)
{
	sigset_t wake;
	int rc;

	signals->session = session;
	signals->server = pthread_self();
	sigemptyset(&wake);
	sigaddset(&wake, WAKE);
	pthread_sigmask(SIG_BLOCK, &wake, NULL); /* for the thread, which waits for it */
	rc = -pthread_create(&signals->thread, NULL, wait_for_one, signals);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	return rc;
}

void signals_stop(struct signals *signals)
{
	pthread_kill(signals->thread, WAKE);
	pthread_join(signals->thread, NULL);
}

int signals_thread_without(pthread_t *ret_thread, void *(*run)(void *), void *data)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(ret_thread, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}
