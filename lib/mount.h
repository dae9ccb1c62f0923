/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays reached through a mounted sharrfs, where read() ends with the data: there the metadata
 * come as the extended attribute user.sharr.tail, which is the size of the file behind it (8 bytes,
 * little-endian) and its last bytes, the whole tail among them. One request to the daemon tells
 * all.
 */
#ifndef SHARR_MOUNT_H
#define SHARR_MOUNT_H

#include <stdbool.h>

#include "format.h"

#define MOUNT_TAIL_ATTRIBUTE "user.sharr.tail"

/* user.sharr.id of the root: the store's directory, by device and inode. */
#define MOUNT_ID_FORMAT "%llx:%llu"

enum { MOUNT_TAIL_HEAD_BYTES = 8 };

/* Is fd on a FUSE file system of whatever kind? */
bool mount_is_fuse(int fd);

/*
 * Read the metadata of the array that fd is open on. -ENODATA: fd is on no sharrfs. -EBADMSG,
 * -ENOMEM, -EIO.
 */
int mount_read(int fd, struct format_meta *ret_meta);

/*
 * The same without a request, from a map of an array of nbytes that has mount_map_bytes(nbytes) and
 * begins at its first: if the kernel passes it through, the tail is in reach behind the data.
 * -EBADMSG: it is not, or not certainly the newest; mount_read tells.
 */
int mount_read_map(const void *map, uint64_t nbytes, struct format_meta *ret_meta);
uint64_t mount_map_bytes(uint64_t nbytes);

/* Is fd, a directory or an array, on a mounted sharrfs? */
bool mount_is_sharrfs(int fd);

/* Is a sharrfs mounted at `mount` that shows the store `store`, by the path it was given? */
bool mount_shows(const char *mount, const char *store);

/* Is it the very directory that this process has at `store`? A container may have another there. */
bool mount_is_of(const char *mount, const char *store);

#endif
