/* SPDX-License-Identifier: BSD-3-Clause */
#include "client.h"

#include <ctype.h>
#include <dirent.h>
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

static FILE *open_proc(pid_t pid, const char *what)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return fopen(path, "re");
}

pid_t client_process(pid_t thread)
{
	CLEANUP_STREAM FILE *status = thread ? open_proc(thread, "status") : NULL;
	char line[256];
	int process = 0;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	return process;
}

/*
 * A field of /proc/PID/stat, 0 if it can't be read. The command's name, in parentheses, may hold
 * anything: fields are counted from the last one on.
 */
static unsigned long stat_field(pid_t pid, int wanted)
{
	CLEANUP_STREAM FILE *stat = pid ? open_proc(pid, "stat") : NULL;
	char line[1024] = "";
	const char *at;
	int field;

	if (!stat || !fgets(line, sizeof(line), stat))
		return 0;
	at = strrchr(line, ')');
	for (field = 2; at && field < wanted; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoul(at, NULL, 10) : 0;
}

/*
 * The threads of a program that exits are killed too: what ended all of it is in the exit code of
 * the process, the low bits of which are a signal.
 */
bool client_is_killed(pid_t thread)
{
	if (!(stat_field(thread, STAT_FLAGS) & SIGNALED))
		return false;
	return stat_field(client_process(thread), STAT_EXIT_CODE) & 0x7f;
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
		CLEANUP_STREAM FILE *call = open_proc(thread, "syscall");
		char line[256];
		int number = -1;

		if (!call || !fgets(line, sizeof(line), call))
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
static uint64_t device_of_mount(pid_t process, int mount_id)
{
	CLEANUP_STREAM FILE *mounts = open_proc(process, "mountinfo");
	CLEANUP_FREE char *line = NULL;
	unsigned int major_number;
	unsigned int minor_number;
	size_t room = 0;
	int id;

	while (mounts && getline(&line, &room, mounts) > 0)
		if (sscanf(line, "%d %*d %u:%u", &id, &major_number, &minor_number) == 3 &&
		    id == mount_id)
			return makedev(major_number, minor_number);
	return 0;
}

/* By its fdinfo: looking at the file itself would be a request to this daemon. */
static bool is_of(pid_t process, const char *descriptor, uint64_t device, uint64_t ino)
{
	CLEANUP_STREAM FILE *info = NULL;
	unsigned long long found = 0;
	char what[64];
	char line[256];
	int mount_id = -1;

	snprintf(what, sizeof(what), "fdinfo/%.20s", descriptor);
	info = open_proc(process, what);
	while (info && fgets(line, sizeof(line), info)) {
		sscanf(line, "mnt_id: %d", &mount_id);
		sscanf(line, "ino: %llu", &found);
	}
	return found == ino && device_of_mount(process, mount_id) == device;
}

bool client_has_open(pid_t process, uint64_t device, uint64_t ino)
{
	CLEANUP_DIR DIR *descriptors = NULL;
	const struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", process);
	descriptors = opendir(path);
	if (!descriptors)
		return true;
	while ((entry = readdir(descriptors)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    is_of(process, entry->d_name, device, ino))
			return true;
	return false;
}
