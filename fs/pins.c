/* SPDX-License-Identifier: BSD-3-Clause */
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"

static const int64_t life_ns = (int64_t)PINS_LIFE_MS * 1000 * 1000;

static struct pin_place place_of(const struct inode *parent, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return (struct pin_place){.parent = parent, .hash = hash};
}

static bool same_place(const struct pin_place *a, const struct pin_place *b)
{
	return a->parent == b->parent && a->hash == b->hash;
}

/* Under the lock, as all below that are static. */
static void free_waiting(struct pins *pins, struct pin_waiting *waiting)
{
	if (waiting->fd >= 0)
		close(waiting->fd);
	*waiting = (struct pin_waiting){.fd = -1};
	atomic_fetch_sub(&pins->used, 1);
}

static void free_held(struct pins *pins, struct pin_held *held)
{
	close(held->fd);
	*held = (struct pin_held){0};
	atomic_fetch_sub(&pins->used, 1);
}

static void free_older(struct pins *pins, int64_t than_ns)
{
	for (int i = 0; i < PINS_WAITING; i++)
		if (pins->waiting[i].since_ns && pins->waiting[i].since_ns < than_ns)
			free_waiting(pins, &pins->waiting[i]);
	for (int i = 0; i < PINS_HELD; i++)
		if (pins->held[i].since_ns && pins->held[i].since_ns < than_ns)
			free_held(pins, &pins->held[i]);
}

static struct pin_waiting *find_waiting(struct pins *pins, pid_t client)
{
	for (int i = 0; i < PINS_WAITING; i++)
		if (pins->waiting[i].since_ns && pins->waiting[i].client == client)
			return &pins->waiting[i];
	return NULL;
}

static struct pin_held *find_held(struct pins *pins, const struct identity *id)
{
	for (int i = 0; i < PINS_HELD; i++)
		if (pins->held[i].since_ns && identity_equal(&pins->held[i].id, id))
			return &pins->held[i];
	return NULL;
}

/* The client's own place, a free one, or that of the oldest. */
static struct pin_waiting *room_to_wait(struct pins *pins, pid_t client)
{
	struct pin_waiting *slot = find_waiting(pins, client);

	if (slot)
		return slot;
	slot = &pins->waiting[0];
	for (int i = 1; i < PINS_WAITING; i++)
		if (pins->waiting[i].since_ns < slot->since_ns)
			slot = &pins->waiting[i];
	return slot;
}

/* Its own place, as names that are replaced all the time are looked up all the time, or likewise. */
static struct pin_held *room_to_hold(struct pins *pins, const struct identity *id)
{
	struct pin_held *slot = find_held(pins, id);

	if (slot)
		return slot;
	slot = &pins->held[0];
	for (int i = 1; i < pins->held_max; i++)
		if (pins->held[i].since_ns < slot->since_ns)
			slot = &pins->held[i];
	return slot;
}

int pins_init(struct pins *pins, int descriptor_max)
{
	memset(pins, 0, sizeof(*pins));
	pins->held_max = descriptor_max / 8 < PINS_HELD ? descriptor_max / 8 + 1 : PINS_HELD;
	for (int i = 0; i < PINS_WAITING; i++)
		pins->waiting[i].fd = -1;
	return -pthread_mutex_init(&pins->lock, NULL);
}

void pins_deinit(struct pins *pins)
{
	free_older(pins, INT64_MAX);
	pthread_mutex_destroy(&pins->lock);
}

void pins_expect(struct pins *pins, pid_t client, const struct inode *inode,
		 const struct inode *parent, const char *name, bool acts)
{
	struct pin_waiting *slot;

	if (!client)
		return;
	pthread_mutex_lock(&pins->lock);
	slot = room_to_wait(pins, client);
	if (slot->since_ns)
		free_waiting(pins, slot);
	atomic_fetch_add(&pins->used, 1);
	*slot = (struct pin_waiting){
		.since_ns = deadline_now(),
		.client = client,
		.inode = inode,
		.place = place_of(parent, name),
		.access = acts ? R_OK : 0,
		.acts = acts,
		.fd = -1,
	};
	pthread_mutex_unlock(&pins->lock);
}

void pins_set_access(struct pins *pins, pid_t client, int access)
{
	struct pin_waiting *waiting;

	pthread_mutex_lock(&pins->lock);
	waiting = find_waiting(pins, client);
	if (waiting)
		waiting->access = access;
	pthread_mutex_unlock(&pins->lock);
}

void pins_settle(struct pins *pins, pid_t client, int allowed)
{
	struct pin_waiting *waiting;

	if (!atomic_load(&pins->used))
		return;
	pthread_mutex_lock(&pins->lock);
	waiting = find_waiting(pins, client);
	if (waiting)
		waiting->missed = false;
	if (waiting && waiting->access & ~allowed)
		free_waiting(pins, waiting);
	pthread_mutex_unlock(&pins->lock);
}

