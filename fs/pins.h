/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel looks a name up, and a moment later acts on what it found. If the name has become
 * another file's meanwhile, it is told ESTALE, looks up again and retries, but once only: under a
 * writer that replaces an array all the time, readers would see ESTALE now and then. So what is
 * found under a name of which a client was told ESTALE, or may be told next, is held for half a
 * second by an O_PATH descriptor. (By whoever looks: a client that waits for another's lookup of the
 * same name takes over what that has found, perhaps before it was told ESTALE itself.)
 *
 * What is held may have been deleted, and is for the retry only: for a client that was told ESTALE
 * and has not acted since. All others are to see what is there. And its pages are taken as long as
 * it is held: so it is no more, all together, than a small part of what the store has free. (A file
 * that is large against that is not replaced as fast as a client retries.)
 */
#ifndef SHARRFS_PINS_H
#define SHARRFS_PINS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "facts.h"

struct inode;

enum {
	PINS_WAITING = 128,
	PINS_HELD = 512,
	PINS_LIFE_MS = 500, /* more than from one request to the next when all is busy */
	PINS_SHARE = 64,    /* what is held has at most this part of the store's free bytes */
};

/* For what a client asks of a file: */
enum pins_use {
	PINS_ACT,        /* to act on it: it waits no more */
	PINS_ATTRIBUTES, /* its attributes, perhaps before it acts */
};

/* Where something was looked for. */
struct pin_place {
	const struct inode *parent; /* to be compared only: it may be gone */
	uint64_t hash;              /* of the name */
};

struct pins {
	pthread_mutex_t lock; /* innermost */
	atomic_int used;      /* of both arrays */
	/* A client that was told ESTALE of that place; it has one at most. */
	struct pin_waiting {
		int64_t since_ns;          /* CLOCK_MONOTONIC; 0: free */
		pid_t client;              /* a thread */
		const struct inode *inode; /* that was stale; to be compared only */
		struct pin_place place;
		int access;    /* R_OK and W_OK: what it will ask for */
		bool acts;     /* after attributes; else those are all that it wants */
		bool given_up; /* it was told then that there is none: nothing is held for it */
		bool missed;   /* its last lookup found nothing */
		struct identity found_id; /* by itself */
		struct pin_held *found;   /* that, if it is held */
	} waiting[PINS_WAITING];
	struct pin_held {
		int64_t since_ns; /* 0: free */
		struct pin_place place;
		struct identity id;
		uint64_t bytes; /* that it takes of the store, once it is deleted */
		int fd;         /* owned */
		int finders;    /* of those who wait */
	} held[PINS_HELD];
	int held_max;  /* entries in use at most: an eighth of the descriptors that there may be */
	uint64_t seed; /* of hashes of names */
	int store_fd;
};

/* `store_fd` is the caller's, and stays open. */
int pins_init(struct pins *pins, uint64_t seed, int store_fd, int descriptor_max);
void pins_deinit(struct pins *pins);

/*
 * The client is about to be told ESTALE of this inode, which has this name. One of 0, which is
 * unknown, gets nothing; one that does not act gets the attributes of what it finds, once.
 */
void pins_expect(struct pins *pins, pid_t client, const struct inode *inode,
		 const struct inode *parent, const char *name, bool acts);

/* What the client that was just told ESTALE wanted: R_OK, unless it is told here, W_OK or both. */
void pins_set_access(struct pins *pins, pid_t client, int access);

/*
 * A client has looked a name up, and is sure to be let in for `allowed`. If that is not what it
 * waits for, the kernel may refuse it without a word to the daemon, and it waits no more.
 */
void pins_settle(struct pins *pins, pid_t client, int allowed);

/*
 * A client has looked a name up in vain: the kernel does it twice, and then the client knows, or is
 * about to make it.
 */
void pins_miss(struct pins *pins, pid_t client);

/*
 * Was this client told ESTALE of this name? Once more would be an error: it is told that there is
 * none, and waits no more. (The kernel may ask several times before it takes that for an answer, and
 * may want to make it then: pins_end.)
 */
bool pins_give_up(struct pins *pins, pid_t client, const struct inode *parent, const char *name);

/*
 * Was this client told ESTALE of this very inode, and not yet that there is none? Trying again by
 * names it would have found another one, so it came by a descriptor.
 */
bool pins_told(struct pins *pins, pid_t client, const struct inode *inode);

/* Was this client told ESTALE, and has not acted since? */
bool pins_waits(struct pins *pins, pid_t client);

/* Likewise, or has it been given up; from now on it has: for what takes nothing of what is held. */
bool pins_end(struct pins *pins, pid_t client);

/*
 * Is what this client has found by this name to be held? All that a waiting one looks up on its way
 * is, the last of it for itself; and what anyone finds in a place that is waited for.
 */
bool pins_want(struct pins *pins, pid_t client, const struct inode *parent, const char *name);

/*
 * Hold fd, which is of the file with these facts that the client (0: somebody) found so, and the pins'
 * from here on. One that is too large is not held.
 */
void pins_hold(struct pins *pins, pid_t client, const struct inode *parent, const char *name,
	       const struct facts *facts, int fd);

/*
 * A descriptor of that file, for the caller to close, if it is held and the client waits for what is
 * in its place. -1: look in the store.
 */
int pins_take(struct pins *pins, pid_t client, const struct identity *id, enum pins_use use);

/* Let go what is too old. Returns in how many ms there will be more to let go; -1: there is nothing. */
int pins_expire(struct pins *pins);

#endif
