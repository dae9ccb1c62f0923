/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filling the public struct sharr_info from what was read; its strings and shape lie in memory that
 * the caller has ready.
 */
#ifndef SHARR_INFO_H
#define SHARR_INFO_H

#include <stddef.h>
#include <sys/stat.h>

#include "open.h"
#include "sharr.h"

/* How many bytes `info_fill` needs for them. */
size_t info_payload_bytes(const char *name, const struct format_meta *meta);

/* payload: aligned as malloc does, of that many bytes. */
void info_fill(const char *name, const struct format_meta *meta, const struct stat *st,
	       void *payload, struct sharr_info *ret_info);

/* A copy that lives as long as its payload, which has info_bytes of the original. */
size_t info_bytes(const struct sharr_info *info);
void info_copy(const struct sharr_info *info, void *payload, struct sharr_info *ret_copy);

/* The array of that name, open for reading, and what it is; the caller frees both. */
int info_open(const char *name, struct opened *ret_opened, struct sharr_info **ret_info);

#endif
