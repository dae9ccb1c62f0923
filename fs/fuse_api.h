/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The version of libfuse's interface that all files of the daemon use; SHARRFS_FUSE_API comes from
 * meson.
 */
#ifndef SHARRFS_FUSE_API_H
#define SHARRFS_FUSE_API_H

#define FUSE_USE_VERSION SHARRFS_FUSE_API

#include <fuse_lowlevel.h>

#endif
