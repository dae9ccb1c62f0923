/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room for a new array: refused in words before a page is taken, or taken for good, so that no
 * store into a map is a SIGBUS.
 */
#ifndef SHARR_SPACE_H
#define SHARR_SPACE_H

#include <stdbool.h>
#include <stdint.h>

enum { SPACE_TMPFS_TYPE = 0x01021994 }; /* what statfs calls a tmpfs */

/*
 * Is there room for file_bytes in the file system of `fd`, and may this process write files of that
 * size? where: the directory, for the message only. What is not reserved is not counted. -ENOSPC,
 * -EFBIG, with words.
 */
int space_check(int fd, uint64_t file_bytes, bool reserve, const char *where);

/*
 * Make the file `fd` file_bytes long and reserve its space, as far as it has none yet, if asked to;
 * after space_check. What fallocate and ftruncate give; -ENOSPC and -EDQUOT with words. On an error the file is to be dropped, as some of
 * it may be reserved.
 */
int space_take(int fd, uint64_t file_bytes, bool reserve, const char *where);

/*
 * Hand the result of a write through; -ENOSPC and -EDQUOT, for which space_check saw no reason,
 * with words.
 */
int space_explain(int r, uint64_t file_bytes, const char *where);

#endif
