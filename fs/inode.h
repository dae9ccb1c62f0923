/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel knows of the mount: one inode per (parent, name) that it has looked up and not
 * yet forgotten, with the identity of the file that it was. No descriptor belongs to an inode as
 * such, only to one that is open (file.h), so that 100,000 arrays cost memory alone, about 150
 * bytes each. If another file takes a name, it gets another inode; the old one stays beside it,
 * without the name, until the kernel forgets it. libfuse's inode numbers are addresses of these, and 1 the
 * root.
 */
#ifndef SHARRFS_INODE_H
#define SHARRFS_INODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include "facts.h"

struct file;
struct watch;

/* What permission checks in the kernel rest on: as last told to it. */
struct reported {
	uint64_t bytes;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
};

/* All is under the table's lock, but what stands below id, which never changes. */
struct inode {
	struct inode *next;   /* in its bucket */
	struct inode **link;  /* what points to it there */
	struct inode *parent; /* NULL: the root; counted in the parent's refs */
	char *name;           /* in the parent; owned */
	uint64_t lookups;     /* that the kernel has not taken back by FORGET */
	uint32_t refs;        /* children, and one for an open file */
	bool named;           /* false: its name is gone, or is another file's now */
	bool removed;         /* which of the two: the name is gone */
	bool dead;            /* a directory that was removed or replaced through this mount */
	bool drafted;         /* open as a draft: it has the name beside what has it in the store */
	struct file *file;    /* NULL unless open; owned by file.c */
	struct watch *watch;  /* of a directory; NULL: it is not watched; owned by watch.c */
	bool listed;          /* the kernel may still keep its name from a listing, for long */
	struct reported reported;
	struct identity id;
	bool directory;
	bool root;
	bool view; /* of arrays as npy files, or in one: npyview.h */
};

struct inode_table {
	pthread_mutex_t lock; /* innermost: nothing else is locked, and no system call made, while
				 it is held */
	struct inode **buckets;
	size_t bucket_count; /* a power of 2 */
	size_t inode_count;
	uint64_t seed; /* of hashes of names, here and elsewhere (hash.h) */
	struct inode root;
};

int inode_table_init(struct inode_table *table, const struct facts *root);
void inode_table_deinit(struct inode_table *table);

/* Of the number that the kernel sent. */
static inline struct inode *inode_of(struct inode_table *table, uint64_t number)
{
	return number == 1 ? &table->root : (struct inode *)(uintptr_t)number;
}

static inline uint64_t inode_number(const struct inode *inode)
{
	return inode->root ? 1 : (uint64_t)(uintptr_t)inode;
}

/*
 * The inode of `name` in `parent`, which has these facts: the one there is if it is the same file,
 * else a new one. Counts a lookup, and takes the facts as reported. To be undone by inode_forget if
 * the kernel does not get the reply.
 */
int inode_lookup(struct inode_table *table, struct inode *parent, const char *name,
		 const struct facts *facts, struct inode **ret_inode);

/*
 * The same for a listing. *ret_keep: the kernel may keep the name for as long as listings hold: the
 * parent is watched, and `generation` is what watch_generation said before the facts were read. Of an
 * array that is open it may not: it would show the open file's attributes under a name that has
 * become another's. Nor of one with several links: what is done by a name in another directory the
 * watch does not tell.
 */
int inode_list(struct inode_table *table, struct inode *parent, const char *name,
	       const struct facts *facts, uint32_t generation, struct inode **ret_inode,
	       bool *ret_keep);

/* Was its name told in a listing, and is not known to be forgotten? Not any more from here on. */
bool inode_unlist(struct inode_table *table, struct inode *inode);

/* Take back so many lookups. True: the kernel does not know it any more. */
bool inode_forget(struct inode_table *table, struct inode *inode, uint64_t lookups);

/*
 * The numbers of all inodes, in turns: `room` at most, and no less than 1 unless there are no more.
 * *bucket is 0 at first, and then the caller leaves it alone.
 */
