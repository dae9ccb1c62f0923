/* SPDX-License-Identifier: BSD-3-Clause */
/* The way of requests from the kernel and of replies to it, through the hands of this daemon. */
#ifndef SHARRFS_DEVICE_H
#define SHARRFS_DEVICE_H

struct fs;

/* Take it over from libfuse, for fs->session. After the mount, before its first request is read. */
int device_attach(struct fs *fs);

#endif
