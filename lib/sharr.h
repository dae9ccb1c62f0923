/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libsharr: shared numpy arrays as files.
 *
 * An array is a file: its data first, its metadata (dtype, shape, order) behind them. It lives in a
 * store, a directory that is usually /dev/shm, or at any path of any file system. A process
 * attaches an array by mapping the file; all who attach it see the same memory. No daemon takes
 * part, and nothing is deleted when a process ends.
 *
 * Names, as every function takes them (a string of any bytes but NUL):
 *   "x", "/x", "shm://x"       array x of the store: SHARR_STORE in the environment, else /dev/shm
 *   "shm://group/x", "group/x" the same in a subdirectory of the store, which must exist
 *   "file:///dir/x", "file://x" the file of that path, absolute or relative to the working
 *                               directory
 * A sharrfs that is mounted at SHARR_MOUNT, else /mnt/sharr, and shows that store is another way to
 * its names: SHARR_VIA chooses "shm" (the store), "mount", or "auto" (the default: the store, and
 * for what is not there the mount, listings included), so that a container with a /dev/shm of its
 * own sees the host's arrays; it creates its own, unless told "mount". file:// names may lead into
 * a mount as well. Through a mount arrays can't be ephemeral: -EOPNOTSUPP; and without passthrough
 * only be put, and attached read-only: -ENODEV.
 *
 * Errors: a function that can fail returns 0, or a documented positive outcome, or a negative
 * errno. Outputs are written on success only. sharr_error() then tells in words what happened.
 * Errnos that any function with a name may return:
 *   -EINVAL        the name is empty, has an empty, "." or ".." component (in file:// names only
 *                  the last one may not be such), or an unknown scheme: mend the name
 *   -ENAMETOOLONG  a component has more than 255 bytes: use a shorter one
 *   -ENOENT        there is no such array, or its group does not exist
 *   -ENOTDIR       what should be a group is a file or a symlink
 *   -EACCES        the permission bits of the file, or of a directory, do not let this user: ask
 *                  the owner
 *   -EPERM         in a sticky store (as /dev/shm is) only the owner deletes or replaces an array
 *   -EROFS         the store is mounted read-only
 *   -EBADMSG       there is a file, but it holds no array (foreign, damaged, a directory, a
 *                  symlink, a fifo)
 *   -ENOMEM        out of memory, or out of maps (vm.max_map_count): sharr_error() tells which
 *   -EMFILE, -ENFILE  out of descriptors: raise RLIMIT_NOFILE or close some
 *   -EINTR         a signal came while a mounted sharrfs was asked: call again
 *   -ENOTCONN      the sharrfs of that mount has died: mount it anew
 * and what a file system has to say of its own, such as -EIO or -EDQUOT, as it came. -EINVAL as
 * well if SHARR_VIA is none of the three words.
 *
 * A process of 32 bits has addresses for arrays of less than 2 GiB: to create, attach or copy larger
 * ones is -EOVERFLOW there. It lists them with their true size, and they are told about, changed in
 * their attributes and deleted as any other.
 *
 * Threads: all functions may be called from any thread at any time, on one array too, except
 * sharr_detach, which must be the last call on its handle, and sharr_publish, which one thread
 * calls. After fork a child may use and detach what its parent attached. SHARR_STORE, SHARR_MOUNT
 * and SHARR_VIA are read by getenv in each call: setenv in another thread meanwhile is as wrong as
 * it always is.
 */
#ifndef SHARR_H
#define SHARR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SHARR_PUBLIC __attribute__((visibility("default")))
#else
#define SHARR_PUBLIC
#endif

#define SHARR_VERSION "0.1.0"

/* The most dimensions an array may have: what numpy 2 takes. */
#define SHARR_NDIM_MAX 64

/* Flags of the calls below; each call says which it takes, any other is -EINVAL. */
#define SHARR_READONLY 0x1u  /* map for reading only: a store into the map is SIGSEGV */
#define SHARR_SPARSE 0x2u    /* reserve no space: a store that is full later is SIGBUS then */
#define SHARR_REPLACE 0x4u   /* atomically take the place of an array of that name */
#define SHARR_EPHEMERAL 0x8u /* delete it when the last process that has it attached goes */

