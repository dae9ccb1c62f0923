/* SPDX-License-Identifier: BSD-3-Clause */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

static int turn; /* 0: not armed, or over */
static int number;
static const char *last;

void faults_arm(int nth, int error)
{
	turn = nth;
	number = error;
	last = "none";
}

bool faults_disarm(void)
{
	turn = 0;
	return last[0] != 'n' || last[1] != 'o';
}

const char *faults_last(void)
{
	return last;
}

int faults_number(void)
{
	return number;
}

/* Is it this call's turn to fail? Memory runs out with one errno only. */
static bool fails(const char *name)
{
	if (turn == 0 || --turn != 0)
		return false;
	if (strcmp(name, "malloc") == 0 || strcmp(name, "realloc") == 0)
		number = ENOMEM;
	last = name;
	errno = number;
	return true;
}

/* `--wrap=f` leads calls of f here and calls of __real_f to the C library. */
#define WRAP(type, failure, name, parameters, arguments) \
	type __real_##name parameters;                   \
	type __wrap_##name parameters;                   \
	type __wrap_##name parameters                    \
	{                                                \
		return fails(#name) ? failure : __real_##name arguments; \
	}

/* What is not set before it is used is no zero here, but the name of the array that the store has. */
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
	char *memory = fails("malloc") ? NULL : __real_malloc(bytes);

	for (size_t i = 0; memory && i < bytes; i++)
		memory[i] = "old"[i % 4];
	return memory;
}

WRAP(void *, NULL, realloc, (void *old, size_t bytes), (old, bytes))
WRAP(int, -1, fstat64, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, fstatat64, (int dir, const char *path, struct stat *st, int flags), (dir, path, st, flags))
WRAP(int, -1, stat64, (const char *path, struct stat *st), (path, st))
WRAP(int, -1, fstatfs64, (int fd, struct statfs *fs), (fd, fs))
WRAP(int, -1, fallocate64, (int fd, int mode, off_t offset, off_t bytes), (fd, mode, offset, bytes))
WRAP(int, -1, ftruncate64, (int fd, off_t bytes), (fd, bytes))
WRAP(ssize_t, -1, pread64, (int fd, void *buffer, size_t bytes, off_t offset), (fd, buffer, bytes, offset))
WRAP(ssize_t, -1, pwrite64, (int fd, const void *buffer, size_t bytes, off_t offset), (fd, buffer, bytes, offset))
WRAP(ssize_t, -1, read, (int fd, void *buffer, size_t bytes), (fd, buffer, bytes))
WRAP(void *, (void *)-1, mmap64, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
     (at, bytes, protection, flags, fd, offset))
WRAP(int, -1, linkat, (int from_dir, const char *from, int dir, const char *path, int flags),
     (from_dir, from, dir, path, flags))
WRAP(int, -1, renameat, (int from_dir, const char *from, int dir, const char *path), (from_dir, from, dir, path))
WRAP(int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(struct dirent *, NULL, readdir64, (DIR *dir), (dir))

/* Those with a mode that is not always there: none is needed without O_CREAT, so what is taken then does no harm. */
static unsigned mode_of(va_list arguments, int flags)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list arguments;
	unsigned mode;

	va_start(arguments, flags);
	mode = mode_of(arguments, flags);
	va_end(arguments);
	return fails("open64") ? -1 : __real_open64(path, flags, mode);
}

int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...)
{
	va_list arguments;
	unsigned mode;

	va_start(arguments, flags);
	mode = mode_of(arguments, flags);
	va_end(arguments);
	return fails("openat64") ? -1 : __real_openat64(dir, path, flags, mode);
}
