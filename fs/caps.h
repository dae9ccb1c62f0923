/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon may do as root, cut down to what it needs. */
#ifndef SHARRFS_CAPS_H
#define SHARRFS_CAPS_H

/*
 * After the mount, before other threads run, as each has its own: keep what passthrough
 * (SYS_ADMIN), forwarding chown, chmod and utimens (CHOWN, FOWNER), any user's files (DAC_OVERRIDE,
 * DAC_READ_SEARCH) and user.sharr.attached (SYS_PTRACE) take. Does nothing where there are none.
 */
int caps_drop(void);

#endif
