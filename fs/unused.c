/* SPDX-License-Identifier: BSD-3-Clause */
#include "unused.h"

#include <errno.h>

int unused_init(struct unused *unused)
{
	return -pthread_mutex_init(&unused->lock, NULL);
}

void unused_deinit(struct unused *unused)
{
	pthread_mutex_destroy(&unused->lock);
}

/* -1: none for this user. */
static int find_free(const struct unused *unused, uid_t uid)
{
	int found = -1;
	int own = 0;
	int i;

	for (i = 0; i < UNUSED_MAX; i++) {
		if (!unused->slots[i].taken)
			found = i;
		else if (unused->slots[i].uid == uid)
			own++;
	}
	return own < UNUSED_OF_USER_MAX ? found : -1;
}

int unused_take(struct unused *unused, uid_t uid, int *ret_slot)
{
	int slot;

	pthread_mutex_lock(&unused->lock);
	slot = find_free(unused, uid);
	if (slot >= 0) {
		unused->slots[slot].taken = true;
		unused->slots[slot].uid = uid;
	}
	pthread_mutex_unlock(&unused->lock);
	if (slot < 0)
		return -ENFILE;
	*ret_slot = slot;
	return 0;
}

void unused_give_back(struct unused *unused, int slot)
{
	pthread_mutex_lock(&unused->lock);
	unused->slots[slot].taken = false;
	pthread_mutex_unlock(&unused->lock);
}