size_t inode_numbers(struct inode_table *table, size_t *bucket, uint64_t *numbers, size_t room);

/* Under the lock: the inode of what the store has as `name` in `parent`, or NULL. */
struct inode *inode_find(struct inode_table *table, const struct inode *parent, const char *name);

/* Is there one that had this name before, so that a client may be about to ask for that? */
bool inode_has_lost(struct inode_table *table, const struct inode *parent, const char *name);

/* The directory that it is in, with one more of its refs; NULL for the root. */
struct inode *inode_parent(struct inode_table *table, struct inode *inode);

/* Give back one of its refs. */
void inode_unref(struct inode_table *table, struct inode *inode);

/* Any that is open, or NULL. Slow: for the end of the mount, when no other thread runs. */
struct inode *inode_first_open(struct inode_table *table);

/* These facts are about to be told to the kernel. */
void inode_report(struct inode_table *table, struct inode *inode, const struct facts *facts);

/* Is this what the kernel was told last, so that what it decided by it holds? */
bool inode_is_as_reported(struct inode_table *table, struct inode *inode,
			  const struct facts *facts);

/*
 * The path below the root, "" for the root itself; the caller frees. -ENOENT: it has none any more;
 * -ESTALE: nor has it, since another file is there now.
 */
int inode_path(struct inode_table *table, struct inode *inode, char **ret_path);

/* The path of the parent, and the name; the caller frees both. Errors as above. */
int inode_place(struct inode_table *table, struct inode *inode, char **ret_parent, char **ret_name);

/* A name in a directory, which lives as long as this does. */
struct inode_place {
	struct inode_table *table; /* NULL: nothing is held */
	struct inode *dir;         /* with one more of its refs */
	char *name;                /* owned */
};

/* The directory and the name that it has, or had last. -ENOENT: it is the root. */
int inode_last_place(struct inode_table *table, struct inode *inode, struct inode_place *ret_place);

static inline void inode_place_deinit(struct inode_place *place)
{
	if (place->table)
		inode_unref(place->table, place->dir);
	free(place->name);
}

#define CLEANUP_PLACE __attribute__((cleanup(inode_place_deinit)))

/*
 * Drafts. The store knows nothing of them, so that no look at it, which may have been long ago, tells
 * what becomes of them and their names.
 */
int inode_make_draft(struct inode_table *table, struct inode *parent, const char *name,
		     const struct facts *facts, struct inode **ret_inode);

/* It has its name in the store now, and who had it before has it no more. */
void inode_publish(struct inode_table *table, struct inode *inode);

/* It lost its name without ever having been there. */
void inode_discard(struct inode_table *table, struct inode *inode);

/* Without memory nothing changes. -ENOMEM. */
int inode_rename_draft(struct inode_table *table, struct inode *inode, struct inode *to,
		       const char *to_name);

enum { DRAFT_OF_ANYBODY = -1 };

/*
 * The inode of `name` in `parent` if it is open as a draft, made by `process` (0: by one that is not
 * known), or by whomever. Counts a lookup.
 */
bool inode_find_draft(struct inode_table *table, struct inode *parent, const char *name,
		      pid_t process, struct inode **ret_inode);

/* `name` was removed from `parent`. */
void inode_removed(struct inode_table *table, struct inode *parent, const char *name);

/*
 * Is it a directory that was removed through this mount? Only who has it open, or works in it, comes
 * to it then: its facts are what the kernel was told last, without a link.
 */
bool inode_is_dead(struct inode_table *table, struct inode *inode, struct facts *ret_facts);

/*
 * A name was renamed: what the target was is gone, unless the two were exchanged. Out of memory:
 * both have no name here any more, and the kernel's next lookup makes new inodes.
 */
void inode_renamed(struct inode_table *table, struct inode *from, const char *from_name,
		   struct inode *to, const char *to_name, bool exchange);

#endif
