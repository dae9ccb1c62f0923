/* SPDX-License-Identifier: BSD-3-Clause */
#include "mountinfo.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"

/* Blanks, tabs, newlines and backslashes are written as \ and three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && isdigit((unsigned char)from[1]) &&
		    isdigit((unsigned char)from[2]) && isdigit((unsigned char)from[3])) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /point options… - type source options", which is taken apart in place. */
static bool parse_line(char *line, struct mountinfo *ret_mount)
{
	unsigned int major_number, minor_number;
	char *back = strstr(line, " - "), *source, *rest;
	unsigned long long id;

	if (!back || sscanf(line, "%llu %*u %u:%u", &id, &major_number, &minor_number) != 3)
		return false;
	ret_mount->id = id;
	ret_mount->device = makedev(major_number, minor_number);
	ret_mount->type = strtok_r(back + 3, " \n", &rest);
	ret_mount->source = source = strtok_r(NULL, " \n", &rest);
	ret_mount->options = strtok_r(NULL, " \n", &rest);
	if (!source || !ret_mount->options)
		return false;
	unescape(source);
	return true;
}

int mountinfo_each(int (*fn)(const struct mountinfo *mount, void *userdata), void *userdata)
{
	CLEANUP_STREAM FILE *stream = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	struct mountinfo mount;
	size_t room = 0;
	int r = 0;

	while (r == 0 && stream && getline(&line, &room, stream) > 0)
		if (parse_line(line, &mount))
			r = fn(&mount, userdata);
	return r;
}

uint64_t mountinfo_id_of(int fd)
{
	CLEANUP_STREAM FILE *stream = NULL;
	CLEANUP_FREE char *line = NULL;
	unsigned long long id = 0;
	char path[40];
	size_t room = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	stream = fopen(path, "re");
	while (stream && getline(&line, &room, stream) > 0)
		if (sscanf(line, "mnt_id: %llu", &id) == 1)
			break;
	return id;
}
