/* SPDX-License-Identifier: BSD-3-Clause */
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "deadline.h"
#include "hash.h"

static const int64_t life_ns = (int64_t)PINS_LIFE_MS * 1000 * 1000;

static struct pin_place place_of(const struct pins *pins, const struct inode *parent,
				 const char *name)
{
	return (struct pin_place){.parent = parent, .hash = hash_name(pins->seed, name)};
}

static bool same_place(const struct pin_place *a, const struct pin_place *b)
{
	return a->parent == b->parent && a->hash == b->hash;
}

/*
 * Descriptors that are let go under the lock, to be closed without it: the last one of a deleted
 * array frees all its pages.
 */
struct doomed {
	int fds[PINS_HELD + 1];
	int count;
};

static void unlock_and_close(struct pins *pins, const struct doomed *doomed)
{
	pthread_mutex_unlock(&pins->lock);
	for (int i = 0; i < doomed->count; i++)
		close(doomed->fds[i]);
}

/* Under the lock, as all below that are static. */
static void free_waiting(struct pins *pins, struct pin_waiting *waiting)
{
	if (waiting->found)
		waiting->found->finders--;
	*waiting = (struct pin_waiting){0};
	atomic_fetch_sub(&pins->used, 1);
}

static void free_held(struct pins *pins, struct pin_held *held, struct doomed *doomed)
{
	for (int i = 0; held->finders && i < PINS_WAITING; i++) {
		if (pins->waiting[i].found == held) {
			pins->waiting[i].found = NULL;
			held->finders--;
		}
	}
	doomed->fds[doomed->count++] = held->fd;
	*held = (struct pin_held){0};
	atomic_fetch_sub(&pins->used, 1);
}

static void free_older(struct pins *pins, int64_t than_ns, struct doomed *doomed)
{
	for (int i = 0; i < PINS_WAITING; i++)
		if (pins->waiting[i].since_ns && pins->waiting[i].since_ns < than_ns)
			free_waiting(pins, &pins->waiting[i]);
	for (int i = 0; i < PINS_HELD; i++)
		if (pins->held[i].since_ns && pins->held[i].since_ns < than_ns)
			free_held(pins, &pins->held[i], doomed);
}

