/* SPDX-License-Identifier: BSD-3-Clause */
#include "attached.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "facts.h"

static void close_stream(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

/*
 * A line: address range, permissions, offset, device, inode, path. A map made through the mount has
 * the mount's device.
 */
static bool line_is_of(const char *line, const struct facts *facts, uint64_t mount_device)
{
	unsigned int major_number;
	unsigned int minor_number;
	unsigned long long ino;
	uint64_t device;

	if (sscanf(line, "%*s %*s %*s %x:%x %llu", &major_number, &minor_number, &ino) != 3 ||
	    ino != facts->id.ino)
		return false;
	device = makedev(major_number, minor_number);
	return device == facts->id.dev || device == mount_device;
}

static bool process_maps(const char *pid, const struct facts *facts, uint64_t mount_device)
{
	__attribute__((cleanup(close_stream))) FILE *maps = NULL;
	CLEANUP_FREE char *line = NULL;
	char path[sizeof("/proc//maps") + 16];
	size_t room = 0;

	snprintf(path, sizeof(path), "/proc/%.16s/maps", pid);
	maps = fopen(path, "re");
	while (maps && getline(&line, &room, maps) > 0)
		if (line_is_of(line, facts, mount_device))
			return true;
	return false;
}

int attached_print(FILE *out, const struct facts *facts, uint64_t mount_device)
{
	CLEANUP_DIR DIR *proc = opendir("/proc");
	const struct dirent *entry;
	const char *comma = "";

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid())
			continue;
		if (!process_maps(entry->d_name, facts, mount_device))
			continue;
		fprintf(out, "%s%s", comma, entry->d_name);
		comma = ",";
	}
	return 0;
}
