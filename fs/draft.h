/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A new array in the making: a file that a client has created through the mount and has not
 * finished. It grows out of everyone else's sight, in an O_TMPFILE of the store, and appears whole.
 * When it is finished no one says: programs close the same file several times (dup, fork, stdio),
 * so that it is taken for finished when the process that created it has closed its last descriptor
 * and something was written, else when the last descriptor of all is gone. A writer that is killed
 * has not finished; nor is one that has still the hidden name that libsharr gives what it prepares.
 * What others write past its end after that is the business of draft_grow.h.
 */
#ifndef SHARRFS_DRAFT_H
#define SHARRFS_DRAFT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "client.h"
#include "facts.h"
#include "staging.h"

struct file;
struct fs;
struct inode;

enum draft_state {
	DRAFT_OPEN,
	DRAFT_PUBLISHED,
	DRAFT_DROPPED, /* killed, unlinked, or it could not be published */
};

/* An attribute that was set before there was an array to set it on. */
struct draft_attribute {
	struct draft_attribute *next;
	char *name; /* without "user."; in the same memory, as the value is */
	void *value;
	size_t bytes;
};

struct draft {
	pthread_mutex_t growing; /* while it is given a successor; taken before any other */
	pthread_mutex_t lock;    /* of all below; taken before any other but that */
	enum draft_state state;
	bool written; /* or given a size, or attributes */
	int error;    /* of a write that failed: what is there is a part, and is never published */
	atomic_bool unlinked;
	bool replace;       /* it was renamed onto an array */
	uid_t replacer;     /* by whom, if so */
	atomic_bool unused; /* made by mknod, and not opened yet: its first open takes over the use
			       that keeps it. Not under the lock: others ask, who are not to wait
			       while it is published */
	int unused_slot;    /* while it is so; of fs->unused */
	pid_t process;      /* that created it; 0: not known */
	uid_t uid;
	int grown_from;         /* -1, or the array whose successor it is (draft_grow.h); owned */
	unsigned handles;       /* opened while it was in the making */
	struct staging staging; /* its descriptor is the file's */
	struct draft_attribute *attributes;
	size_t attributes_bytes;          /* the memory of those, … */
	atomic_size_t *attributes_of_all; /* … and of all drafts: the fs's */
};

/* An empty one, of which nothing is staged yet; to be freed by draft_free. */
int draft_new(struct fs *fs, const struct client *client, struct draft **ret_draft);

/*
 * A new draft called `name` in `dir`, with one use of its file and one lookup of its inode.
 * -EEXIST: the name is taken in the store, or `exclusive` by another draft.
 */
int draft_create(struct fs *fs, struct inode *dir, const char *name, mode_t mode, bool exclusive,
		 const struct client *client, struct inode **ret_inode, struct file **ret_file,
		 struct facts *ret_facts);

/*
 * Is there a draft of that name, anybody's? To be asked before the store is looked at: what is not
 * there, and is no draft by the time of the calls below, has been published between.
 */
bool draft_exists(struct fs *fs, struct inode *dir, const char *name);

/* Is there a draft of that name which this client may see? Counts a lookup. -ENOENT. */
int draft_lookup(struct fs *fs, struct inode *dir, const char *name, const struct client *client,
		 struct inode **ret_inode, struct facts *ret_facts);

/* Is the file a draft that is not published? Its data end nowhere then. */
bool draft_is_open(struct file *file);

/* Was it begun by a write past the end of an array that is published? */
bool draft_is_successor(const struct file *file);

/*
 * A handle of it is opened, or closed: with the last one its successor is published. The file is
 * the handle's.
 */
void draft_opened(struct file *file);
void draft_closed(struct fs *fs, struct file *file);

/* A draft's facts as the mount shows them. */
int draft_facts(const struct file *file, struct facts *ret_facts);

/*
 * write() at the end of which the file may be longer; offset -1 is its end. fallocate(). -EAGAIN: it
 * is published, and nothing was done.
 */
ssize_t draft_write(struct file *file, const char *data, size_t bytes, off_t offset);
int draft_allocate(struct file *file, int mode, off_t offset, off_t bytes);

/* -EPERM: it is published. */
int draft_resize(struct file *file, off_t bytes);

/* To no bytes, which is no writing if it has none. */
int draft_empty(struct file *file);

/*
 * Attributes, kept until it is published; names without "user.". value NULL removes. -EINVAL: it
 * makes no sense; -ENOSPC: enough is kept; -EAGAIN: it is published. flags: those of setxattr.
 */
int draft_set_attribute(struct file *file, const char *name, const void *value, size_t bytes,
			int flags);
int draft_get_attribute(struct file *file, const char *name, char **ret_value, size_t *ret_bytes);
int draft_list_attributes(struct file *file, char **ret_names, size_t *ret_bytes);

/*
 * The thread closes a descriptor of it: publish it if that was its creator's last. Errors are
 * close()'s.
 */
int draft_flush(struct fs *fs, struct file *file, pid_t thread);

/* The last use is about to go: publish it if it is not, and nobody dropped it. */
void draft_release(struct fs *fs, struct file *file);

/* It was made by mknod: its one use waits for the first open. -ENFILE: enough wait so already. */
int draft_keep_unused(struct fs *fs, struct file *file);

/* Take over the use that mknod left behind: true once, for the first who opens it. */
bool draft_take_unused(struct fs *fs, struct file *file);

/*
 * inode_forget() of what may be a draft: one that mknod made and nobody opened goes with the last
 * that is known of it.
 */
void draft_forget(struct fs *fs, struct inode *inode, uint64_t lookups);

/* Never publish it. */
void draft_drop(struct file *file);

/*
 * Unlink or rename a draft that this client sees under that name. -ENOENT: there is none.
 * `replaced`: its draft that has the new name, or NULL.
 */
int draft_unlink(struct fs *fs, struct inode *dir, const char *name, const struct client *client);
int draft_rename(struct fs *fs, struct inode *from, const char *from_name, struct inode *to,
		 const char *to_name, unsigned flags, const struct client *client,
		 struct inode *replaced);

/* This client's draft of that name, looked up once more, for draft_forget(); -ENOENT: it has none. */
int draft_find_own(struct fs *fs, struct inode *dir, const char *name, const struct client *client,
		   struct inode **ret_inode);

/* Another takes its name: never publish it. False: it has been published already. */
bool draft_discard(struct fs *fs, struct inode *inode);

/* The file goes: free what belongs to the draft. NULL is fine. */
void draft_free(struct draft *draft);

#endif
