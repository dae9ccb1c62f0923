/* SPDX-License-Identifier: BSD-3-Clause */
/* A program that knows nothing of arrays: it maps a file and takes the mean of its bytes. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	struct stat st;
	double sum = 0;
	int fd = open(argv[argc - 1], O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0)
		return perror(argv[argc - 1]), 1;
	const unsigned char *bytes = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return perror("mmap"), 1;
	for (long i = 0; i < st.st_size; i++)
		sum += bytes[i];
	return printf("%ld bytes, mean brightness %.2f\n", (long)st.st_size, sum / st.st_size) < 0;
}
