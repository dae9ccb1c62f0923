/* SPDX-License-Identifier: BSD-3-Clause */
#include "inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cleanup.h"
#include "draft.h"
#include "file.h"
#include "hash.h"
#include "npyview.h"
#include "watch.h"

enum { BUCKETS_FIRST = 1024 };

static size_t bucket_of(const struct inode_table *table, const struct inode *parent,
			const char *name)
{
	uint64_t hash = hash_name(table->seed ^ (uint64_t)(uintptr_t)parent, name);

	return (size_t)hash & (table->bucket_count - 1);
}

/* What has, or had, that name, from this one on in its bucket. */
static struct inode *next_called(struct inode *inode, const struct inode *parent, const char *name)
{
	while (inode && (inode->parent != parent || strcmp(inode->name, name)))
		inode = inode->next;
	return inode;
}

static struct inode *first_called(const struct inode_table *table, const struct inode *parent,
				  const char *name)
{
	return next_called(table->buckets[bucket_of(table, parent, name)], parent, name);
}

struct inode *inode_find(struct inode_table *table, const struct inode *parent, const char *name)
{
	struct inode *inode = first_called(table, parent, name);

	while (inode && (!inode->named || inode->drafted))
		inode = next_called(inode->next, parent, name);
	return inode;
}

bool inode_has_lost(struct inode_table *table, const struct inode *parent, const char *name)
{
	const struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = first_called(table, parent, name);
	while (inode && inode->named)
		inode = next_called(inode->next, parent, name);
	pthread_mutex_unlock(&table->lock);
	return inode;
}

static void link_in(struct inode **list, struct inode *inode)
{
	inode->next = *list;
	inode->link = list;
	if (inode->next)
		inode->next->link = &inode->next;
	*list = inode;
}

static void link_out(struct inode *inode)
{
	*inode->link = inode->next;
	if (inode->next)
		inode->next->link = inode->link;
}

static void hash_in(struct inode_table *table, struct inode *inode)
{
	link_in(&table->buckets[bucket_of(table, inode->parent, inode->name)], inode);
}

/* Twice the buckets. Out of memory is no failure: the chains get longer. */
static void grow(struct inode_table *table)
{
	size_t old_count = table->bucket_count;
	struct inode **old = table->buckets;
	struct inode **buckets = calloc(old_count * 2, sizeof(*buckets));
	size_t i;

	if (!buckets)
		return;
	table->buckets = buckets;
	table->bucket_count = old_count * 2;
	for (i = 0; i < old_count; i++) {
		while (old[i]) {
			struct inode *inode = old[i];

			old[i] = inode->next;
			hash_in(table, inode);
		}
	}
	free(old);
}

/* Free the inode, and then its parents, if nothing holds them any more. */
static void let_go(struct inode_table *table, struct inode *inode)
{
	while (inode->parent && !inode->lookups && !inode->refs) {
		struct inode *parent = inode->parent;

		link_out(inode);
		if (inode->watch)
			inode->watch->dir = NULL;
		free(inode->name);
		free(inode);
		table->inode_count--;
		parent->refs--;
		inode = parent;
	}
}

static void set_reported(struct inode *inode, const struct facts *facts)
{
	inode->reported = (struct reported){
		.bytes = S_ISREG(facts->st.st_mode) ? (uint64_t)facts->st.st_size : 0,
		.mode = facts->st.st_mode,
		.uid = facts->st.st_uid,
		.gid = facts->st.st_gid,
		.nlink = S_ISREG(facts->st.st_mode) ? (uint32_t)facts->st.st_nlink : 0,
	};
}

static struct inode *inode_new(struct inode_table *table, struct inode *parent, const char *name,
			       const struct facts *facts)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->name = strdup(name);
	if (!inode->name) {
		free(inode);
		return NULL;
	}
	inode->parent = parent;
	inode->named = true;
	inode->id = facts->id;
	inode->directory = S_ISDIR(facts->st.st_mode);
	inode->view = npyview_has(parent, name);
	parent->refs++;
	if (++table->inode_count > table->bucket_count)
		grow(table);
	hash_in(table, inode);
	return inode;
}

