/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locals that own something: declared with one of these attributes they let go of it at the end of
 * their scope, whichever way it is left, and errno stays as it was. Who passes the ownership on
 * says so with steal_fd or steal_ptr.
 */
#ifndef SHARR_CLEANUP_H
#define SHARR_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_free(void *pointer_to)
{
	free(*(void **)pointer_to);
}

static inline void cleanup_dir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

static inline void cleanup_stream(FILE **stream)
{
	int saved = errno;

	if (*stream)
		fclose(*stream);
	errno = saved;
}

#define CLEANUP_FD __attribute__((cleanup(cleanup_fd)))
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_DIR __attribute__((cleanup(cleanup_dir)))
#define CLEANUP_STREAM __attribute__((cleanup(cleanup_stream)))

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define steal_ptr(pointer)                                                                         \
	(__extension__({                                                                           \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	}))

#endif
