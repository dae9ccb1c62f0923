/* SPDX-License-Identifier: BSD-3-Clause */
#include "client.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

enum {
	SIGNALED = 0x400, /* PF_SIGNALED of the flags in /proc/PID/stat */
	STAT_FLAGS = 9,
	STAT_EXIT_CODE = 52,
};

/*
 * Of a process that is gone, or that this daemon may not look at, *ret_file is NULL: nothing is known
 * of it. What the daemon itself lacks is an error, as the answer would be another with it.
 */
static int open_proc(pid_t pid, const char *what, FILE **ret_file)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	file = fopen(path, "re");
	if (!file && errno != ENOENT && errno != ESRCH && errno != EACCES && errno != EPERM)
		return -errno;
	*ret_file = file;
	return 0;
}

int client_process(pid_t thread, pid_t *ret_process)
{
	CLEANUP_STREAM FILE *status = NULL;
	char line[256];
	int process = 0;
	int rc = thread ? open_proc(thread, "status", &status) : 0;

	if (rc < 0)
		return rc;
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	*ret_process = process;
	return 0;
}

/*
 * A field of /proc/PID/stat, 0 if it is not known. The command's name, in parentheses, may hold
 * anything: fields are counted from the last one on.
 */
static int stat_field(pid_t pid, int wanted, unsigned long *ret_value)
{
	CLEANUP_STREAM FILE *stat = NULL;
	char line[1024] = "";
	const char *at = NULL;
	int rc = pid ? open_proc(pid, "stat", &stat) : 0;
	int field;

	if (rc < 0)
		return rc;
	if (stat && fgets(line, sizeof(line), stat))
		at = strrchr(line, ')');
	for (field = 2; at && field < wanted; field++)
		at = strchr(at + 1, ' ');
	*ret_value = at ? strtoul(at, NULL, 10) : 0;
	return 0;
}

/*
 * The threads of a program that exits are killed too: what ended all of it is in the exit code of
 * the process, the low bits of which are a signal.
 */
int client_is_killed(pid_t thread)
{
	unsigned long value;
	pid_t process;
	int rc = stat_field(thread, STAT_FLAGS, &value);

	if (rc < 0 || !(value & SIGNALED))
		return rc;
	rc = client_process(thread, &process);
	if (rc == 0)
		rc = stat_field(process, STAT_EXIT_CODE, &value);
	return rc < 0 ? rc : (value & 0x7f) != 0;
}

/* The system calls that attributes are the end of. */
static const int looking[] = {
#ifdef SYS_stat
	SYS_stat,
#endif
#ifdef SYS_lstat
	SYS_lstat,
#endif
#ifdef SYS_fstat
	SYS_fstat,
#endif
#ifdef SYS_newfstatat
	SYS_newfstatat,
#endif
#ifdef SYS_fstatat64
	SYS_fstatat64,
#endif
#ifdef SYS_access
	SYS_access,
#endif
	SYS_faccessat,  SYS_faccessat2, SYS_statx,
};

/*
 * In which system call the thread waits for this daemon's answer; -1: it can't be known. On a busy
 * machine it may take its time to fall asleep after it has asked.
 */
static int call_of(pid_t thread)
{
	const struct timespec pause = {.tv_nsec = 200 * 1000};
	int tries;

	for (tries = 0; tries < 100; tries++) {
		CLEANUP_STREAM FILE *call = NULL;
		char line[256];
		int number = -1;

		if (open_proc(thread, "syscall", &call) < 0 || !call ||
		    !fgets(line, sizeof(line), call))
			return -1;
		if (sscanf(line, "%d", &number) == 1)
			return number;
		nanosleep(&pause, NULL); /* "running" */
	}
	return -1;
}

bool client_will_act(pid_t thread)
{
	int number = thread ? call_of(thread) : -1;

	if (number < 0)
		return false;
	for (size_t i = 0; i < sizeof(looking) / sizeof(looking[0]); i++)
		if (number == looking[i])
			return false;
	return true;
}

