/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory that bare names live in, and the way there. */
#ifndef SHARR_STORE_H
#define SHARR_STORE_H

#include <stddef.h>

/*
 * Its path into `bytes` bytes, NUL-terminated, without a slash at the end: SHARR_STORE if that is
 * set, else /dev/shm, and where there is none a directory of this user's alone. Returns its length;
 * -ENAMETOOLONG; -EACCES: another user may enter that directory.
 */
int store_path(char *ret_path, size_t bytes);

/* How names of the store are looked up: SHARR_VIA in the environment. */
enum store_via {
	STORE_VIA_AUTO, /* "auto" or not set: in the store, and then in the mount */
	STORE_VIA_SHM,  /* "shm": in the store */
	STORE_VIA_MOUNT /* "mount": in the mount */
};

/* -EINVAL, in words: SHARR_VIA is something else. */
int store_via(enum store_via *ret_via);

/* Where the mount is, NUL-terminated: SHARR_MOUNT, or /mnt/sharr. Returns its length; -ENAMETOOLONG. */
int store_mount_path(char *ret_path, size_t bytes);

#endif
