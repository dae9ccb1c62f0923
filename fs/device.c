/* SPDX-License-Identifier: BSD-3-Clause */
#include "device.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs.h"
#include "fuse_api.h"

/*
 * Replies are sent from maps of files that others may truncate: the device then says EFAULT, and
 * has already answered the client with EIO. That is no error of the daemon's, which libfuse would
 * print; nor is it one if the kernel does not know (any more) what it is told to forget.
 */
static ssize_t device_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *header = iov[0].iov_base;
	struct fs *fs = userdata;
	ssize_t sent;

	backing_complete_init(&fs->backing, iov, count);
	sent = writev(fd, iov, count);
	if (sent < 0 && (errno == EFAULT || !header->unique))
		return header->len;
	return sent;
}

/*
 * Where threads wait for work: what has to be let go while there is none is let go here. libfuse
 * may cancel a thread in here, which must not hit it with a lock held.
 */
static ssize_t device_read(int fd, void *buffer, size_t bytes, void *userdata)
{
	struct pollfd device = {.fd = fd, .events = POLLIN};
	struct fs *fs = userdata;
	int wait_ms;
	int state;

	do {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		wait_ms = pins_expire(&fs->pins);
		pthread_setcancelstate(state, NULL);
	} while (wait_ms >= 0 && poll(&device, 1, wait_ms) == 0);
	return read(fd, buffer, bytes);
}

int device_attach(struct fs *fs)
{
	const struct fuse_custom_io io = {.writev = device_writev, .read = device_read};
	int fd = fuse_session_fd(fs->session);

	fs->backing.device_fd = fd;
#if SHARRFS_FUSE_API < 317
	return fuse_session_custom_io(fs->session, &io, fd);
#else
	return fuse_session_custom_io(fs->session, &io, sizeof(io), fd);
#endif
}
