/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two processes, one array: this one creates it and starts another, which attaches it by its name,
 * works on it under the lock and says so. Build and run it with
 *
 *   cc share.c -o share $(pkg-config --cflags --libs sharr) && ./share
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sharr.h>

#define NAME "example.samples"
#define SECOND INT64_C(1000000000)

/* Every call returns 0 or a negative errno; what it met is told in words, if there is more to say. */
static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "share: %s %s: %s %s\n", what, NAME, strerror(-r), sharr_error());
	exit(1);
}

/* One at a time; if the thread that had the lock died, the next one is told so once. */
static void lock(struct sharr *array)
{
	int r = sharr_lock(array, 10 * SECOND);

	if (r == -EOWNERDEAD) {
		fprintf(stderr, "share: somebody died while changing it\n");
		r = sharr_lock(array, 10 * SECOND);
	}
	check(r, "lock");
}

static int worker(void)
{
	struct sharr *array;
	double *samples;

	check(sharr_attach(NAME, 0, &array), "attach");
	samples = (double *)sharr_data(array);
	lock(array);
	for (int64_t i = 0; i < sharr_info(array)->shape[0]; i++)
		samples[i] = samples[i] * samples[i];
	check(sharr_unlock(array), "unlock");
	check(sharr_notify(array), "notify");
	sharr_detach(array);
	return 0;
}

static struct sharr *create(int64_t length)
{
	struct sharr_attr units;
	struct sharr_spec spec;
	struct sharr *array;

	units.name = "units";
	units.value = "m^2";
	units.bytes = 3;
	memset(&spec, 0, sizeof(spec));
	spec.dtype = "<f8";
	spec.shape = &length;
	spec.ndim = 1;
	spec.attrs = &units;
	spec.attr_count = 1;
	check(sharr_create(NAME, &spec, SHARR_REPLACE, &array), "create");
	return array;
}

static void start_worker(char *program)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(program, program, "worker", (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		check(-errno, "start a worker for");
}

int main(int argc, char **argv)
{
	struct sharr *array;
	uint32_t before, after;
	double *samples, sum = 0;
	int status;

	if (argc > 1 && strcmp(argv[1], "worker") == 0)
		return worker();
	array = create(1000);
	samples = (double *)sharr_data(array);
	for (int i = 0; i < 1000; i++)
		samples[i] = i;
	check(sharr_event(array, &before), "ask for the event of"); /* before anyone can notify */
	start_worker(argv[0]);
	check(sharr_wait(array, before, 10 * SECOND, &after), "wait for");
	lock(array);
	for (int i = 0; i < 1000; i++)
		sum += samples[i];
	check(sharr_unlock(array), "unlock");
	printf("%s: %" PRIu64 " bytes, the sum is %.0f\n", NAME, sharr_info(array)->nbytes, sum);
	sharr_detach(array);
	check(sharr_delete(NAME), "delete");
	return wait(&status) < 0 || status != 0;
}
