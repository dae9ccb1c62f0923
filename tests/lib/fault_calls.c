/* SPDX-License-Identifier: BSD-3-Clause */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct faults own;
static struct faults *faults = &own;

void faults_share(struct faults *shared)
{
	faults = shared;
}

void faults_arm(int nth, int number)
{
	faults->number = number;
	faults->reached = 0;
	strcpy(faults->last, "none");
	faults->turn = nth;
}

bool faults_disarm(void)
{
	faults->turn = 0;
	return faults->reached;
}

const char *faults_last(void)
{
	return faults->last;
}

int faults_number(void)
{
	return faults->number;
}

/* Memory runs out with one errno only. */
static bool takes_memory(const char *name)
{
	static const char *const names[] = { "malloc", "realloc", "calloc", "strdup", "aligned_alloc", "open_memstream" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Is it this call's turn to fail? Of several threads' calls one only. */
static bool fails(const char *name)
{
	if (atomic_load(&faults->turn) <= 0 || atomic_fetch_sub(&faults->turn, 1) != 1)
		return false;
	if (takes_memory(name))
		faults->number = ENOMEM;
	strncpy(faults->last, name, sizeof(faults->last) - 1);
	faults->reached = 1;
	errno = faults->number;
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
WRAP(void *, (void *)-1, mmap64, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
     (at, bytes, protection, flags, fd, offset))
WRAP(int, -1, linkat, (int from_dir, const char *from, int dir, const char *path, int flags),
     (from_dir, from, dir, path, flags))
WRAP(int, -1, renameat, (int from_dir, const char *from, int dir, const char *path), (from_dir, from, dir, path))
WRAP(int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(struct dirent *, NULL, readdir64, (DIR *dir), (dir))

WRAP(void *, NULL, calloc, (size_t count, size_t bytes), (count, bytes))
WRAP(void *, NULL, aligned_alloc, (size_t align, size_t bytes), (align, bytes))
WRAP(char *, NULL, strdup, (const char *text), (text))
WRAP(FILE *, NULL, open_memstream, (char **text, size_t *bytes), (text, bytes))
WRAP(FILE *, NULL, fopen64, (const char *path, const char *mode), (path, mode))
WRAP(DIR *, NULL, opendir, (const char *path), (path))
WRAP(int, -1, lstat64, (const char *path, struct stat *st), (path, st))
WRAP(int, -1, statx, (int dir, const char *path, int flags, unsigned mask, struct statx *stx),
     (dir, path, flags, mask, stx))
WRAP(int, -1, fstatvfs64, (int fd, struct statvfs *fs), (fd, fs))
WRAP(off_t, -1, lseek64, (int fd, off_t offset, int whence), (fd, offset, whence))
WRAP(ssize_t, -1, copy_file_range, (int from, off_t *from_at, int to, off_t *to_at, size_t bytes, unsigned flags),
     (from, from_at, to, to_at, bytes, flags))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, fdatasync, (int fd), (fd))
WRAP(int, -1, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
WRAP(int, -1, renameat2, (int from_dir, const char *from, int dir, const char *path, unsigned flags),
     (from_dir, from, dir, path, flags))
WRAP(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, -1, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP(int, -1, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
WRAP(int, -1, fchownat, (int dir, const char *path, uid_t uid, gid_t gid, int flags), (dir, path, uid, gid, flags))
WRAP(int, -1, futimens, (int fd, const struct timespec times[2]), (fd, times))
WRAP(int, -1, utimensat, (int dir, const char *path, const struct timespec times[2], int flags),
     (dir, path, times, flags))
WRAP(ssize_t, -1, getxattr, (const char *path, const char *name, void *value, size_t bytes), (path, name, value, bytes))
WRAP(ssize_t, -1, fgetxattr, (int fd, const char *name, void *value, size_t bytes), (fd, name, value, bytes))
WRAP(int, -1, fsetxattr, (int fd, const char *name, const void *value, size_t bytes, int flags),
     (fd, name, value, bytes, flags))
WRAP(ssize_t, -1, readlink, (const char *path, char *text, size_t bytes), (path, text, bytes))
WRAP(int, -1, inotify_init1, (int flags), (flags))
WRAP(int, -1, eventfd, (unsigned value, int flags), (value, flags))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, -1, inotify_add_watch, (int fd, const char *path, uint32_t events), (fd, path, events))
WRAP(ssize_t, -1, process_vm_readv,
     (pid_t pid, const struct iovec *to, unsigned long to_count, const struct iovec *from, unsigned long count,
      unsigned long flags),
     (pid, to, to_count, from, count, flags))

/* The one that returns its errno. */
int __real_posix_fallocate64(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate64(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate64(int fd, off_t offset, off_t bytes)
{
	return fails("posix_fallocate64") ? faults->number : __real_posix_fallocate64(fd, offset, bytes);
}

/* Of a file: what a daemon reads from its device is not its own call, but its clients'. */
ssize_t __real_read(int fd, void *buffer, size_t bytes);
ssize_t __wrap_read(int fd, void *buffer, size_t bytes);
ssize_t __wrap_read(int fd, void *buffer, size_t bytes)
{
	struct stat st;
	bool device = __real_fstat64(fd, &st) == 0 && S_ISCHR(st.st_mode);

	return !device && fails("read") ? -1 : __real_read(fd, buffer, bytes);
}

/* Those whose last argument is of any type. */
int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (!fails("fcntl64"))
		return __real_fcntl64(fd, command, argument);
	if (faults->number == EACCES) /* of a lock that is: another has it */
		faults->number = errno = ENOLCK;
	return -1;
}

#define FUSE_DEV_IOC_BACKING_CLOSE _IOW(229, 2, uint32_t) /* newer than Debian's header */

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	/* What lets go of a backing file can fail as little as close(). */
	return request != FUSE_DEV_IOC_BACKING_CLOSE && fails("ioctl") ? -1 : __real_ioctl(fd, request, argument);
}

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
