/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many files mknod has made that nobody has opened yet. Each takes a descriptor of the daemon,
 * and none of anybody else's: without a bound one user took them all by a loop of mknod(). Programs
 * that begin a file so have one at a time.
 */
#ifndef SHARRFS_UNUSED_H
#define SHARRFS_UNUSED_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
	UNUSED_MAX = 256,
	UNUSED_OF_USER_MAX = 32,
};

struct unused {
	pthread_mutex_t lock; /* innermost */
	struct {
		bool taken;
		uid_t uid;
	} slots[UNUSED_MAX];
};

int unused_init(struct unused *unused);
void unused_deinit(struct unused *unused);

/* One more of this user's; *ret_slot is for unused_give_back(). -ENFILE: there are enough. */
int unused_take(struct unused *unused, uid_t uid, int *ret_slot);

void unused_give_back(struct unused *unused, int slot);

#endif
