/* SPDX-License-Identifier: BSD-3-Clause */
/* Making arrays, and deleting them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "attrs.h"
#include "cleanup.h"
#include "create.h"
#include "ephemeral.h"
#include "error.h"
#include "huge.h"
#include "map.h"
#include "mount_create.h"
#include "open.h"
#include "sharr.h"
#include "space.h"
#include "whole.h"

enum { LARGE_BYTES = 1 << 20 };

#define HUGE_FLAGS (SHARR_HUGE | SHARR_NO_HUGE)
#define PUT_FLAGS (SHARR_REPLACE | SHARR_VIA_SHM | SHARR_VIA_MOUNT | HUGE_FLAGS)
#define CREATE_FLAGS (PUT_FLAGS | SHARR_SPARSE | SHARR_EPHEMERAL)

static int check_flags(unsigned flags, unsigned known)
{
	return flags & ~known || (flags & HUGE_FLAGS) == HUGE_FLAGS ? -EINVAL : 0;
}

static void draft_free(struct array_draft **draft)
{
	if (!*draft)
		return;
	staging_close(&(*draft)->staging);
	name_deinit(&(*draft)->name);
	free(*draft);
}

static void meta_release(struct format_meta *meta)
{
	format_meta_release(meta);
}

#define CLEANUP_DRAFT __attribute__((cleanup(draft_free)))
#define CLEANUP_META __attribute__((cleanup(meta_release)))

/* *ret_block: the user attributes as they lie in the tail, for the caller to free after the meta.
 */
static int describe(const struct sharr_spec *spec, struct format_meta *ret_meta,
		    unsigned char **ret_block)
{
	int r;

	if (!spec->dtype || (spec->ndim > 0 && !spec->shape) ||
	    (spec->attr_count && !spec->attrs) || spec->mode > 0777)
		return -EINVAL;
	if (spec->order && spec->order != 'C' && spec->order != 'F')
		return -EINVAL;
	if (spec->dtype_name && !format_is_dtype_name(spec->dtype_name, strlen(spec->dtype_name)))
		return error_set(-EINVAL,
				 "the name of a dtype is like 'ml_dtypes.bfloat16', of letters, "
				 "digits, '_' and '.', and has at most %d bytes",
				 FORMAT_DTYPE_NAME_MAX - 1);
	r = format_describe(spec->dtype, strlen(spec->dtype),
			    (char)(spec->order ? spec->order : 'C'), spec->ndim, spec->shape,
			    ret_meta);
	if (r < 0)
		return r;
	if (spec->dtype_name)
		strcpy(ret_meta->dtype_name, spec->dtype_name);
	origin_now(&ret_meta->origin);
	r = attrs_change_all(NULL, 0, spec->attrs, spec->attr_count, ret_block,
			     &ret_meta->attrs_bytes);
	ret_meta->attrs = *ret_block;
	return r < 0 ? r : map_check(format_map_bytes(ret_meta));
}

