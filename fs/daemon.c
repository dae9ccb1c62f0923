/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"

/* The child's exit code, if it ends before it has reported. */
static int wait_for(pid_t child, int report_fd)
{
	char ready;
	ssize_t count;
	int status;

	do {
		count = read(report_fd, &ready, 1);
	} while (count < 0 && errno == EINTR);
	if (count == 1)
		return EXIT_SUCCESS;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_MOUNT_FAILED;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	fputs("sharrfs: the daemon died before it served\n", stderr);
	return EXIT_MOUNT_FAILED;
}

int daemon_start(int *ret_report_fd)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return -errno;
	}
	if (child > 0) {
		close(fds[1]);
		_exit(wait_for(child, fds[0]));
	}
	close(fds[0]);
	setsid();
	*ret_report_fd = fds[1];
	return 0;
}

void daemon_ready(int report_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd;

	for (fd = 0; fd <= 2 && null_fd >= 0; fd++)
		dup2(null_fd, fd);
	if (null_fd > 2)
		close(null_fd);
	if (write(report_fd, "", 1) < 0)
		return; /* the parent was killed: the mount serves all the same */
	close(report_fd);
}