void pins_miss(struct pins *pins, pid_t client)
{
	struct pin_waiting *waiting;

	if (!atomic_load(&pins->used))
		return;
	pthread_mutex_lock(&pins->lock);
	waiting = find_waiting(pins, client);
	if (waiting && waiting->missed)
		waiting->given_up = true;
	else if (waiting)
		waiting->missed = true;
	pthread_mutex_unlock(&pins->lock);
}

bool pins_give_up(struct pins *pins, pid_t client, const struct inode *parent, const char *name)
{
	const struct pin_place place = place_of(parent, name);
	struct pin_waiting *waiting;

	pthread_mutex_lock(&pins->lock);
	waiting = find_waiting(pins, client);
	if (waiting && !same_place(&waiting->place, &place))
		waiting = NULL;
	if (waiting)
		waiting->given_up = true;
	pthread_mutex_unlock(&pins->lock);
	return waiting;
}

bool pins_told(struct pins *pins, pid_t client, const struct inode *inode)
{
	const struct pin_waiting *waiting;
	bool told;

	if (!atomic_load(&pins->used))
		return false;
	pthread_mutex_lock(&pins->lock);
	waiting = find_waiting(pins, client);
	told = waiting && waiting->inode == inode && !waiting->given_up;
	pthread_mutex_unlock(&pins->lock);
	return told;
}

static bool waits(struct pins *pins, pid_t client, bool end)
{
	struct pin_waiting *waiting;
	bool acts;

	if (!atomic_load(&pins->used))
		return false;
	pthread_mutex_lock(&pins->lock);
	free_older(pins, deadline_now() - life_ns);
	waiting = find_waiting(pins, client);
	acts = waiting && waiting->acts && (end || !waiting->given_up);
	if (acts && end)
		free_waiting(pins, waiting);
	pthread_mutex_unlock(&pins->lock);
	return acts;
}

bool pins_waits(struct pins *pins, pid_t client)
{
	return waits(pins, client, false);
}

bool pins_end(struct pins *pins, pid_t client)
{
	return waits(pins, client, true);
}

bool pins_want(struct pins *pins, pid_t client, const struct inode *parent, const char *name)
{
	struct pin_place place;
	bool wanted;

	if (!atomic_load(&pins->used))
		return false;
	place = place_of(parent, name);
	pthread_mutex_lock(&pins->lock);
	free_older(pins, deadline_now() - life_ns);
	wanted = find_waiting(pins, client);
	for (int i = 0; i < PINS_WAITING && !wanted; i++)
		wanted = pins->waiting[i].since_ns && same_place(&pins->waiting[i].place, &place);
	pthread_mutex_unlock(&pins->lock);
	return wanted;
}

/* Under the lock. */
static void hold_for(struct pin_waiting *waiting, const struct identity *id, int fd)
{
	if (waiting->fd >= 0)
		close(waiting->fd);
	waiting->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	waiting->id = *id;
}

void pins_hold(struct pins *pins, pid_t client, const struct inode *parent, const char *name,
	       const struct identity *id, int fd)
{
	const struct pin_place place = place_of(parent, name);
	struct pin_waiting *waiting;
	struct pin_held *slot;

	pthread_mutex_lock(&pins->lock);
	waiting = find_waiting(pins, client);
	if (waiting)
		hold_for(waiting, id, fd);
	slot = room_to_hold(pins, id);
	if (slot->since_ns)
		free_held(pins, slot);
	*slot = (struct pin_held){.since_ns = deadline_now(), .place = place, .id = *id, .fd = fd};
	atomic_fetch_add(&pins->used, 1);
	pthread_mutex_unlock(&pins->lock);
}

/* Under the lock: what is held of that file for who waits; -1: nothing. */
static int find_for(struct pins *pins, const struct pin_waiting *waiting, const struct identity *id)
{
	const struct pin_held *held;

	if (waiting->fd >= 0 && identity_equal(&waiting->id, id))
		return waiting->fd;
	held = find_held(pins, id);
	return held && same_place(&held->place, &waiting->place) ? held->fd : -1;
}

int pins_take(struct pins *pins, pid_t client, const struct identity *id, enum pins_use use)
{
	struct pin_waiting *waiting;
	int held;
	int fd = -1;

	if (!client || !atomic_load(&pins->used))
		return -1;
	pthread_mutex_lock(&pins->lock);
	free_older(pins, deadline_now() - life_ns);
	waiting = find_waiting(pins, client);
	if (waiting && (waiting->given_up || (use == PINS_ACT && !waiting->acts)))
		waiting = NULL;
	held = waiting ? find_for(pins, waiting, id) : -1;
	if (held >= 0)
		fd = fcntl(held, F_DUPFD_CLOEXEC, 0);
	if (waiting && (use == PINS_ACT || (held >= 0 && !waiting->acts)))
		free_waiting(pins, waiting);
	pthread_mutex_unlock(&pins->lock);
	return fd;
}

bool pins_expire(struct pins *pins)
{
	if (!atomic_load(&pins->used))
		return false;
	pthread_mutex_lock(&pins->lock);
	free_older(pins, deadline_now() - life_ns);
	pthread_mutex_unlock(&pins->lock);
	return atomic_load(&pins->used);
}
