/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An array that is open through the mount: one descriptor, and in passthrough mode one backing id,
 * per inode, however many have it open, from the first open to the last release. So no user can
 * exhaust the daemon's descriptors by opening one array often, and the kernel, which answers EIO to
 * an open with another backing id than the one in use, never sees two.
 */
#ifndef SHARRFS_FILE_H
#define SHARRFS_FILE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct client;
struct draft;
struct fs;
struct inode;

struct file {
	struct inode *inode;    /* holds one of its refs */
	struct file *successor; /* what is written past the end of what was published
				   (draft_grow.h): one of its uses; under the inode table's lock */
	uint32_t uses;          /* opens, and handlers at work; under the inode table's lock */
	int fd;                 /* read-write where the store allows it, else read-only */
	int write_error;        /* 0, or why fd is read-only: -EACCES, -EROFS, … */
	int32_t backing_id;     /* 0: none, this mount is not in passthrough mode */
	uint64_t nbytes;        /* of a draft 0, until it is published */
	unsigned char *header;  /* of an npy file of a view: what is read before the data; owned */
	size_t header_bytes;    /* else 0 */
	struct draft *draft;    /* NULL, or it was created through the mount; owned */
	bool finished;          /* the draft's last use has gone, once; under the table's lock */
	pthread_mutex_t map_lock; /* of map alone, while it is made */
	void *map; /* of the nbytes, read-only, made by the first read that can use it; NULL: none
		      yet */
	bool map_failed; /* don't try again */
};

/*
 * A use of the inode's file, which is opened if it is not: -ESTALE if it is not as the kernel was
 * told last, so that the kernel looks again and retries, once. access: what the client opens it for, R_OK,
 * W_OK or both. To be given back by file_release.
 */
int file_acquire(struct fs *fs, struct inode *inode, const struct client *client, int access,
		 struct file **ret_file);

/*
 * One use of a new file for a draft. The descriptor and the draft are the file's from here on, on
 * an error too.
 */
int file_adopt(struct fs *fs, struct inode *inode, int fd, struct draft *draft,
	       struct file **ret_file);

/* A use of the inode's file if it is open, else NULL. */
struct file *file_peek(struct fs *fs, struct inode *inode);

/* Has any client it open? */
bool file_is_open(struct fs *fs, const struct inode *inode);

void file_release(struct fs *fs, struct file *file);

/*
 * A file for a draft that takes over from `first`, and from the successor that this has: one use
 * for `first`, one for the caller. The descriptor and the draft are the file's, on an error too.
 */
int file_succeed(struct fs *fs, struct file *first, int fd, struct draft *draft,
		 struct file **ret_file);

/* A use of the file's successor, or the file itself, without a use, if it has none. */
struct file *file_newest(struct fs *fs, struct file *file);

/* Let the successor go, if there is one. */
void file_end_succession(struct fs *fs, struct file *file);

/*
 * What the kernel keeps of an open: the file, and whether it was in the making then, so that it may
 * be written past its end ever after.
 */
static inline uint64_t file_handle(struct file *file, bool makers)
{
	return (uint64_t)(uintptr_t)file | makers;
}

static inline struct file *file_of_handle(uint64_t handle)
{
	return (struct file *)(uintptr_t)(handle & ~(uint64_t)1);
}

static inline bool file_handle_is_makers(uint64_t handle)
{
	return handle & 1;
}

/* At the end of the mount: close what clients still had open. */
void file_close_all(struct fs *fs);

/*
 * The file's data in memory, to be handed to system calls only: loading from it is SIGBUS if
 * someone truncates the file.
 */
const void *file_map(struct file *file);

#endif
