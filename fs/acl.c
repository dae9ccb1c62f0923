/* SPDX-License-Identifier: BSD-3-Clause */
#include "acl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "bytes.h"

/*
 * The attribute's value: u32 version, then entries of u16 tag, u16 permissions, u32 id
 * (linux/posix_acl_xattr.h).
 */
enum {
	ACL_HEAD_BYTES = 4,
	ACL_ENTRY_BYTES = 8,
	ACL_BYTES_MAX = 4096,
	ACL_USER = 0x02,
	ACL_GROUP_OBJ = 0x04,
	ACL_GROUP = 0x08,
	ACL_MASK = 0x10,
};

int acl_mode_mask(int fd, uint8_t *ret_mask)
{
	static const char attribute[] = "system.posix_acl_access";
	unsigned char acl[ACL_BYTES_MAX];
	char path[32];
	uint8_t mask = 077;
	bool named = false;
	ssize_t bytes;
	ssize_t at;

	bytes = fgetxattr(fd, attribute, acl, sizeof(acl));
	if (bytes < 0 && errno == EBADF) { /* O_PATH */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		bytes = getxattr(path, attribute, acl, sizeof(acl));
	}
	if (bytes < 0 && errno == ERANGE)
		bytes = 0,
		mask = 0; /* more entries than anybody has: nothing for group and others */
	if (bytes < 0 && errno != ENODATA && errno != ENOTSUP)
		return -errno;
	for (at = ACL_HEAD_BYTES; at + ACL_ENTRY_BYTES <= bytes; at += ACL_ENTRY_BYTES) {
		unsigned tag = bytes_get16(acl + at);
		unsigned bits = bytes_get16(acl + at + 2) & 7;

		/* A named user or group may be among the owning group as well as among the others.
		 */
		if (tag == ACL_GROUP_OBJ)
			mask &= (uint8_t)(bits << 3 | 7);
		else if (tag == ACL_USER || tag == ACL_GROUP)
			mask &= (uint8_t)(bits << 3 | bits);
		/* It bounds the named ones too, to whom the mode's bits of others do not apply. */
		else if (tag == ACL_MASK && named)
			mask &= (uint8_t)(070 | bits);
		named |= tag == ACL_USER || tag == ACL_GROUP;
	}
	*ret_mask = mask;
	return 0;
}
