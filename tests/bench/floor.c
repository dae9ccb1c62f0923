/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that an operation can't do without, and nothing else: `floor OPERATION PATH COUNT` prints nanoseconds for
 * one. What sharr takes beyond this is its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned char sink;

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void attach(const char *path, int touch)
{
	char tail[4096];
	struct stat st;
	size_t bytes;
	void *map;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	check(fd >= 0 && fstat(fd, &st) == 0, path);
	bytes = (size_t)st.st_size < sizeof(tail) ? (size_t)st.st_size : sizeof(tail);
	check(pread(fd, tail, bytes, st.st_size - (off_t)bytes) == (ssize_t)bytes, "pread");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "mmap");
	close(fd);
	if (touch)
		sink = *(unsigned char *)map;
	munmap(map, (size_t)st.st_size);
}

static void copy(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buffer;

	check(fd >= 0 && fstat(fd, &st) == 0, path);
	buffer = malloc((size_t)st.st_size);
	check(buffer && pread(fd, buffer, (size_t)st.st_size, 0) == st.st_size, "pread");
	sink = (unsigned char)buffer[0];
	free(buffer);
	close(fd);
}

static void list(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char tail[4096];
	struct stat st;

	check(dir != NULL, path);
	while ((entry = readdir(dir))) {
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		off_t start;

		if (fd < 0)
			continue;
		check(fstat(fd, &st) == 0, "fstat");
		start = st.st_size > (off_t)sizeof(tail) ? st.st_size - (off_t)sizeof(tail) : 0;
		if (S_ISREG(st.st_mode))
			sink = (unsigned char)pread(fd, tail, sizeof(tail), start);
		close(fd);
	}
	closedir(dir);
}

static void create_and_delete(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	void *map;

	check(fd >= 0 && ftruncate(fd, 81920) == 0, path);
	map = mmap(NULL, 81920, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "mmap");
	close(fd);
	munmap(map, 81920);
	unlink(path);
}

/* Of the kind that multiprocessing.Lock is: what a lock costs without Python. */
static void semaphore(void)
{
	static sem_t sem;
	static int made;

	if (!made)
		check(sem_init(&sem, 1, 1) == 0, "sem_init");
	made = 1;
	sem_wait(&sem);
	sem_post(&sem);
}

static void run(const char *operation, const char *path)
{
	if (strcmp(operation, "attach") == 0)
		attach(path, 0);
	else if (strcmp(operation, "touch") == 0)
		attach(path, 1);
	else if (strcmp(operation, "copy") == 0)
		copy(path);
	else if (strcmp(operation, "list") == 0)
		list(path);
	else if (strcmp(operation, "create") == 0)
		create_and_delete(path);
	else if (strcmp(operation, "semaphore") == 0)
		semaphore();
	else
		exit(2);
}

int main(int argc, char **argv)
{
	struct timespec start, end;
	long count = argc == 4 ? atol(argv[3]) : 0;

	if (count < 1)
		return 2;
	run(argv[1], argv[2]);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < count; i++)
		run(argv[1], argv[2]);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.1f\n", ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / (double)count);
	return 0;
}
