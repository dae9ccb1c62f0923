/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory that bare names live in. */
#ifndef SHARR_STORE_H
#define SHARR_STORE_H

#include <stddef.h>

/*
 * Its path into `bytes` bytes, NUL-terminated, without a slash at the end: SHARR_STORE if that is
 * set, else /dev/shm, and where there is none a directory of this user's alone. Returns its length;
 * -ENAMETOOLONG; -EACCES: another user may enter that directory.
 */
int store_path(char *ret_path, size_t bytes);

#endif
