/* SPDX-License-Identifier: BSD-3-Clause */
#include "caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * FSETID: a chmod by one who is not in the file's group would drop a directory's setgid bit
 * otherwise.
 */
static const uint64_t kept = 1ull << CAP_SYS_ADMIN | 1ull << CAP_CHOWN | 1ull << CAP_FOWNER |
			     1ull << CAP_FSETID | 1ull << CAP_DAC_OVERRIDE |
			     1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_SYS_PTRACE;

/* By the system call: libcap would be a library more for two of them. */
int caps_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int i;

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t mask = (uint32_t)(kept >> (32 * i));

		data[i].permitted &= mask;
		data[i].effective &= mask;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}