/*
 * Which way a name of the store is looked up; both: in the store, then in its mount; neither: as
 * SHARR_VIA in the environment says. Of no meaning for file://.
 */
#define SHARR_VIA_SHM 0x10u   /* in the store itself */
#define SHARR_VIA_MOUNT 0x20u /* through the mount */

/*
 * Huge pages, where the store is a tmpfs that gives them to who asks (mounted with huge=advise).
 * Neither: ask for arrays from 2 MiB on. Not having them is no error.
 */
#define SHARR_HUGE 0x40u    /* ask, whatever the size */
#define SHARR_NO_HUGE 0x80u /* don't ask */

/*
 * An array that is attached by this process. Opaque; made by the calls below, freed by
 * sharr_detach.
 */
struct sharr;

/*
 * A user attribute: units, axes, a comment. Names and values are the owner's of the struct, and are
 * not kept.
 */
struct sharr_attr {
	const char *name;  /* 1 to 250 bytes, not starting with "sharr."; on a mount the extended
			      attribute user.NAME */
	const void *value; /* `bytes` of any kind; NULL: to be removed */
	size_t bytes;
};

/*
 * What is to be created. Set all to zero, then fill in; the pointers stay the caller's and are not
 * kept.
 */
struct sharr_spec {
	const char *dtype;    /* as in an npy header: "<f8", or a list "[('x', '<i4'), ('y', '<f4',
				 (2,))]" */
	const int64_t *shape; /* ndim lengths, each >= 0; may be NULL if ndim is 0 */
	int ndim;             /* 0 to SHARR_NDIM_MAX */
	int order;     /* 'C' (also 0) or 'F': which index varies fastest, the last or the first */
	unsigned mode; /* permission bits (up to 0777) that the umask does not touch; 0: 0666 less
			  the umask */
	const char *dtype_name; /* NULL, or the name of an extension dtype for readers who know it,
				   "ml_dtypes.bfloat16": at most 63 bytes, which are letters, digits,
				   '_' and '.' */
	const struct sharr_attr *attrs; /* attr_count user attributes that it has from the start;
					   may be NULL if that is 0 */
	size_t attr_count;
};

/*
 * What is known of an array. Owned by the library; how long it lives is said where it is handed
 * out.
 */
struct sharr_info {
	const char *name;  /* as given by the caller; from sharr_list: the name in the store, with
			      its group in front */
	const char *dtype; /* as in struct sharr_spec */
	const char *dtype_name; /* name of the extension dtype, or "" */
	const int64_t *shape;   /* ndim lengths */
	int ndim;
	int order;   /* 'C' or 'F' */
	int typenum; /* numpy's type number, 20 (void) for what numpy 1 has no number for */
	int foreign; /* 1: written by SharedArray (no creator and no lock are known of it), 0: by
			sharr */
	uint64_t itemsize;    /* bytes of one element, > 0 */
	uint64_t nbytes;      /* bytes of the data */
	uint64_t created_ns;  /* nanoseconds since 1970 UTC; 0 if unknown */
	uint32_t creator_pid; /* as seen in the creator's pid namespace; 0 if unknown */
	uint32_t uid, gid;    /* owner and group of the file */
	uint32_t mode;        /* its permission bits */
	unsigned flags;       /* SHARR_EPHEMERAL or 0 */
	uint64_t inode; /* of the file; together with created_ns it tells an array from one made
			   later under its name */
	uint64_t
		changed_ns; /* when the file was changed otherwise than through a map (ctime), as of
				this call: where created_ns is unknown, what comes nearest to it */
};

/*
 * Create the array `name` as `spec` says, filled with zeros, and attach it. It appears under its
 * name in one step, whole. Its space is reserved unless flags has SHARR_SPARSE: a store that is too
 * full is an error here and never a SIGBUS later, and to write it costs no page faults. flags: SHARR_SPARSE, SHARR_REPLACE,
 * SHARR_EPHEMERAL, and the flags for the way and for huge pages. *ret_array is the caller's, to be
 * freed by sharr_detach.
 *   -EEXIST    the name is taken (by an array or by anything else) and flags lacks SHARR_REPLACE
 *   -EINVAL    dtype, shape or order make no array: bad syntax, a negative length, an element of
 *              no bytes
 *   -ENOTSUP   the dtype holds pointers (object), which mean nothing to another process
 *   -EOVERFLOW the shape has more bytes than a file can have, or than this process has addresses for
 *   -E2BIG     the dtype is so long, or the attributes are, that they do not fit into 64 KiB
 *   -EPERM, -ERANGE, -ENODATA  an attribute that can't be, see sharr_attrs_set
 *   -ENOSPC    the store has too little room: sharr_error() names the store, what was asked and
 *              what is free
 *   -EFBIG     above the size that a file may have here (RLIMIT_FSIZE)
 */
