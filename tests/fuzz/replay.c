/* SPDX-License-Identifier: BSD-3-Clause */
/* Run a fuzz target on files, each an input: `replay_X FILE…`. */
#include "fuzz.h"

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) < 0) {
		perror(path);
		return 1;
	}
	data = malloc((size_t)size + 1); /* exactly as large, but for size 0: a sanitizer sees each byte too far */
	if (size)
		data = realloc(data, (size_t)size);
	REQUIRE(data && fread(data, 1, (size_t)size, file) == (size_t)size);
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed;
}
