/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sharr_list, which also tells under what serial an array is known (known.h): with the same one all of
 * its info is the same, 0 says nothing. For who makes something of each info, and keeps that.
 */
#ifndef SHARR_LIST_H
#define SHARR_LIST_H

#include <stdint.h>

#include "sharr.h"

/* As in sharr_list. */
typedef int list_fn(const struct sharr_info *info, uint64_t serial, void *userdata);

int list_each(const char *group, list_fn *fn, void *userdata);

#endif
