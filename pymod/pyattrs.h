/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * User attributes as Python programs give them, and the two calls under SharedArray.attrs(). In a
 * file they are bytes, which setfattr and getfattr see as they are: a str is its UTF-8 text.
 */
#ifndef PYMOD_PYATTRS_H
#define PYMOD_PYATTRS_H

#include <stdbool.h>

#include "pystate.h"

/* A mapping, ready for libsharr. */
struct pyattrs {
	PyObject *kept; /* what the pointers lead to, owned */
	struct sharr_attr *attrs;
	size_t count;
};

/*
 * Of a mapping, or of None or NULL: nothing. `removing`: a value may be None. -1 with TypeError or
 * ValueError; then there is nothing to free.
 */
int pyattrs_init(PyObject *mapping, bool removing, struct pyattrs *ret_attrs);

/* Fine on one of zeros. */
void pyattrs_deinit(struct pyattrs *attrs);

/* Of a name or a shared array: all attributes, as a dict of bytes; and changes, None removing. */
PyObject *pyattrs_get(PyObject *module, PyObject *target);
PyObject *pyattrs_set(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
