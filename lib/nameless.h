/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files without a name, that get one when they are whole. nameless.c has those of Linux
 * (O_TMPFILE), which some of its file systems lack; with nameless_portable.c none has them.
 */
#ifndef SHARR_NAMELESS_H
#define SHARR_NAMELESS_H

/*
 * An empty one in the directory `dir`, relative to at: a descriptor to read and write by.
 * -EOPNOTSUPP: there are none.
 */
int nameless_open(int at, const char *dir);

/* Give one its name. -EEXIST: that is taken. */
int nameless_link(int fd, int at, const char *path);

#endif
