/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replacing the metadata of an array that others may be reading, at any moment of which this
 * process may be killed: a whole new tail is appended by one write within one page, so that the end
 * of the file moves after the bytes are there. A reader finds the old tail or the new one. The
 * times of the file stay; two writers at once take turns.
 */
#ifndef SHARR_REWRITE_H
#define SHARR_REWRITE_H

#include "format.h"

/*
 * Called with the lock held. Returns 0 with *ret_changed set, 1 if nothing needs to change, or a
 * negative errno. What it sets may point into `meta`; it is released afterwards, and
 * ret_changed->attrs is not freed.
 */
typedef int rewrite_change(const struct format_meta *meta, void *userdata,
			   struct format_meta *ret_changed);

enum { REWRITE_WAIT_MS = 1000 };

/*
 * fd: open for reading and writing. Returns 0, or what `change` returned if that is negative;
 * -EBADMSG: no array; -EBUSY: another process keeps the lock for wait_ms and longer; -E2BIG: the
 * new tail does not fit into a page; -ENOSPC and what else pwrite gives: nothing has changed then.
 */
int rewrite_array(int fd, unsigned wait_ms, rewrite_change *change, void *userdata);

#endif
