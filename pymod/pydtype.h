/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numpy dtypes and their text in an npy header. What text means is asked of numpy once
 * (SharedArray/_dtypes.py) and kept, since attach has to be fast; what a dtype's text is, is asked
 * each time.
 */
#ifndef PYMOD_PYDTYPE_H
#define PYMOD_PYDTYPE_H

#include "pystate.h"

/* A dtype as libsharr takes it. The references are owned. */
struct pydtype_text {
	PyObject *descr_bytes;
	PyObject *name_bytes; /* of an extension dtype, or empty */
	PyObject *
		subshape; /* tuple: of a subarray dtype the lengths that extend the array's shape */
	const char *descr; /* of descr_bytes */
	const char *name;  /* of name_bytes, NULL if that is empty */
};

/* The text of anything that numpy.dtype() takes. -1 with TypeError or ValueError; then there is
 * nothing to free. */
int pydtype_encode(struct pystate *state, PyObject *object, struct pydtype_text *ret_text);

/* Fine on one of zeros. */
void pydtype_text_deinit(struct pydtype_text *text);

/* The numpy dtype of an array, as its text says; void where numpy can't tell. A new reference. */
PyObject *pydtype_decode(struct pystate *state, const char *descr, const char *name,
			 uint64_t itemsize);

/* The dtype that arrays are to have: as pydtype_decode, but SHARR_STRUCTURED=void turns fields into
 * void. A new reference. */
PyObject *pydtype_of_array(struct pystate *state, const struct sharr_info *info);

#endif
