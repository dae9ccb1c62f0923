/* SPDX-License-Identifier: BSD-3-Clause */
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int64_t life_ns = (int64_t)PINS_LIFE_MS * 1000 * 1000;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t hash_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash;
}

/* Under the lock, as all below that are static. */
static void free_name(struct pins *pins, struct pin_name *name)
{
	*name = (struct pin_name){0};
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
	int i;

	for (i = 0; i < PINS_NAMES; i++)
		if (pins->names[i].since_ns && pins->names[i].since_ns < than_ns)
			free_name(pins, &pins->names[i]);
	for (i = 0; i < PINS_HELD; i++)
		if (pins->held[i].since_ns && pins->held[i].since_ns < than_ns)
			free_held(pins, &pins->held[i]);
}

static struct pin_name *find_name(struct pins *pins, const struct inode *parent, uint64_t hash)
{
	int i;

	for (i = 0; i < PINS_NAMES; i++)
		if (pins->names[i].since_ns && pins->names[i].parent == parent &&
		    pins->names[i].hash == hash)
			return &pins->names[i];
	return NULL;
}

static struct pin_held *find_held(struct pins *pins, const struct identity *id)
{
	int i;

	for (i = 0; i < PINS_HELD; i++)
		if (pins->held[i].since_ns && identity_equal(&pins->held[i].id, id))
			return &pins->held[i];
	return NULL;
}

/* A free place, or that of the oldest. */
static struct pin_held *room_to_hold(struct pins *pins)
{
	struct pin_held *slot = &pins->held[0];
	int i;

	for (i = 1; i < PINS_HELD; i++)
		if (pins->held[i].since_ns < slot->since_ns)
			slot = &pins->held[i];
	return slot;
}

int pins_init(struct pins *pins)
{
	memset(pins, 0, sizeof(*pins));
	return -pthread_mutex_init(&pins->lock, NULL);
}

void pins_deinit(struct pins *pins)
{
	free_older(pins, INT64_MAX);
	pthread_mutex_destroy(&pins->lock);
}

/* In its place, a free one, or that of the oldest. */
static struct pin_name *room_to_expect(struct pins *pins, const struct inode *parent, uint64_t hash)
{
	struct pin_name *slot = find_name(pins, parent, hash);
	int i;

	if (slot)
		return slot;
	slot = &pins->names[0];
	for (i = 1; i < PINS_NAMES; i++)
		if (pins->names[i].since_ns < slot->since_ns)
			slot = &pins->names[i];
	return slot;
}

void pins_expect(struct pins *pins, const struct inode *parent, const char *name)
{
	uint64_t hash = hash_of(name);
	int64_t now = now_ns();
	struct pin_name *slot;

	pthread_mutex_lock(&pins->lock);
	free_older(pins, now - life_ns);
	slot = room_to_expect(pins, parent, hash);
	if (!slot->since_ns)
		atomic_fetch_add(&pins->used, 1);
	*slot = (struct pin_name){.since_ns = now, .parent = parent, .hash = hash};
	pthread_mutex_unlock(&pins->lock);
}

bool pins_want(struct pins *pins, const struct inode *parent, const char *name)
{
	bool wanted;

	if (!atomic_load(&pins->used))
		return false;
	pthread_mutex_lock(&pins->lock);
	free_older(pins, now_ns() - life_ns);
	wanted = find_name(pins, parent, hash_of(name));
	pthread_mutex_unlock(&pins->lock);
	return wanted;
}

/* Names that are replaced all the time are looked up all the time, and each file is held once. */
void pins_hold(struct pins *pins, const struct identity *id, int fd)
{
	struct pin_held *slot;

	pthread_mutex_lock(&pins->lock);
	slot = find_held(pins, id);
	if (!slot)
		slot = room_to_hold(pins);
	if (slot->since_ns)
		free_held(pins, slot);
	*slot = (struct pin_held){.since_ns = now_ns(), .id = *id, .fd = fd};
	atomic_fetch_add(&pins->used, 1);
	pthread_mutex_unlock(&pins->lock);
}

int pins_get(struct pins *pins, const struct identity *id)
{
	const struct pin_held *held;
	int fd = -1;

	if (!atomic_load(&pins->used))
		return -1;
	pthread_mutex_lock(&pins->lock);
	free_older(pins, now_ns() - life_ns);
	held = find_held(pins, id);
	if (held)
		fd = fcntl(held->fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&pins->lock);
	return fd;
}

bool pins_expire(struct pins *pins)
{
	if (!atomic_load(&pins->used))
		return false;
	pthread_mutex_lock(&pins->lock);
	free_older(pins, now_ns() - life_ns);
	pthread_mutex_unlock(&pins->lock);
	return atomic_load(&pins->used);
}