/* Locks, and lets go what is too old. */
static void lock_and_expire(struct pins *pins, struct doomed *doomed)
{
	doomed->count = 0;
	pthread_mutex_lock(&pins->lock);
	free_older(pins, deadline_now() - life_ns, doomed);
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

/* Is `a` to go before `b`? What somebody who waits has found stays longest. */
static bool goes_before(const struct pin_held *a, const struct pin_held *b)
{
	if (!a->since_ns || !b->since_ns)
		return a->since_ns < b->since_ns;
	return !a->finders == !b->finders ? a->since_ns < b->since_ns : !a->finders;
}

/* Its own place, as names that are replaced all the time are looked up all the time, or likewise. */
static struct pin_held *room_to_hold(struct pins *pins, const struct identity *id)
{
	struct pin_held *slot = find_held(pins, id);

	if (slot)
		return slot;
	slot = &pins->held[0];
	for (int i = 1; i < pins->held_max; i++)
		if (goes_before(&pins->held[i], slot))
			slot = &pins->held[i];
	return slot;
}

/* Those that have no limit of their own have the memory's. */
static uint64_t bytes_max(const struct pins *pins)
{
	struct statvfs store;
	struct sysinfo memory;

	if (fstatvfs(pins->store_fd, &store) < 0)
		return 0;
	if (store.f_blocks)
		return (uint64_t)store.f_bavail * store.f_frsize / PINS_SHARE;
	return sysinfo(&memory) < 0 ? 0 : (uint64_t)memory.freeram * memory.mem_unit / PINS_SHARE;
}

/* Of what has bytes, other than the newest. NULL: nothing. */
static struct pin_held *first_to_go(struct pins *pins, const struct pin_held *newest)
{
	struct pin_held *first = NULL;

	for (int i = 0; i < pins->held_max; i++) {
		struct pin_held *held = &pins->held[i];

		if (held->bytes && held != newest && (!first || goes_before(held, first)))
			first = held;
	}
	return first;
}

/* The oldest go, until all has no more than so many bytes. */
static void hold_less(struct pins *pins, const struct pin_held *newest, uint64_t most,
		      struct doomed *doomed)
{
	struct pin_held *first;
	uint64_t sum = 0;

	for (int i = 0; i < pins->held_max; i++)
		sum += pins->held[i].bytes;
	while (sum > most && (first = first_to_go(pins, newest))) {
		sum -= first->bytes;
		free_held(pins, first, doomed);
	}
}

int pins_init(struct pins *pins, uint64_t seed, int store_fd, int descriptor_max)
{
	memset(pins, 0, sizeof(*pins));
	pins->held_max = descriptor_max / 8 < PINS_HELD ? descriptor_max / 8 + 1 : PINS_HELD;
	pins->seed = seed;
	pins->store_fd = store_fd;
	return -pthread_mutex_init(&pins->lock, NULL);
}

void pins_deinit(struct pins *pins)
{
	struct doomed doomed = {.count = 0};

	pthread_mutex_lock(&pins->lock);
	free_older(pins, INT64_MAX, &doomed);
	unlock_and_close(pins, &doomed);
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
		.place = place_of(pins, parent, name),
		.access = acts ? R_OK : 0,
		.acts = acts,
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
	const struct pin_place place = place_of(pins, parent, name);
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
	struct doomed doomed;
	bool acts;

	if (!atomic_load(&pins->used))
		return false;
	lock_and_expire(pins, &doomed);
	waiting = find_waiting(pins, client);
	acts = waiting && waiting->acts && (end || !waiting->given_up);
	if (acts && end)
		free_waiting(pins, waiting);
	unlock_and_close(pins, &doomed);
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
	struct doomed doomed;
	bool wanted;

	if (!atomic_load(&pins->used))
		return false;
	place = place_of(pins, parent, name);
	lock_and_expire(pins, &doomed);
	wanted = find_waiting(pins, client);
	for (int i = 0; i < PINS_WAITING && !wanted; i++)
		wanted = pins->waiting[i].since_ns && same_place(&pins->waiting[i].place, &place);
	unlock_and_close(pins, &doomed);
	return wanted;
}

/* What a file has of the store, or may come to have. */
static uint64_t bytes_of(const struct facts *facts)
{
	uint64_t size = (uint64_t)facts->st.st_size;
	uint64_t taken = (uint64_t)facts->st.st_blocks * 512;

	return size > taken ? size : taken;
}

/* It is on its way to that file: when it gets there it waits no more, be the file held or not. */
static void note_found(struct pin_waiting *waiting, const struct identity *id,
		       struct pin_held *slot)
{
	waiting->found_id = *id;
	if (waiting->found == slot)
		return;
	if (waiting->found)
		waiting->found->finders--;
	waiting->found = slot;
	if (slot)
		slot->finders++;
}

/* Of a file that is held already the descriptor of before stays, for who has found it. */
static struct pin_held *hold(struct pins *pins, const struct pin_place *place,
			     const struct facts *facts, int fd, struct doomed *doomed)
{
	struct pin_held *slot = room_to_hold(pins, &facts->id);

	if (slot->since_ns && identity_equal(&slot->id, &facts->id)) {
		doomed->fds[doomed->count++] = fd;
	} else {
		if (slot->since_ns)
			free_held(pins, slot, doomed);
		slot->id = facts->id;
		slot->fd = fd;
		atomic_fetch_add(&pins->used, 1);
	}
	slot->since_ns = deadline_now();
	slot->place = *place;
	slot->bytes = bytes_of(facts);
	return slot;
}

void pins_hold(struct pins *pins, pid_t client, const struct inode *parent, const char *name,
	       const struct facts *facts, int fd)
{
	const struct pin_place place = place_of(pins, parent, name);
	const uint64_t most = bytes_max(pins);
	struct pin_waiting *waiting;
	struct pin_held *slot = NULL;
	struct doomed doomed;

	lock_and_expire(pins, &doomed);
	if (bytes_of(facts) <= most)
		slot = hold(pins, &place, facts, fd, &doomed);
	else
		doomed.fds[doomed.count++] = fd;
	waiting = find_waiting(pins, client);
	if (waiting)
		note_found(waiting, &facts->id, slot);
	if (slot)
		hold_less(pins, slot, most, &doomed);
	unlock_and_close(pins, &doomed);
}

/* What is held of that file for who waits. */
static const struct pin_held *find_for(struct pins *pins, const struct pin_waiting *waiting,
				       const struct identity *id)
{
	const struct pin_held *held = find_held(pins, id);

	if (!held || (held != waiting->found && !same_place(&held->place, &waiting->place)))
		return NULL;
	return held;
}

int pins_take(struct pins *pins, pid_t client, const struct identity *id, enum pins_use use)
{
	const struct pin_held *held;
	struct pin_waiting *waiting;
	struct doomed doomed;
	bool arrived;
	int fd = -1;

	if (!client || !atomic_load(&pins->used))
		return -1;
	lock_and_expire(pins, &doomed);
	waiting = find_waiting(pins, client);
	if (waiting && (waiting->given_up || (use == PINS_ACT && !waiting->acts)))
		waiting = NULL;
	held = waiting ? find_for(pins, waiting, id) : NULL;
	if (held)
		fd = fcntl(held->fd, F_DUPFD_CLOEXEC, 0);
	arrived = waiting && (held || identity_equal(&waiting->found_id, id));
	if (waiting && (use == PINS_ACT || (arrived && !waiting->acts)))
		free_waiting(pins, waiting);
	unlock_and_close(pins, &doomed);
	return fd;
}

/* Under the lock: since when the oldest is there; INT64_MAX: there is none. */
static int64_t oldest_ns(const struct pins *pins)
{
	int64_t oldest = INT64_MAX;

	for (int i = 0; i < PINS_WAITING; i++)
		if (pins->waiting[i].since_ns && pins->waiting[i].since_ns < oldest)
			oldest = pins->waiting[i].since_ns;
	for (int i = 0; i < PINS_HELD; i++)
		if (pins->held[i].since_ns && pins->held[i].since_ns < oldest)
			oldest = pins->held[i].since_ns;
	return oldest;
}

int pins_expire(struct pins *pins)
{
	struct doomed doomed;
	int64_t oldest;

	if (!atomic_load(&pins->used))
		return -1;
	lock_and_expire(pins, &doomed);
	oldest = oldest_ns(pins);
	unlock_and_close(pins, &doomed);
	if (oldest == INT64_MAX)
		return -1;
	return (int)(deadline_nap(oldest + life_ns, life_ns) / 1000000) + 1;
}