SHARR_PUBLIC int sharr_create(const char *name, const struct sharr_spec *spec, unsigned flags,
			      struct sharr **ret_array);

/*
 * Store a ready array: as sharr_create, but what becomes visible holds the data already, and
 * nothing stays attached. `data` are the spec's nbytes in the spec's order; they are read and stay
 * the caller's. flags: SHARR_REPLACE, the way, huge pages. Errors are those of sharr_create.
 */
SHARR_PUBLIC int sharr_put(const char *name, const struct sharr_spec *spec, const void *data,
			   unsigned flags);

/*
 * Create an array that no one can see yet, to be filled in place: as sharr_create, but the name is
 * taken by sharr_publish only. Detached before, or if the process dies, it is gone (on file systems
 * without nameless files, O_TMPFILE, what a killed process leaves is hidden, and cleared by the
 * next sharr_list). It keeps one descriptor until then.
 */
SHARR_PUBLIC int sharr_prepare(const char *name, const struct sharr_spec *spec, unsigned flags,
			       struct sharr **ret_array);

/*
 * Make a prepared array visible under its name, whole and at once. It stays attached. On an error
 * it stays prepared (through a mount it is gone if another takes its name in the same instant).
 *   -EEXIST    the name has been taken meanwhile, and the flags of sharr_prepare lacked
 *              SHARR_REPLACE
 *   -EINVAL    the array was published already, or was never prepared
 */
SHARR_PUBLIC int sharr_publish(struct sharr *array);

/*
 * Attach the array `name`: map its data into this process, shared with all others. No descriptor is
 * kept, but of ephemeral arrays, to hold them: they are gone (-ENOENT) when nobody does. flags:
 * SHARR_READONLY, which needs permission to read only, and the way. *ret_array is the caller's, to be freed by
 * sharr_detach.
 */
SHARR_PUBLIC int sharr_attach(const char *name, unsigned flags, struct sharr **ret_array);

/*
 * Unmap the array and free the handle; its data pointer is invalid from here on. The array itself
 * lives on. NULL is fine.
 */
SHARR_PUBLIC void sharr_detach(struct sharr *array);

/*
 * The data of an attached array: nbytes bytes, page-aligned, never NULL, valid until sharr_detach.
 */
SHARR_PUBLIC void *sharr_data(const struct sharr *array);

/*
 * Bytes of the array's map, which covers the data and, behind it, what sharr keeps with it; for
 * mlock, msync and the like.
 */
SHARR_PUBLIC size_t sharr_map_bytes(const struct sharr *array);

/* What is known of an attached array; valid until sharr_detach. */
SHARR_PUBLIC const struct sharr_info *sharr_info(const struct sharr *array);

/*
 * What is known of the array `name`, without mapping it. *ret_info is the caller's, to be freed by
 * sharr_info_free.
 */
SHARR_PUBLIC int sharr_stat(const char *name, struct sharr_info **ret_info);

/* Free what sharr_stat gave. NULL is fine. */
SHARR_PUBLIC void sharr_info_free(struct sharr_info *info);

/*
 * Find the processes that map the array `name`, directly or through a mounted sharrfs, this one
 * too: *ret_count is their number, and the first `room` of their pids, as this process's pid
 * namespace numbers them, are in `pids` (which may be NULL if room is 0). Returns how many
 * processes did not let themselves be looked at and may map it as well, as those of other users do
 * unless root asks; 0: that are all.
 *   -ENOSYS    there is no /proc here
 */
SHARR_PUBLIC int sharr_attached(const char *name, uint32_t *pids, size_t room, size_t *ret_count);