static bool is_taken(const struct name *name)
{
	struct stat st;

	return fstatat(name->at, name->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !ephemeral_clear(name);
}

/* With `data` space is taken by writing them. */
static int fill_data(int fd, uint64_t file_bytes, const void *data, uint64_t nbytes, unsigned flags,
		     const char *where)
{
	bool reserve = !(flags & SHARR_SPARSE);
	int r = space_check(fd, file_bytes, reserve, where);

	if (r < 0)
		return r;
	if (reserve && huge_is_wanted(fd, file_bytes, flags))
		huge_populate(fd, file_bytes);
	if (data)
		return space_explain(whole_pwrite(fd, data, (size_t)nbytes, 0), file_bytes, where);
	return space_take(fd, file_bytes, reserve, where);
}

static int fill_directly(int fd, const struct format_meta *meta, const void *data, unsigned flags,
			 const char *where)
{
	CLEANUP_FREE unsigned char *tail = NULL;
	uint64_t offset = format_block_offset(meta->nbytes);
	size_t tail_bytes;
	int r = format_compose(meta, &tail, &tail_bytes);

	if (r == 0)
		r = fill_data(fd, offset + tail_bytes, data, meta->nbytes, flags, where);
	return r < 0 ? r
		     : space_explain(whole_pwrite(fd, tail, tail_bytes, offset),
				     offset + tail_bytes, where);
}

/* Give the empty file its size, its data and its metadata. */
static int fill(const struct array_draft *draft, const struct sharr_spec *spec,
		const struct format_meta *meta, const void *data, unsigned flags)
{
	const char *where = name_where(&draft->name);

	if (draft->in_mount)
		return mount_fill(draft->staging.fd, spec, meta, data, !(flags & SHARR_SPARSE),
				  where);
	return fill_directly(draft->staging.fd, meta, data, flags, where);
}

/* In a sticky directory, as /dev/shm is, who may write it may not yet take names of others away. */
static int explain_removal(const struct name *name, int r)
{
	struct stat st;

	if (r == -EPERM && fstatat(name->at, name->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(r,
				 "in %s only uid %u, whose array it is, deletes or replaces it; "
				 "this process is uid %u",
				 name_where(name), st.st_uid, geteuid());
	return name_explain(name, false, r);
}

/* Through a mount a name alone is not enough: the daemon publishes what is closed under it. */
static int draft_publish(struct array_draft *draft)
{
	int r;

	do {
		r = staging_publish(&draft->staging, &draft->name, draft->replace);
	} while (r == -EEXIST && ephemeral_clear(&draft->name));
	if (r == 0 && draft->in_mount)
		r = close(steal_fd(&draft->staging.fd)) < 0 ? -errno : 0;
	return explain_removal(&draft->name, r);
}

/* A file in the making that holds the whole array; it is published at once, or later. */
static int draft_new(const char *name, const struct sharr_spec *spec, struct format_meta *meta,
		     const void *data, unsigned flags, bool later, struct array_draft **ret_draft)
{
	CLEANUP_DRAFT struct array_draft *draft = malloc(sizeof(*draft));
	struct stat st;
	int r;

	if (!draft)
		return -ENOMEM;
	draft->staging.fd = -1;
	draft->staging.hidden[0] = '\0';
	draft->replace = flags & SHARR_REPLACE;
	r = name_init(name, flags, &draft->name);
	if (r == 0)
		r = mount_has(&draft->name);
	draft->in_mount = r > 0;
	r = r > 0 ? 0 : r;
	if (draft->in_mount && flags & SHARR_EPHEMERAL)
		r = error_set(-EOPNOTSUPP, "through a mount arrays are not ephemeral");
	/* Before space is taken or data are made, which may be a lot of work. */
	if (r == 0 && (later || meta->nbytes >= LARGE_BYTES) && !draft->replace &&
	    is_taken(&draft->name))
		r = -EEXIST;
	if (r == 0)
		r = staging_open(&draft->name, spec->mode, &draft->staging);
	if (r == 0 && flags & SHARR_EPHEMERAL)
		r = fstat(draft->staging.fd, &st) < 0 ? -errno : 0;
	if (r == 0)
		meta->inode = flags & SHARR_EPHEMERAL ? st.st_ino : 0;
	if (r == 0) {
		r = fill(draft, spec, meta, data, flags);
		/* Who asks for a name that is taken is told so, whether there is room or not. */
		if (r < 0 && !draft->replace && is_taken(&draft->name))
			r = -EEXIST;
	}
	if (r < 0)
		return r;
	*ret_draft = steal_ptr(draft);
	return 0;
}

static int prepare(const char *name, const struct sharr_spec *spec, unsigned flags, bool later,
		   struct sharr **ret_array)
{
	CLEANUP_FREE unsigned char *attrs = NULL;
	CLEANUP_META struct format_meta meta;
	CLEANUP_DRAFT struct array_draft *draft = NULL;
	struct sharr *array;
	struct stat st;
	int r;

	format_meta_init(&meta);
	error_clear();
	r = check_flags(flags, CREATE_FLAGS);
	if (r < 0)
		return r;
	r = describe(spec, &meta, &attrs);
	meta.flags = flags & SHARR_EPHEMERAL ? EPHEMERAL_FLAG : 0;
	if (r == 0)
		r = draft_new(name, spec, &meta, NULL, flags, later, &draft);
	if (r == 0 && flags & SHARR_EPHEMERAL)
		r = ephemeral_hold(draft->staging.fd);
	if (r == 0 && fstat(draft->staging.fd, &st) < 0)
		r = -errno;
	if (r == 0)
		r = array_new(name, draft->staging.fd, &st, &meta, false, &array);
	if (r < 0)
		return r;
	if (!(flags & SHARR_SPARSE) && !draft->in_mount)
		map_populate(array->data, array->map_bytes);
	else if (flags & SHARR_SPARSE && huge_is_wanted(draft->staging.fd, array->map_bytes, flags))
		huge_advise(array->data, array->map_bytes);
	array->draft = steal_ptr(draft);
	array->draft->ephemeral = flags & SHARR_EPHEMERAL;
	*ret_array = array;
	return 0;
}

int sharr_prepare(const char *name, const struct sharr_spec *spec, unsigned flags,
		  struct sharr **ret_array)
{
	return prepare(name, spec, flags, true, ret_array);
}

int sharr_publish(struct sharr *array)
{
	int r;

	error_clear();
	if (!array->draft)
		return -EINVAL;
	r = draft_publish(array->draft);
	if (r < 0)
		return r;
	if (array->draft->in_mount)
		mount_refresh(&array->draft->name, &array->info);
	if (array->draft->ephemeral)
		array->hold_fd = steal_fd(&array->draft->staging.fd);
	draft_free(&array->draft);
	array->draft = NULL;
	return 0;
}

int sharr_create(const char *name, const struct sharr_spec *spec, unsigned flags,
		 struct sharr **ret_array)
{
	struct sharr *array;
	int r = prepare(name, spec, flags, false, &array);

	if (r < 0)
		return r;
	r = sharr_publish(array);
	if (r < 0) {
		sharr_detach(array);
		return r;
	}
	*ret_array = array;
	return 0;
}

static bool is_leftover(const struct name *name)
{
	struct opened opened;
	bool leftover;

	if (open_array_at(name->at, name->path, O_RDONLY, name->in_mount, &opened) < 0)
		return false;
	leftover = ephemeral_is(&opened) && !ephemeral_is_held(opened.fd);
	opened_deinit(&opened);
	return leftover;
}

int create_explain_taken(const char *name, unsigned flags)
{
	CLEANUP_NAME struct name place;
	struct stat st;

	error_clear();
	if (name_init(name, flags, &place) < 0)
		return -EEXIST;
	if (fstatat(place.at, place.path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && mount_has(&place) > 0
			       ? error_set(-EEXIST, "the store behind the mount has a file of that "
						    "name that is no array, which the mount hides")
			       : -EEXIST;
	if (S_ISLNK(st.st_mode))
		return error_set(-EEXIST, "a symlink that leads nowhere has that name");
	if (is_leftover(&place))
		return error_set(-EEXIST,
				 "an ephemeral array of uid %u that nobody holds any more has that "
				 "name, and this process (uid %u) may not delete it",
				 st.st_uid, geteuid());
	return -EEXIST; /* it comes and goes all the time */
}

int sharr_put(const char *name, const struct sharr_spec *spec, const void *data, unsigned flags)
{
	CLEANUP_FREE unsigned char *attrs = NULL;
	CLEANUP_META struct format_meta meta;
	CLEANUP_DRAFT struct array_draft *draft = NULL;
	int r;

	format_meta_init(&meta);
	error_clear();
	r = check_flags(flags, PUT_FLAGS);
	if (r < 0)
		return r;
	r = describe(spec, &meta, &attrs);
	if (r == 0 && !data && meta.nbytes)
		r = -EINVAL;
	if (r == 0)
		r = draft_new(name, spec, &meta, data ? data : "", flags, false, &draft);
	if (r < 0)
		return r;
	return draft_publish(draft);
}

int sharr_delete(const char *name)
{
	CLEANUP_NAME struct name place;
	struct opened opened;
	int r;

	place.at = -1;
	error_clear();
	r = name_find(name, 0, &place);
	if (r < 0)
		return r;
	place.nofollow = true; /* a symlink to an array is no array: only what the name itself holds
				  is deleted */
	r = ephemeral_open(&place, O_RDONLY, &opened);
	if (r < 0)
		return r;
	opened_deinit(&opened);
	r = unlinkat(place.at, place.path, 0) < 0 ? -errno : 0;
	return explain_removal(&place, r);
}
