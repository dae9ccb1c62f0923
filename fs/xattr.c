/* SPDX-License-Identifier: BSD-3-Clause */
#include "xattr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attached.h"
#include "attributes.h"
#include "attrs.h"
#include "bytes.h"
#include "cleanup.h"
#include "client.h"
#include "draft.h"
#include "file.h"
#include "format.h"
#include "fs.h"
#include "mount.h"
#include "reinterpret.h"
#include "sharr.h"
#include "store_at.h"
#include "whole.h"
#include "xattr_change.h"

#define USER "user."
#define PREFIX USER "sharr."

/* As often as format_read_again looks at a file that grows all the time. */
enum { TAIL_TRIES = 8 };

/* What an attribute's value may be made of. */
struct subject {
	struct fs *fs;
	struct inode *inode;
	const struct client *client;
	const struct facts *facts;      /* the file's own */
	int fd;                         /* of an array, for reading */
	const struct format_meta *meta; /* of an array; NULL for the root */
	const char *user_name;          /* of a user attribute that is asked for */
};

struct attribute {
	const char *name;
	bool listed; /* and can be set; the others are told only to who asks by name */
	int (*print)(FILE *out, const struct subject *subject);
};

static int print_npy(FILE *out, const struct subject *subject)
{
	CLEANUP_FREE char *text = NULL;
	int rc = format_npy_text(subject->meta, &text);

	if (rc == 0)
		fputs(text, out);
	return rc;
}

static int print_dtype(FILE *out, const struct subject *subject)
{
	fwrite(subject->meta->descr, 1, subject->meta->descr_bytes, out);
	return 0;
}

static int print_shape(FILE *out, const struct subject *subject)
{
	char text[REINTERPRET_SHAPE_TEXT_MAX];

	reinterpret_shape_text(subject->meta, text);
	fputs(text, out);
	return 0;
}

static int print_order(FILE *out, const struct subject *subject)
{
	fputc(subject->meta->order, out);
	return 0;
}

/* Few have one: it is listed only where there is one. */
static int print_dtype_name(FILE *out, const struct subject *subject)
{
	fputs(subject->meta->dtype_name, out);
	return *subject->meta->dtype_name ? 0 : -ENODATA;
}

static int print_nbytes(FILE *out, const struct subject *subject)
{
	fprintf(out, "%" PRIu64, subject->meta->nbytes);
	return 0;
}

static int print_itemsize(FILE *out, const struct subject *subject)
{
	fprintf(out, "%" PRIu64, subject->meta->itemsize);
	return 0;
}

static int print_uri(FILE *out, const struct subject *subject)
{
	CLEANUP_FREE char *path = NULL;
	int rc = inode_path(&subject->fs->inodes, subject->inode, &path);

	if (rc < 0)
		return rc == -ENOENT ? -ENODATA : rc; /* deleted, but open */
	fprintf(out, "shm://%s", path);
	return 0;
}

/* ISO 8601, UTC, to the nanosecond. */
static int print_created(FILE *out, const struct subject *subject)
{
	uint64_t ns = subject->meta->origin.created_ns;
	time_t seconds = (time_t)(ns / 1000000000);
	char text[32];
	struct tm utc;

	if (!ns || !gmtime_r(&seconds, &utc))
		return -ENODATA;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(out, "%s.%09" PRIu64 "Z", text, ns % 1000000000);
	return 0;
}

static int print_creator(FILE *out, const struct subject *subject)
{
	const struct origin *origin = &subject->meta->origin;

	if (!origin->pid)
		return -ENODATA;
	fprintf(out, "pid=%" PRIu32 " uid=%" PRIu32, origin->pid, origin->uid);
	return 0;
}

struct printing {
	FILE *out;
	const char *comma;
	uint64_t ino;
};

/* The daemon itself, which maps what it answers reads from, is not among them. */
static int print_pid(uint32_t pid, uint64_t ino, void *userdata)
{
	struct printing *printing = userdata;

	if (ino != printing->ino || pid == (uint32_t)getpid())
		return 0;
	fprintf(printing->out, "%s%" PRIu32, printing->comma, pid);
	printing->comma = ",";
	return ATTACHED_NEXT;
}

