/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which processes map the files of a directory, as /proc/PID/maps tells it at one moment: by device
 * and inode number. A map that was made through a mounted sharrfs shows the mount's device, and the
 * inode number of the file in the store.
 */
#ifndef SHARR_ATTACHED_H
#define SHARR_ATTACHED_H

#include <stdbool.h>
#include <stdint.h>

enum { ATTACHED_DEVICES_MAX = 64 };

/* The devices, as in st_dev, under which the files of one directory may appear. */
struct attached_devices {
	uint64_t device[ATTACHED_DEVICES_MAX];
	int count;
	bool more; /* there are others, for which there was no room */
};

/*
 * Those of the directory, or the file, that `fd` is open on (O_PATH will do): its own, and that of
 * every sharrfs that shows the same files. Looks at the sources of mounts, so nothing for a daemon
 * that serves one.
 */
int attached_devices_of(int fd, struct attached_devices *ret_devices);

/* What a callback of attached_scan returns to hear no more of this process. */
enum { ATTACHED_NEXT = 1 };

/*
 * Call `fn` for every map of a file on one of the devices: more than once for a process that maps
 * one file twice. A negative return of fn ends the scan, and is returned. *ret_unread: how many
 * processes did not let themselves be looked at, and may map anything. -ENOSYS: there is no /proc.
 */
int attached_scan(const struct attached_devices *devices,
		  int (*fn)(uint32_t pid, uint64_t ino, void *userdata), void *userdata,
		  unsigned *ret_unread);

#endif
