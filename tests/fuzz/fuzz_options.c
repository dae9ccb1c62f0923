/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of sharrfs: the input are its words, each ended by a zero byte. What is refused is told; what is taken has
 * two directories that lie apart, and hands libfuse no option but those that are known, whatever the names are. Relative
 * names are of a folder that has the directories "m", "mm" and "a,allow_other\".
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "options.h"

static const char *const directories[] = { "m", "mm", "a,allow_other\\" };

enum { WORDS_MAX = 64, DIRECTORIES = sizeof(directories) / sizeof(directories[0]) };

static char folder[4096];

static void remove_folder(void)
{
	if (chdir(folder) < 0)
		return;
	for (size_t i = 0; i < DIRECTORIES; i++)
		rmdir(directories[i]);
	rmdir(folder);
}

static void make_folder(void)
{
	const char *temporary = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/sharr-fuzz-XXXXXX", temporary ? temporary : "/tmp");
	REQUIRE(mkdtemp(folder) && atexit(remove_folder) == 0);
	REQUIRE(chdir(folder) == 0);
	for (size_t i = 0; i < DIRECTORIES; i++)
		REQUIRE(mkdir(directories[i], 0700) == 0);
}

static const char *const known[] = {
	"allow_other", "ro",   "rw",    "suid",  "nosuid",  "dev",     "nodev",           "exec",          "noexec",
	"sync",        "async", "atime", "noatime", "dirsync", "default_permissions", "subtype=sharrfs", NULL,
};

static bool is_known(const char *option)
{
	for (const char *const *one = known; *one; one++)
		if (strcmp(option, *one) == 0)
			return true;
	return false;
}

/* The next option as libfuse reads it: up to a comma, without backslashes. False: there is none. */
static bool next_option(const char **at, char *ret_option)
{
	if (!**at)
		return false;
	for (; **at && **at != ','; (*at)++) {
		if (**at == '\\' && (*at)[1])
			(*at)++;
		*ret_option++ = **at;
	}
	*ret_option = '\0';
	*at += **at == ',';
	return true;
}

static void check_handed_on(const struct options *options)
{
	char option[2 * 4096 + 16];
	int sources = 0;

	for (int i = 1; i < options->mount_args.argc; i++) {
		const char *at = options->mount_args.argv[i];

		if (strcmp(at, "-o") == 0)
			continue;
		at += strncmp(at, "-o", 2) == 0 ? 2 : 0;
		REQUIRE(strlen(at) < sizeof(option));
		while (next_option(&at, option)) {
			if (strncmp(option, "fsname=", 7) == 0) {
				REQUIRE(strcmp(option + 7, options->store) == 0);
				sources++;
			} else {
				REQUIRE(is_known(option));
			}
		}
	}
	REQUIRE(sources == 1);
}

static void check_places(const struct options *options)
{
	size_t bytes = strlen(options->store);

	REQUIRE(options->store[0] == '/' && options->mountpoint[0] == '/' && bytes > 1);
	REQUIRE(strncmp(options->mountpoint, options->store, bytes) != 0 ||
		(options->mountpoint[bytes] != '\0' && options->mountpoint[bytes] != '/'));
}

/* With what it prints in memory. */
static int parse(int argc, char **argv, struct options *options, char **ret_text)
{
	FILE *real_out = stdout, *real_err = stderr;
	size_t bytes;
	FILE *text = open_memstream(ret_text, &bytes);
	int r;

	REQUIRE(text);
	stdout = stderr = text;
	r = options_parse(argc, argv, options);
	stdout = real_out;
	stderr = real_err;
	REQUIRE(fclose(text) == 0);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[WORDS_MAX + 2] = { (char[]){ "sharrfs" } };
	int argc = 1, r, back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *words = malloc(size + 1), *text;
	struct options options;

	REQUIRE(words && back >= 0);
	memcpy(words, data, size);
	words[size] = '\0';
	for (size_t at = 0; at < size && argc <= WORDS_MAX; at += strlen(words + at) + 1)
		argv[argc++] = words + at;
	if (!*folder)
		make_folder();
	REQUIRE(chdir(folder) == 0);
	r = parse(argc, argv, &options, &text);
	REQUIRE(fchdir(back) == 0 && close(back) == 0);
	REQUIRE(r == OPTIONS_MOUNT || r == OPTIONS_DONE || r == -EINVAL || r == -ENODEV);
	REQUIRE((r == OPTIONS_MOUNT) == (*text == '\0'));
	if (r == OPTIONS_MOUNT) {
		check_places(&options);
		check_handed_on(&options);
	}
	options_deinit(&options);
	free(text);
	free(words);
	return 0;
}
