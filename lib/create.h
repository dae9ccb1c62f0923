/* SPDX-License-Identifier: BSD-3-Clause */
/* Words for who is told that a name is taken and then, by attach, that there is nothing. */
#ifndef SHARR_CREATE_H
#define SHARR_CREATE_H

/*
 * -EEXIST, with words for what has the name, if it can be seen. flags: SHARR_VIA_SHM,
 * SHARR_VIA_MOUNT.
 */
int create_explain_taken(const char *name, unsigned flags);

#endif
