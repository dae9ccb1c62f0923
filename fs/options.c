/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "sharr.h"

/* What is collected while fuse_opt goes over the arguments. */
struct parsed {
	char *io;
	char *store;
	char *words[2];
	int word_count;
	int strict;
	int foreground;
	int help;
	int version;
};

static const struct fuse_opt templates[] = {
	{"io=%s", offsetof(struct parsed, io), 0},
	{"store=%s", offsetof(struct parsed, store), 0},
	{"strict", offsetof(struct parsed, strict), 1},
	{"-f", offsetof(struct parsed, foreground), 1},
	{"-h", offsetof(struct parsed, help), 1},
	{"--help", offsetof(struct parsed, help), 1},
	{"-V", offsetof(struct parsed, version), 1},
	{"--version", offsetof(struct parsed, version), 1},
	FUSE_OPT_END,
};

/* For the kernel, through libfuse. */
static const char *const mount_options[] = {
	"allow_other", "ro",   "rw",    "suid",  "nosuid",  "dev",     "nodev", "exec",
	"noexec",      "sync", "async", "atime", "noatime", "dirsync", NULL,
};

/* For mount(8), which hands over what stands in fstab, or of no effect on a view of a store. */
static const char *const ignored_options[] = {
	"defaults",    "auto",          "noauto",    "user",
	"nouser",      "users",         "owner",     "group",
	"nofail",      "_netdev",       "relatime",  "norelatime",
	"strictatime", "nostrictatime", "lazytime",  "nolazytime",
	"diratime",    "nodiratime",    "iversion",  "noiversion",
	"mand",        "nomand",        "symfollow", "nosymfollow",
	"silent",      "loud",          "",          "default_permissions",
	NULL,
};

static const char *const ignored_prefixes[] = {"x-", "X-", "user=", "comment=", NULL};

/*
 * What other file systems take, or what comes near an option, and why it is none here. The kernel
 * checks permissions by what the mount shows: an owner or a mode that is not the store's would let
 * in by one path who is kept out by the other.
 */
static const struct refusal {
	const char *option; /* with a value, if it ends with '=' */
	const char *instead;
} refusals[] = {
	{"uid=", "arrays have the owner that they have in the store: change that with chown"},
	{"gid=", "arrays have the group that they have in the store: change that with chgrp"},
	{"umask=", "arrays have the mode that they have in the store, new ones by the umask of who "
		   "creates them: use chmod and umask"},
	{"fmask=", "arrays have the mode that they have in the store: change that with chmod"},
	{"dmask=", "groups have the mode that they have in the store: change that with chmod"},
	{"allow_root", "use allow_other, which lets others in with the permissions of the store"},
	{"remount", "umount and mount again, or 'mount -o remount,bind,ro' for a read-only view"},
	{"io", "use io=auto, io=passthrough or io=fallback"},
	{"store", "use store=DIRECTORY"},
	{"strict=", "use strict alone"},
	{NULL, NULL},
};

static const char help[] =
	"usage: sharrfs [SOURCE] MOUNTPOINT [-f] [-o OPTION[,OPTION...]]\n"
	"\n"
	"Mount a directory in which every shared array of the store SOURCE (/dev/shm) is a file.\n"
	"\n"
	"  -f                   stay in the foreground\n"
	"  -o store=DIR         the store, if SOURCE cannot be it (as in some fstab lines)\n"
	"  -o io=auto           map the arrays' own pages where the kernel can (the default)\n"
	"  -o io=passthrough    or do not mount at all\n"
	"  -o io=fallback       never: maps are copies as of open, writers cannot share them\n"
	"  -o strict            let the kernel cache no names and attributes\n"
	"  -o allow_other       let other users in, with the permissions that the store has\n"
	"  -o ro, rw            read-only or not\n"
	"  -o suid, nosuid, dev, nodev, exec, noexec, sync, async, dirsync, atime, noatime\n"
	"                       as mount(8) has them; what else stands in fstab is passed over\n"
	"  -h, --help           this text\n"
	"  -V, --version        versions of sharrfs and libfuse\n"
	"\n"
	"To unmount: umount MOUNTPOINT, or fusermount3 -u MOUNTPOINT. More: man sharrfs.\n";

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	va_list arguments;

	fputs("sharrfs: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -EINVAL;
}

static bool is_among(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (!strcmp(*list, word))
			return true;
	return false;
}

static bool starts_with_one(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (!strncmp(*list, word, strlen(*list)))
			return true;
	return false;
}

static const struct refusal *find_refusal(const char *argument)
{
	size_t bytes = strcspn(argument, "=");
	const struct refusal *refusal;

	bytes += argument[bytes] == '=';
	for (refusal = refusals; refusal->option; refusal++)
		if (strlen(refusal->option) == bytes && !strncmp(refusal->option, argument, bytes))
			return refusal;
	return NULL;
}

static int refuse(const char *argument)
{
	const struct refusal *refusal = find_refusal(argument);

	if (refusal)
		return complain("'%s' is no option of sharrfs: %s", argument, refusal->instead);
	return complain("unknown option '%s' (see sharrfs --help)", argument);
}

static int take_word(struct parsed *parsed, const char *word)
{
	if (parsed->word_count == 2)
		return complain("too many arguments, from '%s' on (see sharrfs --help)", word);
	parsed->words[parsed->word_count] = strdup(word);
	if (!parsed->words[parsed->word_count++])
		return complain("out of memory");
	return 0;
}