int inode_table_init(struct inode_table *table, const struct facts *root)
{
	memset(table, 0, sizeof(*table));
	if (getrandom(&table->seed, sizeof(table->seed), 0) < 0)
		return -errno;
	table->bucket_count = BUCKETS_FIRST;
	table->buckets = calloc(table->bucket_count, sizeof(*table->buckets));
	if (!table->buckets)
		return -ENOMEM;
	table->root.named = true;
	table->root.id = root->id;
	table->root.directory = true;
	table->root.root = true;
	set_reported(&table->root, root);
	return -pthread_mutex_init(&table->lock, NULL);
}

static void free_chain(struct inode *inode)
{
	while (inode) {
		struct inode *next = inode->next;

		free(inode->name);
		free(inode);
		inode = next;
	}
}

/* The kernel sends no FORGET at unmount: all that is left goes here. */
void inode_table_deinit(struct inode_table *table)
{
	size_t i;

	for (i = 0; i < table->bucket_count; i++)
		free_chain(table->buckets[i]);
	free(table->buckets);
	pthread_mutex_destroy(&table->lock);
}

/* Under the lock. */
static struct inode *find_or_make(struct inode_table *table, struct inode *parent, const char *name,
				  const struct facts *facts)
{
	struct inode *inode = NULL;
	struct inode *at = first_called(table, parent, name);

	for (; at; at = next_called(at->next, parent, name))
		if (at->named && identity_equal(&at->id, &facts->id))
			inode = at;
		else if (!at->drafted)
			at->named = false;
	if (!inode)
		inode = inode_new(table, parent, name, facts);
	if (inode) {
		inode->lookups++;
		inode->listed = false;
		set_reported(inode, facts);
	}
	return inode;
}

int inode_lookup(struct inode_table *table, struct inode *parent, const char *name,
		 const struct facts *facts, struct inode **ret_inode)
{
	struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = find_or_make(table, parent, name, facts);
	pthread_mutex_unlock(&table->lock);
	if (!inode)
		return -ENOMEM;
	*ret_inode = inode;
	return 0;
}

int inode_list(struct inode_table *table, struct inode *parent, const char *name,
	       const struct facts *facts, uint32_t generation, struct inode **ret_inode,
	       bool *ret_keep)
{
	struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = find_or_make(table, parent, name, facts);
	if (inode) {
		inode->listed = !inode->directory && !inode->file && facts->st.st_nlink == 1 &&
				generation && parent->watch &&
				parent->watch->generation == generation;
		*ret_keep = inode->listed;
	}
	pthread_mutex_unlock(&table->lock);
	if (!inode)
		return -ENOMEM;
	*ret_inode = inode;
	return 0;
}

bool inode_unlist(struct inode_table *table, struct inode *inode)
{
	bool listed;

	pthread_mutex_lock(&table->lock);
	listed = inode->listed;
	inode->listed = false;
	pthread_mutex_unlock(&table->lock);
	return listed;
}

size_t inode_numbers(struct inode_table *table, size_t *bucket, uint64_t *numbers, size_t room)
{
	const struct inode *inode;
	size_t count = 0;

	pthread_mutex_lock(&table->lock);
	for (; count < room / 2 && *bucket < table->bucket_count; ++*bucket)
		for (inode = table->buckets[*bucket]; inode && count < room; inode = inode->next)
			numbers[count++] = inode_number(inode);
	pthread_mutex_unlock(&table->lock);
	return count;
}

bool inode_forget(struct inode_table *table, struct inode *inode, uint64_t lookups)
{
	bool unknown;

	pthread_mutex_lock(&table->lock);
	inode->lookups -= lookups < inode->lookups ? lookups : inode->lookups;
	unknown = inode->lookups == 0;
	let_go(table, inode);
	pthread_mutex_unlock(&table->lock);
	return unknown;
}

struct inode *inode_parent(struct inode_table *table, struct inode *inode)
{
	struct inode *parent;

	pthread_mutex_lock(&table->lock);
	parent = inode->parent;
	if (parent)
		parent->refs++;
	pthread_mutex_unlock(&table->lock);
	return parent;
}

void inode_unref(struct inode_table *table, struct inode *inode)
{
	pthread_mutex_lock(&table->lock);
	inode->refs--;
	let_go(table, inode);
	pthread_mutex_unlock(&table->lock);
}

