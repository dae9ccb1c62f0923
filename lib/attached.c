/* SPDX-License-Identifier: BSD-3-Clause */
#include "attached.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "ephemeral.h"
#include "error.h"
#include "mountinfo.h"
#include "sharr.h"

enum { MAPS_BUFFER_BYTES = 64 << 10 };

static bool has_device(const struct attached_devices *devices, uint64_t device)
{
	for (int i = 0; i < devices->count; i++)
		if (devices->device[i] == device)
			return true;
	return false;
}

static void add_device(struct attached_devices *devices, uint64_t device)
{
	if (has_device(devices, device))
		return;
	if (devices->count < ATTACHED_DEVICES_MAX)
		devices->device[devices->count++] = device;
	else
		devices->more = true;
}

static uint64_t device_of_path(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_dev : 0;
}

struct family {
	struct attached_devices *devices;
	uint64_t mount_id; /* of the mount that the file was reached by; 0 if unknown */
	uint64_t base;     /* the device of the store */
};

/* The device of what a mounted sharrfs shows; 0 of any other mount, or if it can't be found. */
static uint64_t source_of(const struct mountinfo *mount)
{
	return strcmp(mount->type, "fuse.sharrfs") == 0 ? device_of_path(mount->source) : 0;
}

/* On some file systems, such as btrfs, maps tell the mount's device and not st_dev. */
static int add_own_mount(const struct mountinfo *mount, void *userdata)
{
	struct family *family = userdata;

	if (mount->id == family->mount_id)
		add_device(family->devices, mount->device);
	if (mount->device == family->base && source_of(mount))
		family->base = source_of(mount);
	return 0;
}

static int add_sharrfs(const struct mountinfo *mount, void *userdata)
{
	struct family *family = userdata;

	if (source_of(mount) == family->base)
		add_device(family->devices, mount->device);
	return 0;
}

int attached_devices_of(int fd, struct attached_devices *ret_devices)
{
	struct family family = {.devices = ret_devices, .mount_id = mountinfo_id_of(fd)};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	ret_devices->count = 0;
	ret_devices->more = false;
	family.base = st.st_dev;
	add_device(ret_devices, st.st_dev);
	mountinfo_each(add_own_mount, &family);
	add_device(ret_devices, family.base);
	mountinfo_each(add_sharrfs, &family);
	return 0;
}

/* "7f00-7f10 rw-s 00000000 00:1b 62   /path": false if no file is mapped there. */
static bool parse_map(const char *line, uint64_t *ret_device, uint64_t *ret_ino)
{
	const char *at = line;
	unsigned long major_number, minor_number;
	char *end;

	for (int blanks = 0; blanks < 3; blanks++) {
		at = strchr(at, ' ');
		if (!at)
			return false;
		at++;
	}
	major_number = strtoul(at, &end, 16);
	if (*end != ':')
		return false;
	minor_number = strtoul(end + 1, &end, 16);
	*ret_device = makedev((unsigned)major_number, (unsigned)minor_number);
	*ret_ino = strtoull(end, NULL, 10);
	return *ret_ino != 0;
}

/* 1: it does not let itself be looked at. Negative: what fn returned. */
static int scan_process(uint32_t pid, const struct attached_devices *devices,
			int (*fn)(uint32_t pid, uint64_t ino, void *userdata), void *userdata)
{
	CLEANUP_STREAM FILE *maps = NULL;
	CLEANUP_FREE char *line = NULL;
	char path[32];
	uint64_t device, ino;
	size_t room = 0;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT || errno == ESRCH ? 0 : 1;
	setvbuf(maps, NULL, _IOFBF, MAPS_BUFFER_BYTES);
	while (r == 0 && getline(&line, &room, maps) > 0)
		if (parse_map(line, &device, &ino) && has_device(devices, device))
			r = fn(pid, ino, userdata);
	return r < 0 ? r : 0;
}

/* Does /proc leave out the processes of other users (hidepid=2)? The first one is always there. */
static bool hides_others(void)
{
	return access("/proc/1", F_OK) < 0 && (kill(1, 0) == 0 || errno == EPERM);
}

int attached_scan(const struct attached_devices *devices,
		  int (*fn)(uint32_t pid, uint64_t ino, void *userdata), void *userdata,
		  unsigned *ret_unread)
{
	CLEANUP_DIR DIR *proc = opendir("/proc");
	unsigned unread = (unsigned)hides_others() + (unsigned)devices->more;
	const struct dirent *entry;

	if (!proc)
		return errno == ENOENT ? error_set(-ENOSYS, "there is no /proc here") : -errno;
	for (errno = 0; (entry = readdir(proc)); errno = 0) {
		int r;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		r = scan_process((uint32_t)strtoul(entry->d_name, NULL, 10), devices, fn, userdata);
		if (r < 0)
			return r;
		unread += (unsigned)r;
	}
	if (errno)
		return -errno;
	*ret_unread = unread;
	return 0;
}

struct search {
	uint64_t ino;
	uint32_t *pids;
	size_t room, count;
};

static int note(uint32_t pid, uint64_t ino, void *userdata)
{
	struct search *search = userdata;

	if (ino != search->ino)
		return 0;
	if (search->count < search->room)
		search->pids[search->count] = pid;
	search->count++;
	return ATTACHED_NEXT;
}

int sharr_attached(const char *name, uint32_t *pids, size_t room, size_t *ret_count)
{
	CLEANUP_NAME struct name place;
	struct search search = {.pids = pids, .room = room};
	struct attached_devices devices;
	struct opened opened;
	unsigned unread;
	int r;

	place.at = -1;
	error_clear();
	r = name_find(name, 0, &place);
	if (r == 0)
		r = ephemeral_open(&place, O_RDONLY, &opened);
	if (r < 0)
		return r;
	search.ino = opened.st.st_ino;
	r = attached_devices_of(opened.fd, &devices);
	if (r == 0)
		r = attached_scan(&devices, note, &search, &unread);
	opened_deinit(&opened);
	if (r < 0)
		return r;
	*ret_count = search.count;
	return unread < INT_MAX ? (int)unread : INT_MAX;
}
