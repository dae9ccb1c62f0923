/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arguments by position and by keyword. METH_FASTCALL is outside the stable ABI before 3.10, and
 * PyArg_ParseTupleAndKeywords compares every keyword on every call: so tuple and dict are walked
 * here.
 */
#ifndef PYMOD_PYARGS_H
#define PYMOD_PYARGS_H

#include "python.h"

enum { PYARGS_MAX = 12 };

struct pyargs_spec {
	const char *function;
	int positional; /* so many may come by position */
	int required;   /* so many, the first, must be there */
	const char *const names[PYARGS_MAX + 1];
};

/*
 * Distribute the arguments over ret_values (PYARGS_MAX of them), borrowed references, NULL where
 * none was given. -1 with a TypeError.
 */
int pyargs_bind(const struct pyargs_spec *spec, PyObject *args, PyObject *kwargs,
		PyObject **ret_values);

/*
 * The flags SHARR_VIA_… of an argument `via`: None (or NULL), "auto", "shm" or "mount". -1 with a
 * ValueError.
 */
int pyargs_via(PyObject *value, unsigned *ret_flags);

/* The truth of an argument; 0 where it is NULL. -1 with an exception. */
int pyargs_truth(PyObject *value);

#endif