struct inode *inode_first_open(struct inode_table *table)
{
	struct inode *inode;
	size_t i;

	for (i = 0; i < table->bucket_count; i++)
		for (inode = table->buckets[i]; inode; inode = inode->next)
			if (inode->file)
				return inode;
	return NULL;
}

void inode_report(struct inode_table *table, struct inode *inode, const struct facts *facts)
{
	pthread_mutex_lock(&table->lock);
	set_reported(inode, facts);
	pthread_mutex_unlock(&table->lock);
}

bool inode_is_as_reported(struct inode_table *table, struct inode *inode, const struct facts *facts)
{
	struct inode now = {0};
	struct reported told;

	set_reported(&now, facts);
	pthread_mutex_lock(&table->lock);
	told = inode->reported;
	pthread_mutex_unlock(&table->lock);
	return identity_equal(&inode->id, &facts->id) && told.bytes == now.reported.bytes &&
	       told.mode == now.reported.mode && told.uid == now.reported.uid &&
	       told.gid == now.reported.gid &&
	       (told.nlink == now.reported.nlink || !now.reported.nlink);
}

/* Under the lock. The bytes of the path, or 0 if a part of it is gone; the root has 1. */
static size_t path_bytes(const struct inode *inode)
{
	size_t bytes = inode->parent ? 0 : 1;

	for (; inode->parent; inode = inode->parent) {
		if (!inode->named)
			return 0;
		bytes += strlen(inode->name) + 1; /* a slash behind it, or the NUL */
	}
	return bytes;
}

/*
 * Under the lock: why an inode has no path. Unless a name on the way was removed, it is another
 * file's now, and the kernel is to look again: there always was something.
 */
static int lost(const struct inode *inode)
{
	while (inode->named)
		inode = inode->parent;
	return inode->removed ? -ENOENT : -ESTALE;
}

/* Under the lock. Filled from its end, where the walk to the root begins. */
static int path_of(const struct inode *inode, char **ret_path)
{
	size_t bytes = path_bytes(inode);
	char *path;
	char *at;

	if (!bytes)
		return lost(inode);
	path = malloc(bytes);
	if (!path)
		return -ENOMEM;
	at = path + bytes - 1;
	*at = '\0';
	for (; inode->parent; inode = inode->parent) {
		size_t length = strlen(inode->name);

		at -= length;
		memcpy(at, inode->name, length);
		if (at > path)
			*--at = '/';
	}
	*ret_path = path;
	return 0;
}

int inode_path(struct inode_table *table, struct inode *inode, char **ret_path)
{
	int rc;

	pthread_mutex_lock(&table->lock);
	rc = path_of(inode, ret_path);
	pthread_mutex_unlock(&table->lock);
	return rc;
}

int inode_place(struct inode_table *table, struct inode *inode, char **ret_parent, char **ret_name)
{
	CLEANUP_FREE char *name = NULL;
	int rc;

	pthread_mutex_lock(&table->lock);
	if (inode->named && inode->parent) {
		name = strdup(inode->name);
		rc = name ? path_of(inode->parent, ret_parent) : -ENOMEM;
	} else {
		rc = inode->named ? -ENOENT : lost(inode);
	}
	pthread_mutex_unlock(&table->lock);
	if (rc < 0)
		return rc;
	*ret_name = steal_ptr(name);
	return 0;
}

static bool is_draft_of(const struct inode *inode, pid_t process)
{
	return inode->named && inode->drafted && inode->file &&
	       (process == DRAFT_OF_ANYBODY || inode->file->draft->process == process);
}

bool inode_find_draft(struct inode_table *table, struct inode *parent, const char *name,
		      pid_t process, struct inode **ret_inode)
{
	struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = first_called(table, parent, name);
	while (inode && !is_draft_of(inode, process))
		inode = next_called(inode->next, parent, name);
	if (inode)
		inode->lookups++;
	pthread_mutex_unlock(&table->lock);
	if (inode)
		*ret_inode = inode;
	return inode;
}

