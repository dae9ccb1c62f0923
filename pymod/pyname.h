/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of arrays as Python programs write them: str, bytes, an item of list() or info(), or an
 * os.PathLike, which is a path and so means the file there ("file://" and the path).
 */
#ifndef PYMOD_PYNAME_H
#define PYMOD_PYNAME_H

#include "pystate.h"

struct pyname {
	PyObject *given; /* for OSError.filename: what the caller passed, of a listed item its name;
			    owned */
	PyObject *plain; /* str or bytes; owned */
	PyObject *bytes; /* the same in the file system's encoding; owned */
	const char *text; /* of `bytes`, for libsharr */
};

/* -1 with TypeError or ValueError (a NUL in it); then there is nothing to free. */
int pyname_init(struct pystate *state, PyObject *given, struct pyname *ret_name);

/* Fine on one of zeros. */
void pyname_deinit(struct pyname *name);

#endif
