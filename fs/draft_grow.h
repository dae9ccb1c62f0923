/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An array that is published while somebody still writes it: `{ a; b; } > x` in a program that
 * closes x and lets its children go on. It has its size for good, since others may have it mapped;
 * and an inode that is open by passthrough keeps its backing file as long as it is open, so that
 * another file can't be put behind it. What is written past the end through a handle that was
 * opened while it was in the making (only those; for all others that is EFBIG) therefore begins a
 * successor: a draft with a copy of the data, of which the kernel knows nothing. It is finished
 * when the process that began it has closed its last descriptor, or when the last such handle is
 * closed, and then takes the array's place in the store under its name, mode, owner and attributes,
 * in one step. Whoever has the array open or mapped keeps it.
 *
 * From its beginning on those handles read and write the successor; stat(), which has no handle,
 * and maps made through them still show the array. If the name is not the array's any more when it
 * is finished, the successor goes as what is written to a deleted file goes.
 */
#ifndef SHARRFS_DRAFT_GROW_H
#define SHARRFS_DRAFT_GROW_H

#include <stdint.h>
#include <sys/types.h>

struct draft;
struct file;
struct format_meta;
struct fs;

/*
 * A use of the file that writes past the end of `first`, a published draft, go to: begun by
 * `thread` if there is none. -EFBIG: its directory is gone.
 */
int draft_grow(struct fs *fs, struct file *first, pid_t thread, struct file **ret_file);

/* The size of the successor of `first`, and ftruncate of it. -ENODATA: there is none. */
int draft_grow_bytes(struct fs *fs, struct file *first, off_t *ret_bytes);
int draft_grow_resize(struct fs *fs, struct file *first, off_t bytes);

/*
 * What a successor of nbytes is: as its predecessor, but longer in the dimension that varies
 * slowest. *ret_attrs as draft_attributes_describe has it. -EINVAL: the bytes make no whole number
 * of those.
 */
int draft_grow_describe(const struct draft *draft, uint64_t nbytes, unsigned char **ret_attrs,
			struct format_meta *ret_meta);

/* Give the successor `fd` the mode and owner that its predecessor has now. */
int draft_grow_hand_over(const struct draft *draft, int fd);

/* Is `name` in `dirfd` the predecessor still? -ENOENT: no. */
int draft_grow_check_place(const struct draft *draft, int dirfd, const char *name);

#endif
