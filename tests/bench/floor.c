/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that an operation can't do without, and nothing else: `floor OPERATION PATH COUNT` prints nanoseconds for
 * one. What sharr takes beyond this is its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned char sink;
static int64_t untimed_ns; /* what belongs to no operation: tidying up */

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
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

/* Of a file whose size and tail need not be asked for: what is left where each question is a request. */
static void map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	void *address;

	check(fd >= 0, path);
	address = mmap(NULL, 81920, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(address != MAP_FAILED, "mmap");
	close(fd);
	munmap(address, 81920);
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
		int fd = openat(dirfd(dir), entry->d_name,
				O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
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

/* Reserved, and mapped by one call. */
static void fill(const char *path, size_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	double *map;
	int64_t start;

	check(fd >= 0 && fallocate(fd, 0, 0, (off_t)bytes) == 0, path);
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED && madvise(map, bytes, MADV_POPULATE_WRITE) == 0, "mmap");
	for (size_t i = 0; i < bytes / sizeof(*map); i++)
		map[i] = 1.0;
	start = now_ns();
	munmap(map, bytes);
	close(fd);
	unlink(path);
	untimed_ns += now_ns() - start;
}

static void put(const char *path, size_t bytes)
{
	static char *source;
	char *folder = strdup(path), self[64];
	int64_t start;
	int fd;

	if (!source) {
		source = malloc(bytes);
		check(source != NULL, "malloc");
		memset(source, 1, bytes);
	}
	check(folder != NULL, path);
	fd = open(dirname(folder), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	check(fd >= 0 && pwrite(fd, source, bytes, 0) == (ssize_t)bytes, path);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	check(linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0, path);
	start = now_ns();
	unlink(path);
	close(fd);
	free(folder);
	untimed_ns += now_ns() - start;
}

static void futex_wake(uint32_t *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void futex_wait(uint32_t *word, uint32_t seen)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == seen)
		syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

/* There and back, by two words in memory that two processes share. */
static void ping_pong(void)
{
	static uint32_t *words, seen;

	if (!words) {
		words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		check(words != MAP_FAILED, "mmap");
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (uint32_t i = 0;; i++) {
				futex_wait(&words[0], i);
				futex_wake(&words[16]);
			}
		}
	}
	futex_wake(&words[0]);
	futex_wait(&words[16], seen++);
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
	else if (strcmp(operation, "map") == 0)
		map(path);
	else if (strcmp(operation, "fill") == 0)
		fill(path, 1ul << 30);
	else if (strcmp(operation, "put_small") == 0)
		put(path, 80000);
	else if (strcmp(operation, "put_big") == 0)
		put(path, 1ul << 26);
	else if (strcmp(operation, "ping_pong") == 0)
		ping_pong();
	else if (strcmp(operation, "semaphore") == 0)
		semaphore();
	else
		exit(2);
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? atol(argv[3]) : 0;
	int64_t start;

	if (count < 1)
		return 2;
	run(argv[1], argv[2]);
	untimed_ns = 0;
	start = now_ns();
	for (long i = 0; i < count; i++)
		run(argv[1], argv[2]);
	printf("%.1f\n", (double)(now_ns() - start - untimed_ns) / (double)count);
	return 0;
}