/*
 * Copy the array's data into private memory without mapping it: `bytes` at `buffer` must be what
 * sharr_stat tells as nbytes. `dtype`, if not NULL, must be the array's dtype, so that an array
 * made anew with another meaning is not taken for it.
 *   -ERANGE    the array has another size or dtype (now): look again with sharr_stat
 */
SHARR_PUBLIC int sharr_copy(const char *name, const char *dtype, void *buffer, size_t bytes);

/*
 * The same for who does not know the array: it is opened once, `place` is told what it is, as by
 * sharr_stat, and says where its info->nbytes bytes shall go. `info` is valid during that call.
 * What `place` returns instead of 0 ends the copying and is returned.
 *   -ERANGE    the array has become shorter than it says
 */
SHARR_PUBLIC int sharr_copy_to(const char *name,
			       int (*place)(const struct sharr_info *info, void *userdata,
					    void **ret_buffer),
			       void *userdata);

/*
 * Call `fn` for every user attribute of the array `name`; attr is valid during that call. A
 * non-zero return of fn ends it, and is returned.
 */
SHARR_PUBLIC int sharr_attrs_list(const char *name,
				  int (*fn)(const struct sharr_attr *attr, void *userdata),
				  void *userdata);

/*
 * Set and remove user attributes of the array `name`, `count` of them at once: a reader sees all of
 * the changes or none, and so does who comes after a crash. Needs permission to write the array;
 * its times stay if its owner or root does it.
 *   -EBUSY     another process has held the lock on its metadata for a second
 *   -ENODATA   one that was to be removed is not there
 *   -EPERM     a name starts with "sharr."
 *   -ERANGE    a name has no bytes or more than 250
 *   -ENOSPC    they don't fit: all metadata of an array that is changed have to fit into 4096
 *              bytes; or the store is full
 */
SHARR_PUBLIC int sharr_attrs_set(const char *name, const struct sharr_attr *attrs, size_t count);

/*
 * The same two of an attached array, or of one that is prepared: of that array itself, and not of
 * one that has its name by now.
 *   -ESTALE    it was deleted or replaced since
 */
SHARR_PUBLIC int sharr_attrs_list_of(const struct sharr *array,
				     int (*fn)(const struct sharr_attr *attr, void *userdata),
				     void *userdata);
SHARR_PUBLIC int sharr_attrs_set_of(struct sharr *array, const struct sharr_attr *attrs,
				    size_t count);

/*
 * Delete the array `name`. Only arrays are deleted: anything else is -EBADMSG. Who has it attached
 * is not disturbed, and the name is free at once.
 */
SHARR_PUBLIC int sharr_delete(const char *name);

/*
 * Call `fn` for every array of the store's directory `group` (NULL or "": the store itself), in no
 * order; groups are not entered. Files that are no arrays, that vanish meanwhile or that this user
 * may not read are passed over. info is valid during that call. A non-zero return of fn ends the
 * listing, and is returned. The process keeps what was found, some 250 bytes for each of 262,144
 * arrays at most: files that have not changed since, by inode, ctime and size, are not opened again.
 *   -EMFILE    out of descriptors: the listing would have been short, so that it is an error
 */
SHARR_PUBLIC int sharr_list(const char *group,
			    int (*fn)(const struct sharr_info *info, void *userdata),
			    void *userdata);

#define SHARR_DRY_RUN 0x10u      /* only tell what would be done */
#define SHARR_DEAD_CREATOR 0x20u /* not only ephemeral arrays */

/* What sharr_reap did with an array. */
#define SHARR_REAPED 0         /* deleted; with SHARR_DRY_RUN: would be */
#define SHARR_REAP_USED 1      /* kept: a process holds it, maps it or has it open */
#define SHARR_REAP_ALIVE 2     /* kept: its creator lives */
#define SHARR_REAP_UNDECIDED 3 /* kept: it can't be known that nobody needs it */
#define SHARR_REAP_FAILED 4    /* it is nobody's any more, but could not be deleted */

struct sharr_reaped {
	const char *name; /* in the store, with its group in front */
	int outcome;
	const char *why; /* in words, one line */
};

