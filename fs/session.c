/* SPDX-License-Identifier: BSD-3-Clause */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "daemon.h"
#include "device.h"
#include "ephemerals.h"
#include "file.h"
#include "fs.h"
#include "linux_calls.h"
#include "ops.h"
#include "options.h"
#include "signals.h"
#include "watch.h"

/*
 * A program that attaches arrays one after the other asks for each name once in 10 ms then, and what
 * is done in the store directly shows soon enough: 50 ms are promised. Attributes outlive the name
 * that they came with, so that no walk finds a name that it may still use and has to ask for them.
 */
static const struct timeouts timeouts_s = {
	.tick = 0.000001,
	.name = 0.01,
	.attributes = 0.03,
	.listed = 1,
	.listed_more = 0.00005,
};

struct session {
	const struct options *options;
	struct fuse_session *fuse;
	int report_fd; /* -1: in the foreground */
	struct signals signals;
	struct fs fs;
};

static int complain(const char *what, const char *about, const char *why)
{
	fprintf(stderr, "sharrfs: %s%s%s: %s\n", what, *about ? " " : "", about, why);
	return EXIT_MOUNT_FAILED;
}

/* A container may have another file in its place, to hide it. */
static bool is_fuse_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(10, 229);
}

/* What a mount as such needs, so that its lack is told in words that help. */
static int check_device(void)
{
	CLEANUP_FD int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && is_fuse_device(fd))
		return 0;
	if (fd >= 0)
		return complain("cannot use", "/dev/fuse",
				"it is not the device of FUSE, which a container has by "
				"--device /dev/fuse; arrays work without a mount");
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return complain("there is no", "/dev/fuse",
				"load the module with 'modprobe fuse'; in a container, start it "
				"with --device /dev/fuse; arrays work without a mount");
	if (errno == EACCES)
		return complain("cannot open", "/dev/fuse",
				"it is closed to this user; as root: chmod 666 /dev/fuse");
	if (errno == EPERM)
		return complain("cannot open", "/dev/fuse",
				"this container may not, unless it is started with "
				"--device /dev/fuse; arrays work without a mount");
	return complain("cannot open", "/dev/fuse", strerror(errno));
}

/* A second mount would hide the first, and take its place when programs unmount. */
static int check_free(const char *mountpoint)
{
	if (getxattr(mountpoint, "user.sharr.version", NULL, 0) >= 0)
		return complain("cannot mount on", mountpoint,
				"a sharrfs is mounted there already: umount it first");
	if (errno == ENOTCONN)
		return complain("cannot mount on", mountpoint,
				"a mount is there whose daemon is gone: umount it first");
	return 0;
}

/*
 * What libfuse and fusermount3 print goes to a file while this lasts, as more than one line and in
 * their own words.
 */
