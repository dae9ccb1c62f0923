/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which processes map a file, directly or through the mount, as /proc/PID/maps tells. Those it may
 * not read are passed over.
 */
#ifndef SHARRFS_ATTACHED_H
#define SHARRFS_ATTACHED_H

#include <stdint.h>
#include <stdio.h>

struct facts;

/* Print the pids, with commas between. The daemon itself is not among them. */
int attached_print(FILE *out, const struct facts *facts, uint64_t mount_device);

#endif
