/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel looks a name up, and a moment later acts on what it found. If the name has become
 * another file's meanwhile, it is told ESTALE, looks up again and retries, but once only: under a
 * writer that replaces an array all the time, readers would see ESTALE now and then. So for a while
 * after an ESTALE whatever is found under that name is held, by an O_PATH descriptor, for what is
 * to follow. (More than one at a time: the retry makes two lookups, and others make theirs.)
 *
 * A descriptor keeps a deleted file's memory: it is let go after half a second.
 */
#ifndef SHARRFS_PINS_H
#define SHARRFS_PINS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "facts.h"

struct inode;

enum {
	PINS_NAMES = 32,
	PINS_HELD = 128,
	PINS_LIFE_MS = 500, /* more than a client takes from one request to the next when all is busy */
};

struct pins {
	pthread_mutex_t lock; /* innermost */
	atomic_int used;      /* of both arrays */
	struct pin_name {
		int64_t since_ns;           /* CLOCK_MONOTONIC; 0: free */
		const struct inode *parent; /* to be compared only: it may be gone */
		uint64_t hash;
	} names[PINS_NAMES];
	struct pin_held {
		int64_t since_ns;
		struct identity id;
		int fd; /* owned */
	} held[PINS_HELD];
};

int pins_init(struct pins *pins);
void pins_deinit(struct pins *pins);

/* ESTALE is about to be told of this name: lookups of it will come. */
void pins_expect(struct pins *pins, const struct inode *parent, const char *name);

/* Is what a lookup of this name finds to be held? */
bool pins_want(struct pins *pins, const struct inode *parent, const char *name);

/* Hold fd, which is of the file `id`, and the pins' from here on. */
void pins_hold(struct pins *pins, const struct identity *id, int fd);

/*
 * A descriptor of that file if it is held, which the caller closes; -1: it is not. It stays held:
 * between lookup and open the kernel may ask for the attributes too.
 */
int pins_get(struct pins *pins, const struct identity *id);

/* Let go what is too old. Returns whether there is anything left to let go later. */
bool pins_expire(struct pins *pins);

#endif