/* fuse_opt's: 1 keeps the argument, 0 drops it, -1 is an error. */
static int process(void *data, const char *argument, int key, struct fuse_args *out)
{
	struct parsed *parsed = data;

	if (key == FUSE_OPT_KEY_NONOPT)
		return take_word(parsed, argument) < 0 ? -1 : 0;
	if (is_among(mount_options, argument))
		return 1;
	if (is_among(ignored_options, argument) || starts_with_one(ignored_prefixes, argument))
		return 0;
	refuse(argument);
	return -1;
}

static int parse_io(const char *word, enum io_mode *ret_io)
{
	if (!word || !strcmp(word, "auto"))
		*ret_io = IO_AUTO;
	else if (!strcmp(word, "passthrough"))
		*ret_io = IO_PASSTHROUGH;
	else if (!strcmp(word, "fallback"))
		*ret_io = IO_FALLBACK;
	else
		return complain("io=%s is not one of io=auto, io=passthrough and io=fallback",
				word);
	return 0;
}

static int complain_of_path(const char *what, const char *path, int error)
{
	if (error == ENOENT)
		complain("the %s %s does not exist: make it with mkdir", what, path);
	else if (error == ENOTCONN)
		complain("the %s %s is a mount whose daemon is gone: umount it first", what, path);
	else if (error == ENOTDIR)
		complain("the %s %s is not a directory", what, path);
	else
		complain("the %s %s cannot be reached: %s", what, path, strerror(error));
	return -ENODEV;
}

static int resolve(const char *what, const char *path, char **ret_path)
{
	CLEANUP_FREE char *resolved = NULL;
	struct stat st;

	if (!*path)
		return complain("the %s has no name: give a directory", what);
	resolved = realpath(path, NULL);
	if (!resolved || stat(resolved, &st) < 0)
		return complain_of_path(what, path, errno);
	if (!S_ISDIR(st.st_mode))
		return complain_of_path(what, path, ENOTDIR);
	*ret_path = steal_ptr(resolved);
	return 0;
}

/* A mount below its own store would be looked into by its own daemon. */
static int check_apart(const struct options *options)
{
	size_t length = strlen(options->store);

	if (strncmp(options->mountpoint, options->store, length))
		return 0;
	if (options->mountpoint[length] && options->mountpoint[length] != '/' && length > 1)
		return 0;
	return complain("the mount point %s lies within the store %s: choose one outside",
			options->mountpoint, options->store);
}

/*
 * The source that df and mount(8) show, as a value for an option string: libfuse and fusermount3
 * take the backslashes off.
 */
static int add_source(struct fuse_args *args, const char *store)
{
	CLEANUP_FREE char *option = malloc(strlen("-ofsname=") + 2 * strlen(store) + 1);
	char *at;

	if (!option)
		return complain("out of memory");
	at = stpcpy(option, "-ofsname=");
	for (; *store; store++) {
		if (*store == ',' || *store == '\\')
			*at++ = '\\';
		*at++ = *store;
	}
	*at = '\0';
	return fuse_opt_add_arg(args, option) < 0 ? complain("out of memory") : 0;
}

static int finish(const struct parsed *parsed, struct options *options)
{
	const char *source = parsed->word_count == 2 ? parsed->words[0] : "/dev/shm";
	int rc;

	if (!parsed->word_count)
		return complain("where to mount? sharrfs [SOURCE] MOUNTPOINT (see sharrfs --help)");
	options->foreground = parsed->foreground;
	options->strict = parsed->strict;
	rc = parse_io(parsed->io, &options->io);
	if (rc == 0)
		rc = resolve("store", parsed->store ? parsed->store : source, &options->store);
	if (rc == 0)
		rc = resolve("mount point", parsed->words[parsed->word_count - 1],
			     &options->mountpoint);
	if (rc == 0)
		rc = check_apart(options);
	if (rc == 0)
		rc = add_source(&options->mount_args, options->store);
	if (rc == 0 &&
	    fuse_opt_add_arg(&options->mount_args, "-osubtype=sharrfs,default_permissions") < 0)
		rc = complain("out of memory");
	return rc;
}

static void print_version(void)
{
	printf("sharrfs %s, libfuse %s\n", SHARR_VERSION, fuse_pkgversion());
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct parsed parsed = {0};
	int rc;

	*ret_options = (struct options){.mount_args = FUSE_ARGS_INIT(argc, argv)};
	if (argc > 1 && !strcmp(argv[argc - 1], "-o"))
		return complain("-o needs an option behind it (see sharrfs --help)");
	rc = fuse_opt_parse(&ret_options->mount_args, &parsed, templates, process) < 0 ? -EINVAL
										       : 0;
	if (rc == 0 && parsed.help) {
		fputs(help, stdout);
		rc = OPTIONS_DONE;
	} else if (rc == 0 && parsed.version) {
		print_version();
		rc = OPTIONS_DONE;
	} else if (rc == 0) {
		rc = finish(&parsed, ret_options);
	}
	free(parsed.io);
	free(parsed.store);
	free(parsed.words[0]);
	free(parsed.words[1]);
	return rc;
}

void options_deinit(struct options *options)
{
	fuse_opt_free_args(&options->mount_args);
	free(options->store);
	free(options->mountpoint);
}