/*
 * Delete what dead processes left in the store's directory `group` (as sharr_list takes it):
 * ephemeral arrays that nobody holds; with SHARR_DEAD_CREATOR also arrays whose creator, a process
 * of this boot and this pid namespace, is gone, and that no process maps, be it directly, through a
 * mount or in another namespace. What is in doubt is kept, as are arrays of other users unless root
 * asks. `fn` is called for each array that was looked at; reaped is valid during that call. A
 * non-zero return of fn ends it, and is returned.
 *   -EOPNOTSUPP  the store can't be seen but through a mount
 *   -ENOSYS      there is no /proc here to tell who maps what
 */
SHARR_PUBLIC int sharr_reap(const char *group, unsigned flags,
			    int (*fn)(const struct sharr_reaped *reaped, void *userdata),
			    void *userdata);

/*
 * Lock the array: one thread of one process at a time has it, whichever way they have attached it.
 * It binds only those who ask for it. timeout_ns: nanoseconds to wait at most, 0 not at all,
 * negative for ever. A child does not inherit it by fork. Who gives it back may take it again
 * before those who wait, but not once one of them has waited for some milliseconds.
 *   -ETIMEDOUT   another thread has it still
 *   -EOWNERDEAD  the thread that had it died (told once, to one caller, within a tenth of a
 *                second): the lock is free again and not yours; look whether the data are half
 *                changed, and call again. One in another pid namespace is never taken for dead.
 *   -EDEADLK     this thread has it already
 *   -EINTR       a signal came: call again, if it is not to end the wait
 *   -EACCES      attached read-only
 *   -ENOTSUP     written by SharedArray, with no room for a lock
 *   -ENODEV      attached read-only through a mount without passthrough, whose maps are its own
 */
SHARR_PUBLIC int sharr_lock(struct sharr *array, int64_t timeout_ns);

/*
 * Give the lock back. -EPERM: this thread does not have it, or somebody wrote over it; -EACCES,
 * -ENOTSUP as above.
 */
SHARR_PUBLIC int sharr_unlock(struct sharr *array);

/*
 * How often sharr_notify has been called for this array, modulo 2^32: what sharr_wait is to be
 * called with. -ENOTSUP, -ENODEV as above.
 */
SHARR_PUBLIC int sharr_event(const struct sharr *array, uint32_t *ret_count);

/* Count the array's event up and wake all who wait for it. Errors -EACCES and -ENOTSUP as above. */
SHARR_PUBLIC int sharr_notify(struct sharr *array);

/*
 * Wait until the event's count is not `seen` any more; it is in *ret_count then. Needs permission
 * to read only. timeout_ns as above. Deleting the array wakes nobody, but who has it attached may
 * still notify. -ETIMEDOUT, -EINTR, -ENOTSUP, -ENODEV as above.
 */
SHARR_PUBLIC int sharr_wait(const struct sharr *array, uint32_t seen, int64_t timeout_ns,
			    uint32_t *ret_count);

/*
 * Mark that this thread starts, and has ended, changing the data, so that sharr_snapshot of others
 * gets them whole. One thread at a time: -EBUSY if another one, which lives, is writing. -EDEADLK:
 * begun already; -EPERM: end without begin; -EACCES, -ENOTSUP as above. If a writer died, the next
 * one takes over, and should write all.
 */
SHARR_PUBLIC int sharr_write_begin(struct sharr *array);
SHARR_PUBLIC int sharr_write_end(struct sharr *array);

/*
 * Copy the data, nbytes, into `buffer` as they are between two writers that mark what they do.
 * -ETIMEDOUT: always somebody was writing; -EOWNERDEAD: a writer died in the middle, and no other
 * has come since; -EINTR, -ENOTSUP, -ENODEV as above.
 */
SHARR_PUBLIC int sharr_snapshot(const struct sharr *array, void *buffer, int64_t timeout_ns);

/*
 * In words, what the last call in this thread that returned a negative errno met: one line, without
 * the name. "" if there is nothing to say beyond strerror. Valid until the next call in this
 * thread.
 */
SHARR_PUBLIC const char *sharr_error(void);

/* The library's version, SHARR_VERSION of its build. */
SHARR_PUBLIC const char *sharr_version(void);

#ifdef __cplusplus
}
#endif

#endif
