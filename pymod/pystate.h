/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the module keeps as long as it lives: objects that every call needs and that would cost a
 * look-up each time. All but two dicts and one pointer is set once at import and only read then, so that no lock is
 * needed with or without the GIL.
 */
#ifndef PYMOD_PYSTATE_H
#define PYMOD_PYSTATE_H

#include "python.h"

#include <stdatomic.h>

struct pylist_items;

struct pystate {
	PyObject *owner_type; /* SharedArray.map_owner */
	PyObject *desc_type;  /* SharedArray.ArrayDesc */
	PyObject *info_type;  /* SharedArray.ArrayInfo */
	PyObject *guard_type; /* of lock() and writing() */

	PyObject *ndarray; /* numpy.ndarray */
	PyObject *dtype;   /* numpy.dtype */
	PyObject *asarray; /* numpy.asarray */
	PyObject *copyto;  /* numpy.copyto */

	PyObject *encode; /* SharedArray._dtypes.encode */
	PyObject *decode; /* SharedArray._dtypes.decode */
	/* Dicts, see pydtype.c: entries are added, never replaced or removed. */
	PyObject *dtypes, *encodings;

	PyObject *not_an_array; /* SharedArray.NotAnArrayError */
	PyObject *owner_died;   /* SharedArray.OwnerDiedError */

	/* Interned: names of attributes, and "F". */
	PyObject *str_array_struct, *str_base, *str_c_contiguous, *str_dtype, *str_f;
	PyObject *str_f_contiguous, *str_flags, *str_obj, *str_shape, *str_type, *str_writeable;
	PyObject *zero; /* 0 */

	_Atomic(struct pylist_items *) listed; /* what list() has kept; NULL: nothing */
};

static inline struct pystate *pystate_of(PyObject *module)
{
	return PyModule_GetState(module);
}

/* Fill a state of zeros. -1 with an exception; what is set by then is left to pystate_deinit. */
int pystate_init(struct pystate *state);

/* Drop what it holds; fine on a state of zeros. */
void pystate_deinit(struct pystate *state);

#endif
