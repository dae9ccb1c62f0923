/* SPDX-License-Identifier: BSD-3-Clause */
/* Shapes as Python programs write them: an integer, or a sequence of integers, of any types that
 * have __index__. */
#ifndef PYMOD_PYSHAPE_H
#define PYMOD_PYSHAPE_H

#include "pystate.h"

struct pyshape {
	int64_t lengths[SHARR_NDIM_MAX]; /* each >= 0 */
	int ndim;
};

/* Read one. -1 with TypeError (no integers) or ValueError (negative, too large, too many). */
int pyshape_parse(struct pystate *state, PyObject *object, struct pyshape *ret_shape);

/* Add the lengths of a subarray dtype, a tuple, behind it, as numpy does. */
int pyshape_extend(struct pystate *state, struct pyshape *shape, PyObject *lengths);

/* As a tuple of int. A new reference. */
PyObject *pyshape_tuple(const int64_t *lengths, int ndim);

#endif