int client_surely_may(const struct client *client, const struct stat *st)
{
	mode_t mode = st->st_mode;

	if (client->uid == 0)
		return R_OK | W_OK | X_OK;
	if (client->uid == st->st_uid)
		return (int)(mode >> 6 & 7);
	if (client->gid == st->st_gid)
		return (int)(mode >> 3 & 7);
	return (int)(mode & mode >> 3 & 7);
}

/* A mount's device by its id in the process's own mount namespace; 0: it has none such. */
static int device_of_mount(pid_t process, int mount_id, uint64_t *ret_device)
{
	CLEANUP_STREAM FILE *mounts = NULL;
	CLEANUP_FREE char *line = NULL;
	unsigned int major_number;
	unsigned int minor_number;
	size_t room = 0;
	int rc = open_proc(process, "mountinfo", &mounts);
	int id;

	if (rc < 0)
		return rc;
	*ret_device = 0;
	while (mounts && getline(&line, &room, mounts) > 0)
		if (sscanf(line, "%d %*d %u:%u", &id, &major_number, &minor_number) == 3 &&
		    id == mount_id) {
			*ret_device = makedev(major_number, minor_number);
			return 0;
		}
	return mounts && ferror(mounts) ? -EIO : 0;
}

/* For a descriptor of a file, among those of a process. */
struct search {
	pid_t process;
	uint64_t device;
	uint64_t ino;
	int budget;
	int mount_id; /* -1, or a mount of which it is known: */
	uint64_t mount_device;
};

/*
 * A search holds a thread that serves others too: of a million descriptors, or mounts, for seconds.
 * Programs have some dozens.
 */
enum {
	BUDGET = 4096,         /* in descriptors */
	COST_OF_MOUNTS = 1024, /* of reading the list of them */
};

/* Is it of the device? 1, 0 or a negative errno. */
static int is_on_device(struct search *search, int mount_id)
{
	int rc = 0;

	if (mount_id != search->mount_id) {
		search->budget -= COST_OF_MOUNTS;
		rc = device_of_mount(search->process, mount_id, &search->mount_device);
		search->mount_id = rc < 0 ? -1 : mount_id;
	}
	return rc < 0 ? rc : search->mount_device == search->device;
}

/*
 * Sockets and the like have no path, and some of them, as those of epoll, a long fdinfo. What can't
 * be read may be anything.
 */
static bool may_be_file(pid_t process, const char *descriptor)
{
	char path[64];
	char start;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", process, descriptor);
	return readlink(path, &start, 1) != 1 || start == '/';
}

/*
 * By its fdinfo: looking at the file itself would be a request to this daemon. 1, 0 or a negative
 * errno.
 */
static int is_of(struct search *search, const char *descriptor)
{
	CLEANUP_STREAM FILE *info = NULL;
	unsigned long long found = 0;
	char what[64];
	char line[256];
	int mount_id = -1;
	int rc;

	if (!may_be_file(search->process, descriptor))
		return 0;
	snprintf(what, sizeof(what), "fdinfo/%.20s", descriptor);
	rc = open_proc(search->process, what, &info);
	while (info && fgets(line, sizeof(line), info)) {
		sscanf(line, "mnt_id: %d", &mount_id);
		if (sscanf(line, "ino: %llu", &found) == 1) /* behind the mount's */
			break;
	}
	return rc < 0 || found != search->ino ? rc : is_on_device(search, mount_id);
}

bool client_has_open(pid_t process, uint64_t device, uint64_t ino)
{
	struct search search = {process, device, ino, .budget = BUDGET, .mount_id = -1};
	CLEANUP_DIR DIR *descriptors = NULL;
	const struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", process);
	descriptors = opendir(path);
	if (!descriptors)
		return true;
	errno = 0;
	while ((entry = readdir(descriptors))) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    (--search.budget < 0 || is_of(&search, entry->d_name) != 0))
			return true;
		errno = 0;
	}
	return errno != 0;
}
