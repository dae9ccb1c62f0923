/* SPDX-License-Identifier: BSD-3-Clause */
/* The mounts that this process sees, as /proc/self/mountinfo lists them. */
#ifndef SHARR_MOUNTINFO_H
#define SHARR_MOUNTINFO_H

#include <stdint.h>

struct mountinfo {
	uint64_t id;         /* as mountinfo_id_of tells */
	uint64_t device;     /* as st_dev has it */
	const char *type;    /* "fuse.sharrfs" */
	const char *source;  /* as given to mount */
	const char *options; /* of the file system, with commas between */
};

/* Call `fn` for every mount, the oldest first. A non-zero return of fn ends it, and is returned. */
int mountinfo_each(int (*fn)(const struct mountinfo *mount, void *userdata), void *userdata);

/* The mount that the file was reached by that `fd` is open on; 0 if that is unknown. */
uint64_t mountinfo_id_of(int fd);

#endif
