/* SPDX-License-Identifier: BSD-3-Clause */
#include "verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acl.h"
#include "ephemeral.h"
#include "format.h"
#include "timespec.h"

enum {
	WAYS = 4, /* entries of a set */
	SETS_FIRST = 256,
	SETS_MAX = 1 << 18, /* a million entries, 56 MiB */
};

/*
 * ctime advances by the tick only (4 ms) on many kernels, so that a file which changed twice within
 * one looks unchanged. And SharedArray writes its trailer through a map, which leaves ctime as it
 * is: of a file, "no array" is believed later still.
 */
static const int64_t age_ns = 20 * 1000 * 1000;
static const int64_t foreign_age_ns = 2000 * 1000 * 1000;

struct verdict_entry {
	struct identity id; /* ino 0: free */
	int64_t ctime_ns;
	uint64_t file_bytes;
	struct verdict verdict;
};

static struct verdict_entry *set_of(const struct verdict_cache *cache, const struct identity *id)
{
	uint64_t hash = (id->ino ^ id->dev << 40) * 0x9e3779b97f4a7c15u;

	/* Inode numbers follow one another, and one multiplication alone leaves them in clusters.
	 */
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return cache->entries + ((size_t)(hash >> 32) & (cache->set_count - 1)) * WAYS;
}

static struct verdict_entry *slot_of(const struct verdict_cache *cache, const struct identity *id)
{
	struct verdict_entry *set = set_of(cache, id);
	int i;

	for (i = 0; i < WAYS; i++)
		if (!set[i].id.ino || (set[i].id.ino == id->ino && set[i].id.dev == id->dev))
			return &set[i];
	return NULL;
}

int verdict_cache_init(struct verdict_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
	cache->set_count = SETS_FIRST;
	cache->entries = calloc(cache->set_count * WAYS, sizeof(*cache->entries));
	if (!cache->entries)
		return -ENOMEM;
	return -pthread_mutex_init(&cache->lock, NULL);
}

void verdict_cache_deinit(struct verdict_cache *cache)
{
	free(cache->entries);
	pthread_mutex_destroy(&cache->lock);
}

bool verdict_find(struct verdict_cache *cache, const struct facts *facts,
		  struct verdict *ret_verdict)
{
	const struct verdict_entry *entry;
	bool found;

	pthread_mutex_lock(&cache->lock);
	entry = slot_of(cache, &facts->id);
	found = entry && identity_equal(&entry->id, &facts->id) &&
		entry->ctime_ns == timespec_ns(&facts->st.st_ctim) &&
		entry->file_bytes == (uint64_t)facts->st.st_size;
	if (found)
		*ret_verdict = entry->verdict;
	pthread_mutex_unlock(&cache->lock);
	return found;
}

/* Under the lock. */
static void insert(struct verdict_cache *cache, const struct verdict_entry *entry)
{
	struct verdict_entry *slot = slot_of(cache, &entry->id);

	if (!slot)
		slot = set_of(cache, &entry->id) + cache->turn++ % WAYS;
	else if (!slot->id.ino)
		cache->used++;
	*slot = *entry;
}

/* Under the lock: twice the sets. Out of memory is no failure. */
static void grow(struct verdict_cache *cache)
{
	struct verdict_cache larger = {.set_count = cache->set_count * 2};
	size_t i;

	larger.entries = calloc(larger.set_count * WAYS, sizeof(*larger.entries));
	if (!larger.entries)
		return;
	for (i = 0; i < cache->set_count * WAYS; i++)
		if (cache->entries[i].id.ino)
			insert(&larger, &cache->entries[i]);
	free(cache->entries);
	cache->entries = larger.entries;
	cache->set_count = larger.set_count;
	cache->used = larger.used;
}

void verdict_keep(struct verdict_cache *cache, const struct facts *facts,
		  const struct verdict *verdict)
{
	const struct verdict_entry entry = {
		.id = facts->id,
		.ctime_ns = timespec_ns(&facts->st.st_ctim),
		.file_bytes = (uint64_t)facts->st.st_size,
		.verdict = *verdict,
	};
	bool foreign = S_ISREG(facts->st.st_mode) && !verdict->array;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (timespec_ns(&now) - entry.ctime_ns < (foreign ? foreign_age_ns : age_ns))
		return;
	pthread_mutex_lock(&cache->lock);
	if (cache->used > cache->set_count * WAYS / 2 && cache->set_count < SETS_MAX)
		grow(cache);
	insert(cache, &entry);
	pthread_mutex_unlock(&cache->lock);
}

int verdict_read(int fd, struct facts *facts, struct verdict *ret_verdict)
{
	struct verdict verdict = {0};
	struct format_meta meta;
	int rc = acl_mode_mask(fd, &verdict.mode_mask);

	if (rc < 0)
		return rc;
	if (S_ISREG(facts->st.st_mode)) {
		rc = format_read_again(fd, &facts->st, &meta);
		if (rc < 0 && rc != -EBADMSG)
			return rc;
		verdict.array = rc == 0;
		if (verdict.array) {
			verdict.nbytes = meta.nbytes;
			verdict.ephemeral =
				meta.flags & EPHEMERAL_FLAG && meta.inode == facts->st.st_ino;
			format_meta_release(&meta);
		}
	}
	*ret_verdict = verdict;
	return 0;
}