static int print_attached(FILE *out, const struct subject *subject)
{
	const struct attached_devices devices = {
		.device = {subject->facts->id.dev, subject->fs->mount_device}, .count = 2};
	struct printing printing = {out, "", subject->facts->id.ino};
	unsigned unread;

	return attached_scan(&devices, print_pid, &printing, &unread);
}

static int print_flags(FILE *out, const struct subject *subject)
{
	fprintf(out, "0x%" PRIx32, subject->meta->flags);
	return 0;
}

/*
 * The value of user.sharr.tail: the file's size, and what of its end is no data, `most` bytes of it.
 * -EBADMSG: it holds no tail.
 */
static int read_tail(int fd, uint64_t file_bytes, uint64_t nbytes, uint64_t most, char **ret_value,
		     size_t *ret_bytes)
{
	uint64_t bytes = most < file_bytes - nbytes ? most : file_bytes - nbytes;
	CLEANUP_FREE char *value = malloc(MOUNT_TAIL_HEAD_BYTES + bytes);
	unsigned char *end = (unsigned char *)value + MOUNT_TAIL_HEAD_BYTES;
	struct format_meta meta;
	int rc;

	if (!value)
		return -ENOMEM;
	bytes_put64((unsigned char *)value, file_bytes);
	rc = whole_pread(fd, end, bytes, file_bytes - bytes);
	if (rc == 0)
		rc = format_parse(end, bytes, file_bytes, &meta);
	if (rc < 0)
		return rc == -ENODATA ? -EBADMSG : rc; /* truncated meanwhile */
	format_meta_release(&meta);
	*ret_value = steal_ptr(value);
	*ret_bytes = MOUNT_TAIL_HEAD_BYTES + bytes;
	return 0;
}

/*
 * What is sent has been parsed, all of it from one read. The end moves when the metadata are
 * rewritten, and the tail of before may be gone by the time that it is read: then it is looked at
 * once more, as in format_read_again.
 */
static int get_tail(int fd, uint64_t nbytes, uint64_t most, char **ret_value, size_t *ret_bytes)
{
	off_t before = -1;
	struct stat st;
	int rc = -EBADMSG;
	int i;

	for (i = 0; rc == -EBADMSG && i < TAIL_TRIES; i++) {
		if (fstat(fd, &st) < 0)
			return -errno;
		if (st.st_size <= before || (uint64_t)st.st_size <= nbytes)
			return rc;
		before = st.st_size;
		rc = read_tail(fd, (uint64_t)st.st_size, nbytes, most, ret_value, ret_bytes);
	}
	return rc;
}

/*
 * For libsharr, which reads the metadata of an open array by this one request: the file's size, and
 * its last bytes, the whole tail among them, but none of the data.
 */
static int print_tail(FILE *out, const struct subject *subject)
{
	CLEANUP_FREE char *value = NULL;
	size_t bytes;
	int rc =
		get_tail(subject->fd, subject->meta->nbytes,
			 subject->meta->heap ? FORMAT_TAIL_MAX : FORMAT_PAGE_BYTES, &value, &bytes);

	if (rc == 0)
		fwrite(value, 1, bytes, out);
	return rc == -EBADMSG ? -ENODATA : rc;
}

/*
 * The same for an array that is open, as it is whenever somebody attaches it, by one read. False:
 * it is not, or it has a longer tail, and is to be looked at the long way.
 */
static bool get_tail_at_once(struct fs *fs, struct inode *inode, char **ret_value,
			     size_t *ret_bytes)
{
	struct file *file = file_peek(fs, inode);
	bool whole;

	if (!file)
		return false;
	whole = !draft_is_open(file) && !inode->view &&
		get_tail(file->fd, file->nbytes, FORMAT_PAGE_BYTES, ret_value, ret_bytes) == 0;
	file_release(fs, file);
	return whole;
}

static int print_user(FILE *out, const struct subject *subject)
{
	struct attr attr;
	int rc = attrs_get(subject->meta->attrs, subject->meta->attrs_bytes, subject->user_name,
			   &attr);

	if (rc == 0)
		fwrite(attr.value, 1, attr.value_bytes, out);
	return rc;
}

static const struct attribute user_attribute = {"", true, print_user};

