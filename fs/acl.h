/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX ACLs of the store's files, which the mount cannot show and the kernel therefore does not
 * check there: what they take away from a user is taken from the bits of group and others that the
 * mount shows, so that it never grants more than the store would. It may grant less, to a user whom
 * only an ACL lets in.
 */
#ifndef SHARRFS_ACL_H
#define SHARRFS_ACL_H

#include <stdint.h>

/* Which of the bits 077 remain for the file `fd`, which may be O_PATH. */
int acl_mode_mask(int fd, uint8_t *ret_mask);

#endif