static int capture_begin(int *ret_saved, int *ret_capture)
{
	*ret_capture = memfd_create("messages", MFD_CLOEXEC);
	*ret_saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (*ret_capture < 0 || *ret_saved < 0 || dup2(*ret_capture, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

/* The first line of it, without the name that it begins with. */
static void capture_end(int saved, int capture, char *text, size_t room)
{
	ssize_t count = pread(capture, text, room - 1, 0);
	const char *begin;

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(capture);
	text[count > 0 ? count : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	begin = text;
	if (!strncmp(begin, "fuse: ", 6) || !strncmp(begin, "fusermount3: ", 13))
		begin = strchr(begin, ' ') + 1;
	memmove(text, begin, strlen(begin) + 1);
}

/* What libfuse or fusermount3 say, and what helps; else their own words. */
static const char *why_not_mounted(const char *said)
{
	if (strstr(said, "Operation not permitted"))
		return "the right to mount (CAP_SYS_ADMIN) is missing: a container is started with "
		       "--device /dev/fuse --cap-add SYS_ADMIN for it";
	if (strstr(said, "failed to exec fusermount3"))
		return "who is not root needs fusermount3, of the package fuse3";
	if (strstr(said, "could not determine username"))
		return "fusermount3 serves no user without a name in /etc/passwd";
	return *said ? said : "libfuse gives no reason";
}

static int mount_it(struct session *session)
{
	char text[256];
	int capture = -1;
	int saved = -1;
	int rc = capture_begin(&saved, &capture);

	if (rc < 0)
		return complain("cannot mount", "", strerror(-rc));
	rc = fuse_session_mount(session->fuse, session->options->mountpoint);
	capture_end(saved, capture, text, sizeof(text));
	if (rc == 0)
		return 0;
	return complain("cannot mount on", session->options->mountpoint, why_not_mounted(text));
}

/*
 * INIT, which the kernel has sent already, before anything else: what it offers decides how the
 * mount works.
 */
static int answer_init(struct session *session)
{
	struct fuse_buf buffer = {0};
	int rc = device_attach(&session->fs);

	if (rc == 0)
		rc = fuse_session_receive_buf(session->fuse, &buffer);
	if (rc > 0)
		fuse_session_process_buf(session->fuse, &buffer);
	free(buffer.mem);
	if (rc > 0 && !fuse_session_exited(session->fuse))
		return 0;
	return complain("cannot mount on", session->options->mountpoint,
			"the kernel and libfuse do not agree");
}

static const char *why_no_passthrough(int error)
{
	switch (error) {
	case EPERM:
		return geteuid() == 0 ? "the kernel has it from 6.9 on, with "
					"CONFIG_FUSE_PASSTHROUGH, for the first user namespace"
				      : "it takes root (CAP_SYS_ADMIN)";
	case ELOOP:
		return "the store lies on a stacked file system (overlayfs): choose another";
	case ENOSYS:
		return "this sharrfs is built without it (-Dportable=true)";
	case ENOTTY:
	case EINVAL:
		return "the kernel has it from 6.9 on";
	default:
		return strerror(error);
	}
}

static int choose_io(struct session *session)
{
	int rc = backing_probe(&session->fs.backing, session->fs.root_fd);

	if (rc == 0 || session->options->io != IO_PASSTHROUGH)
		return 0;
	return complain("io=passthrough cannot be had", "", why_no_passthrough(-rc));
}

/* Of the mount, as /proc/PID/maps has it; without a request, as nobody would answer it yet. */
static uint64_t device_of(const char *mountpoint)
{
	struct statx stx;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, STATX_INO, &stx) < 0)
		return 0;
	return makedev(stx.stx_dev_major, stx.stx_dev_minor);
}

static int loop(struct session *session, struct fuse_loop_config *config)
{
	int rc = signals_start(&session->signals, session->fuse);

	if (rc < 0)
		return rc;
	rc = fuse_session_loop_mt(session->fuse, config);
	signals_stop(&session->signals);
	return rc;
}

static int serve(struct session *session)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct ephemerals *ephemerals = NULL;
	int rc;

	if (!config)
		return complain("cannot serve", "", strerror(ENOMEM));
	/* Without it all the same: what dead processes leave is removed by the next who comes. */
	ephemerals_start(&session->fs, &ephemerals);
	/* Without one it serves all the same: nothing is remembered for long then. */
	if (session->fs.timeouts.listed > 0)
		watch_start(&session->fs, &session->fs.watcher);
	if (session->report_fd >= 0)
		daemon_ready(session->report_fd);
	rc = loop(session, config);
	fuse_loop_cfg_destroy(config);
	watch_stop(&session->fs, session->fs.watcher);
	file_close_all(&session->fs);
	ephemerals_stop(ephemerals);
	return rc < 0 ? complain("stopped", "", strerror(-rc)) : EXIT_SUCCESS;
}

static int mounted(struct session *session)
{
	int rc = answer_init(session);

	if (rc == 0)
		rc = choose_io(session);
	if (rc != 0)
		return rc;
	session->fs.mount_device = device_of(session->options->mountpoint);
	rc = caps_drop();
	if (rc < 0)
		return complain("cannot drop capabilities", "", strerror(-rc));
	return serve(session);
}

static int with_fuse(struct session *session)
{
	int rc = mount_it(session);

	if (rc != 0)
		return rc;
	rc = mounted(session);
	fuse_session_unmount(session->fuse);
	return rc;
}

static int with_store(struct session *session, struct fuse_args *args)
{
	int rc = fs_init(&session->fs, session->options->store);

	if (rc < 0)
		return complain("cannot use the store", session->options->store, strerror(-rc));
	if (!session->options->strict)
		session->fs.timeouts = timeouts_s;
	session->fs.backing.wanted = session->options->io != IO_FALLBACK;
	session->fuse = fuse_session_new(args, &ops_table, sizeof(ops_table), &session->fs);
	session->fs.session = session->fuse;
	if (session->fuse) {
		rc = with_fuse(session);
		fuse_session_destroy(session->fuse);
	} else {
		rc = complain("cannot start", "", "libfuse refuses the options");
	}
	fs_deinit(&session->fs);
	return rc;
}

int session_run(struct options *options)
{
	struct session session = {.options = options, .report_fd = -1};
	int rc = check_device();

	if (rc == 0)
		rc = check_free(options->mountpoint);
	if (rc != 0)
		return rc;
	if (!options->foreground) {
		rc = daemon_start(&session.report_fd);
		if (rc < 0)
			return complain("cannot go into the background", "", strerror(-rc));
	}
	signals_block(&session.signals);
	/* A limit that it was started with is EFBIG for clients, and not its end. */
	signal(SIGXFSZ, SIG_IGN);
	umask(0); /* modes come from clients, whose umask the kernel has applied */
	if (chdir("/") < 0)
		return complain("cannot leave", "the working directory", strerror(errno));
	return with_store(&session, &options->mount_args);
}