static const struct attribute array_attributes[] = {
	{"npy", true, print_npy},
	{"dtype", true, print_dtype},
	{"shape", true, print_shape},
	{"order", true, print_order},
	{"dtype_name", true, print_dtype_name},
	{"nbytes", false, print_nbytes},
	{"itemsize", false, print_itemsize},
	{"uri", false, print_uri},
	{"created", false, print_created},
	{"creator", false, print_creator},
	{"attached", false, print_attached},
	{"flags", false, print_flags},
	{"tail", false, print_tail},
	{NULL, false, NULL},
};

static int print_version(FILE *out, const struct subject *subject)
{
	fputs(SHARR_VERSION, out);
	return 0;
}

static int print_store(FILE *out, const struct subject *subject)
{
	fputs(subject->fs->store, out);
	return 0;
}

static int print_id(FILE *out, const struct subject *subject)
{
	struct stat st;

	if (fstat(subject->fs->root_fd, &st) < 0)
		return -errno;
	fprintf(out, MOUNT_ID_FORMAT, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return 0;
}

static int print_io(FILE *out, const struct subject *subject)
{
	fputs(subject->fs->backing.active ? "passthrough" : "fallback", out);
	return 0;
}

static int print_reads(FILE *out, const struct subject *subject)
{
	fprintf(out, "%" PRIuFAST64, atomic_load(&subject->fs->counters.reads));
	return 0;
}

static int print_writes(FILE *out, const struct subject *subject)
{
	fprintf(out, "%" PRIuFAST64, atomic_load(&subject->fs->counters.writes));
	return 0;
}

static int print_opens(FILE *out, const struct subject *subject)
{
	fprintf(out, "%" PRIuFAST64, atomic_load(&subject->fs->counters.opens));
	return 0;
}

static const struct attribute root_attributes[] = {
	{"version", false, print_version}, /* the first, and of groups and arrays too: see xattr_get
					    */
	{"store", false, print_store},
	{"id", false, print_id},
	{"io", false, print_io},
	{"reads", false, print_reads},
	{"writes", false, print_writes},
	{"opens", false, print_opens},
	{NULL, false, NULL},
};

static const struct attribute *find(const struct attribute *table, const char *name)
{
	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return NULL;
	for (name += strlen(PREFIX); table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}

/* Names that the kernel takes for user attributes. */
static bool is_user(const char *name)
{
	return !strncmp(name, "user.", strlen("user."));
}

static int print_value(const struct attribute *attribute, const struct subject *subject,
		       char **ret_value, size_t *ret_bytes)
{
	CLEANUP_FREE char *value = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&value, &bytes);
	int rc;

	if (!out)
		return -ENOMEM;
	rc = attribute->print(out, subject);
	if (fclose(out) != 0 && rc == 0)
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	*ret_value = steal_ptr(value);
	*ret_bytes = bytes;
	return 0;
}

/* An array that is open may have been damaged by its owner meanwhile. */
static int read_array(struct subject *subject, const struct attribute *attribute, char **ret_value,
		      size_t *ret_bytes)
{
	CLEANUP_FD int fd = -1;
	struct format_meta meta;
	struct facts facts;
	int rc = store_open_tail(subject->fs, subject->inode, subject->client->thread, &fd, &facts);

	if (rc == 0)
		rc = format_read_again(fd, &facts.st, &meta);
	if (rc < 0)
		return rc == -EBADMSG ? -ENODATA : rc;
	subject->fd = fd;
	subject->facts = &facts;
	subject->meta = &meta;
	rc = print_value(attribute, subject, ret_value, ret_bytes);
	format_meta_release(&meta);
	return rc;
}

/* A use of the inode's file if it is a draft that is not published. */
static struct file *peek_draft(struct fs *fs, struct inode *inode)
{
	struct file *file = file_peek(fs, inode);

	if (file && !draft_is_open(file)) {
		file_release(fs, file);
		file = NULL;
	}
	return file;
}

static int get_of_array(struct subject *subject, const char *name, char **ret_value,
			size_t *ret_bytes)
{
	const struct attribute *attribute = find(array_attributes, name);
	struct file *draft = peek_draft(subject->fs, subject->inode);
	int rc;

	if (draft) {
		rc = draft_get_attribute(draft, name + strlen(USER), ret_value, ret_bytes);
		file_release(subject->fs, draft);
		if (rc != -EAGAIN)
			return rc;
	}
	if (subject->inode->view || (!attribute && !strncmp(name, PREFIX, strlen(PREFIX))))
		return -ENODATA;
	if (!attribute)
		subject->user_name = name + strlen(USER);
	return read_array(subject, attribute ? attribute : &user_attribute, ret_value, ret_bytes);
}

int xattr_get(struct fs *fs, struct inode *inode, const struct client *client, const char *name,
	      char **ret_value, size_t *ret_bytes)
{
	struct subject subject = {.fs = fs, .inode = inode, .client = client};
	const struct attribute *attribute;

	if (!is_user(name))
		return -ENOTSUP;
	if (!strcmp(name, PREFIX "version"))
		return print_value(&root_attributes[0], &subject, ret_value, ret_bytes);
	if (!strcmp(name, MOUNT_TAIL_ATTRIBUTE) &&
	    get_tail_at_once(fs, inode, ret_value, ret_bytes))
		return 0;
	if (!inode->directory)
		return get_of_array(&subject, name, ret_value, ret_bytes);
	attribute = inode->root ? find(root_attributes, name) : NULL;
	return attribute ? print_value(attribute, &subject, ret_value, ret_bytes) : -ENODATA;
}

static int print_names(FILE *out, const struct subject *subject)
{
	const struct attribute *attribute;
	struct attr attr;
	size_t at = 0;

	for (attribute = array_attributes; attribute->name; attribute++)
		if (attribute->listed &&
		    (attribute->print != print_dtype_name || *subject->meta->dtype_name))
			fprintf(out, PREFIX "%s%c", attribute->name, '\0');
	while (attrs_next(subject->meta->attrs, subject->meta->attrs_bytes, &at, &attr))
		fprintf(out, USER "%.*s%c", (int)attr.name_bytes, attr.name, '\0');
	return 0;
}

int xattr_list(struct fs *fs, struct inode *inode, const struct client *client, char **ret_names,
	       size_t *ret_bytes)
{
	static const struct attribute names = {"", false, print_names};
	struct subject subject = {.fs = fs, .inode = inode, .client = client};
	struct file *draft = inode->directory ? NULL : peek_draft(fs, inode);
	int rc;

	if (draft) {
		rc = draft_list_attributes(draft, ret_names, ret_bytes);
		file_release(fs, draft);
		if (rc != -EAGAIN)
			return rc;
	}
	if (!inode->directory && !inode->view)
		return read_array(&subject, &names, ret_names, ret_bytes);
	*ret_names = NULL;
	*ret_bytes = 0;
	return 0;
}

/* May a client set this attribute of an array at all? */
static int check_settable(struct inode *inode, const char *name)
{
	const struct attribute *attribute = find(array_attributes, name);

	if (!is_user(name))
		return -ENOTSUP;
	if (inode->root && find(root_attributes, name))
		return -EPERM;
	if (inode->directory)
		return -ENOTSUP;
	if (!strcmp(name, ATTRIBUTES_CHANGES) && !inode->view)
		return 0;
	if (!strncmp(name, PREFIX, strlen(PREFIX)) &&
	    (inode->view || !attribute || !attribute->listed)) /* an npy file says it itself */
		return -EPERM;
	return 0;
}

int xattr_set(struct fs *fs, struct inode *inode, const struct client *client, const char *name,
	      const char *value, size_t bytes, int flags)
{
	struct file *draft;
	int rc = check_settable(inode, name);

	if (rc < 0)
		return rc;
	draft = peek_draft(fs, inode);
	if (draft) {
		rc = draft_set_attribute(draft, name + strlen(USER), value, bytes, flags);
		file_release(fs, draft);
		if (rc != -EAGAIN)
			return rc;
	}
	if (inode->view)
		return -EPERM;
	return xattr_change(fs, inode, client, name + strlen(USER), value, bytes, flags);
}

int xattr_remove(struct fs *fs, struct inode *inode, const struct client *client, const char *name)
{
	if (is_user(name) && !strncmp(name, PREFIX, strlen(PREFIX)))
		return -EPERM;
	return xattr_set(fs, inode, client, name, NULL, 0, 0);
}
