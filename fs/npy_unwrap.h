/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A finished npy file becomes the beginning of an array's file: the data move down to offset 0,
 * where an array has them, and what the header said becomes the draft's attribute user.sharr.npy.
 * In place, when all is there: programs write npy files in any order (a header is written anew when
 * its shape has grown), and a move takes neither the memory of a second file nor, as it only ever
 * reads ahead of where it writes, another place for what it overwrites.
 */
#ifndef SHARRFS_NPY_UNWRAP_H
#define SHARRFS_NPY_UNWRAP_H

#include <sys/stat.h>

struct file;
struct fs;

/*
 * Under the draft's lock. st is the file's, and has its new size then. -EINVAL: it is not one whole
 * npy file, or one of a dtype that can't be shared; the file is as it was.
 */
int npy_unwrap(struct fs *fs, struct file *file, struct stat *st);

#endif
