/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numpy arrays without numpy's C API: made by calling numpy.ndarray on an owner's buffer, looked
 * into by `__array_struct__` (numpy's array interface protocol, the same in numpy 1 and 2), which
 * costs no Python code and knows every dtype.
 */
#ifndef PYMOD_PYARRAY_H
#define PYMOD_PYARRAY_H

#include <stdbool.h>

#include "pystate.h"

/* The ndarray on an attached array. `array` is given away, on failure too. `name` is what the owner
 * will tell. */
PyObject *pyarray_wrap(struct pystate *state, struct sharr *array, PyObject *name, bool readonly);

/* An ndarray in private memory, not filled, as `info` says. A new reference. */
PyObject *pyarray_private(struct pystate *state, const struct sharr_info *info);

/* The memory of an ndarray. */
struct pyarray_memory {
	PyObject *capsule; /* owned: what the rest was read from */
	void *data;
	bool is_c; /* C-contiguous */
	bool is_f; /* Fortran-contiguous */
	bool writeable;
};

/* Look into an ndarray. -1 with an exception; then there is nothing to free. */
int pyarray_memory_init(struct pystate *state, PyObject *array, struct pyarray_memory *ret_memory);

/* The same of one that the caller has made, and knows: where its data lie, and no more. */
int pyarray_memory_find(struct pystate *state, PyObject *array, struct pyarray_memory *ret_memory);

/* Fine on one of zeros. */
void pyarray_memory_deinit(struct pyarray_memory *memory);

#endif
