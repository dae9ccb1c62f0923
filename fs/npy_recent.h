/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The headers of the npy files that were looked up last. Between the lookup of x.npy and its open
 * array x may be reinterpreted, whereupon that npy file is no more; the kernel, told so, tries once
 * again, which is not enough when somebody reinterprets all the time. The data are the same for
 * both: so what is opened then is the file that was found.
 */
#ifndef SHARRFS_NPY_RECENT_H
#define SHARRFS_NPY_RECENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"

enum { NPY_RECENT = 32 };

/* What an npy file begins with, and how much follows. */
struct npy {
	unsigned char *header; /* owned */
	size_t header_bytes;
	uint64_t nbytes;
};

struct npy_recent {
	pthread_mutex_t lock; /* innermost */
	unsigned next;
	struct {
		struct identity id;
		struct npy npy; /* header NULL: free */
	} entries[NPY_RECENT];
};

int npy_recent_init(struct npy_recent *recent);
void npy_recent_deinit(struct npy_recent *recent);

/* Keep a copy. Out of memory is no failure. */
void npy_recent_keep(struct npy_recent *recent, const struct identity *id, const struct npy *npy);

/* A copy of what was kept for `id`, whose header is the caller's. */
bool npy_recent_find(struct npy_recent *recent, const struct identity *id, struct npy *ret_npy);

#endif