/* Its directory may be forgotten as soon as it is renamed to another: hence the ref. */
int inode_last_place(struct inode_table *table, struct inode *inode, struct inode_place *ret_place)
{
	struct inode *dir;
	char *name;

	if (inode->root)
		return -ENOENT;
	pthread_mutex_lock(&table->lock);
	name = strdup(inode->name);
	dir = inode->parent;
	if (name)
		dir->refs++;
	pthread_mutex_unlock(&table->lock);
	if (!name)
		return -ENOMEM;
	*ret_place = (struct inode_place){.table = table, .dir = dir, .name = name};
	return 0;
}

void inode_removed(struct inode_table *table, struct inode *parent, const char *name)
{
	struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = inode_find(table, parent, name);
	if (inode) {
		inode->named = false;
		inode->removed = true;
		inode->dead = inode->directory;
	}
	pthread_mutex_unlock(&table->lock);
}

bool inode_is_dead(struct inode_table *table, struct inode *inode, struct facts *ret_facts)
{
	const struct timespec born = {.tv_sec = inode->id.born_ns / 1000000000,
				      .tv_nsec = inode->id.born_ns % 1000000000};
	bool dead;

	pthread_mutex_lock(&table->lock);
	dead = inode->dead;
	if (dead)
		*ret_facts = (struct facts){
			.id = inode->id,
			.st = {.st_ino = inode->id.ino,
			       .st_mode = inode->reported.mode,
			       .st_uid = inode->reported.uid,
			       .st_gid = inode->reported.gid,
			       .st_atim = born,
			       .st_mtim = born,
			       .st_ctim = born},
		};
	pthread_mutex_unlock(&table->lock);
	return dead;
}

/* Under the lock: from now on it is `name` (which it owns from here) in `parent`. */
static void move(struct inode_table *table, struct inode *inode, struct inode *parent, char *name)
{
	struct inode *old_parent = inode->parent;

	link_out(inode);
	free(inode->name);
	inode->name = name;
	inode->parent = parent;
	parent->refs++;
	old_parent->refs--;
	inode->named = true;
	hash_in(table, inode);
	let_go(table, old_parent);
}

void inode_renamed(struct inode_table *table, struct inode *from, const char *from_name,
		   struct inode *to, const char *to_name, bool exchange)
{
	CLEANUP_FREE char *name = strdup(to_name);
	CLEANUP_FREE char *other_name = exchange ? strdup(from_name) : NULL;
	struct inode *inode;
	struct inode *other;

	pthread_mutex_lock(&table->lock);
	inode = inode_find(table, from, from_name);
	other = inode_find(table, to, to_name);
	if (inode && inode != other) {
		inode->named = false;
		if (name)
			move(table, inode, to, steal_ptr(name));
	}
	if (other && inode != other) {
		other->named = false;
		other->dead = other->directory && !exchange;
		if (other_name)
			move(table, other, from, steal_ptr(other_name));
	}
	pthread_mutex_unlock(&table->lock);
}

int inode_make_draft(struct inode_table *table, struct inode *parent, const char *name,
		     const struct facts *facts, struct inode **ret_inode)
{
	struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = inode_new(table, parent, name, facts);
	if (inode) {
		inode->drafted = true;
		inode->lookups = 1;
		set_reported(inode, facts);
	}
	pthread_mutex_unlock(&table->lock);
	if (!inode)
		return -ENOMEM;
	*ret_inode = inode;
	return 0;
}

void inode_publish(struct inode_table *table, struct inode *inode)
{
	struct inode *before;

	pthread_mutex_lock(&table->lock);
	before = inode_find(table, inode->parent, inode->name);
	if (before)
		before->named = false;
	inode->drafted = false;
	pthread_mutex_unlock(&table->lock);
}

void inode_discard(struct inode_table *table, struct inode *inode)
{
	pthread_mutex_lock(&table->lock);
	inode->drafted = false;
	inode->named = false;
	inode->removed = true;
	pthread_mutex_unlock(&table->lock);
}

int inode_rename_draft(struct inode_table *table, struct inode *inode, struct inode *to,
		       const char *to_name)
{
	char *name = strdup(to_name);

	if (!name)
		return -ENOMEM;
	pthread_mutex_lock(&table->lock);
	move(table, inode, to, name);
	pthread_mutex_unlock(&table->lock);
	return 0;
}
