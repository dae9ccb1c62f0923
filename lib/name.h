/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of arrays (sharr.h says which there are) and the places they stand for: in the store, in the
 * mount of a sharrfs that shows that store, or at a path of the user's.
 */
#ifndef SHARR_NAME_H
#define SHARR_NAME_H

#include <limits.h>
#include <stdbool.h>

#include "store.h"

/*
 * Where an array is: `path` relative to the directory `at`, in the manner of openat. Not to be
 * copied: dir points into it.
 */
struct name {
	int at;             /* AT_FDCWD, or the group's directory, owned */
	bool in_store;      /* and not at a path of the user's */
	bool in_mount;      /* of the store's names, as a mounted sharrfs shows them */
	bool nofollow;      /* a symlink there is no array */
	enum store_via via; /* which ways a name of the store is looked up */
	const char *text;   /* the name it was made from; the caller's */
	const char *dir;    /* the directory the array lies in, relative to `at` too */
	char dir_text[PATH_MAX];
	char path[PATH_MAX];
};

/*
 * Find the place that `text` stands for, by the way that a call's flags choose: SHARR_VIA_SHM,
 * SHARR_VIA_MOUNT; neither: SHARR_VIA in the environment. Groups are walked without following
 * symlinks. -EINVAL, -ENAMETOOLONG; for a group what openat gives. Free with name_deinit.
 */
int name_init(const char *text, unsigned flags, struct name *ret_name);

/*
 * Likewise, for an array that is to be there: of a group that the store has not, the place is in the
 * mount if names may be looked up both ways. To create is for the store alone.
 */
int name_find(const char *text, unsigned flags, struct name *ret_name);
void name_deinit(struct name *name);

/*
 * Nothing is there: make it the same name in the mount of the store, if one is mounted and names may
 * be looked up both ways. False: there is no other way.
 */
bool name_try_mount(struct name *name);

/* The directory it lies in, for a message: the store even if it lies in a group. */
const char *name_where(const struct name *name);

/*
 * Hand `r` through, with words where strerror tells too little: no store, somebody else's array or
 * directory, a store that is read-only, a mount whose daemon is gone, no descriptors left. of_file:
 * it was the array's file that was met, and not its directory.
 */
int name_explain(const struct name *name, bool of_file, int r);

/* Those of them that have nothing to do with the name itself. where: the store, or its mount. */
int name_explain_limits(const char *where, int r);

/*
 * Open the directory of a group of the store, or the store itself for "" and NULL, to be read. The
 * descriptor is the caller's. *ret_in_mount: it is the mount's. Errors as above.
 */
int name_open_group(const char *group, int *ret_fd, bool *ret_in_mount);

/*
 * Names are looked up both ways, and the mount shows another directory than the store that is here,
 * as in a container: open the group in the mount. Else an error, for which there are no words.
 */
int name_open_group_beside(const char *group, int *ret_fd);

/*
 * For the names of a group's arrays, one after the other: a buffer that starts with the group and a
 * slash (nothing, of the store itself), *ret_bytes of them, and has room for any entry behind it.
 * The caller frees it; NULL: out of memory.
 */
char *name_room_in_group(const char *group, size_t *ret_bytes);

#define CLEANUP_NAME __attribute__((cleanup(name_deinit)))

#endif
