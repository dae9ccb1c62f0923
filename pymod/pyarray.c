/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyarray.h"

#include <string.h>

#include "pydtype.h"
#include "pyowner.h"
#include "pyshape.h"

/* What `__array_struct__` holds, from numpy's description of the array interface protocol. */
struct array_interface {
	int two;
	int nd;
	char typekind;
	int itemsize;
	int flags;
	Py_ssize_t *shape;
	Py_ssize_t *strides;
	void *data;
	PyObject *descr;
};

/* numpy.ndarray(shape, dtype, buffer, 0, None, order), with `buffer` None for memory of its own. */
static PyObject *make(struct pystate *state, const struct sharr_info *info, PyObject *buffer)
{
	PyObject *shape = pyshape_tuple(info->shape, info->ndim);
	PyObject *dtype = shape ? pydtype_of_array(state, info) : NULL;
	PyObject *args = NULL, *array = NULL;

	if (dtype && info->order == 'F')
		args = PyTuple_Pack(6, shape, dtype, buffer, state->zero, Py_None, state->str_f);
	else if (dtype)
		args = PyTuple_Pack(3, shape, dtype, buffer);
	if (args)
		array = PyObject_Call(state->ndarray, args, NULL);
	Py_XDECREF(args);
	Py_XDECREF(dtype);
	Py_XDECREF(shape);
	return array;
}

PyObject *pyarray_wrap(struct pystate *state, struct sharr *array, PyObject *name, bool readonly)
{
	PyObject *owner = pyowner_new(state, array, name, readonly);
	PyObject *wrapped;

	if (!owner)
		return NULL;
	wrapped = make(state, sharr_info(array), owner);
	Py_DECREF(owner);
	return wrapped;
}

PyObject *pyarray_private(struct pystate *state, const struct sharr_info *info)
{
	return make(state, info, Py_None);
}

static int read_flag(PyObject *flags, PyObject *name, bool *ret_flag)
{
	PyObject *value = PyObject_GetAttr(flags, name);
	int truth = value ? PyObject_IsTrue(value) : -1;

	Py_XDECREF(value);
	*ret_flag = truth == 1;
	return truth < 0 ? -1 : 0;
}

/* The flags in `__array_struct__` are all zero where the dtype has fields: numpy itself is asked.
 */
static int read_flags(struct pystate *state, PyObject *array, struct pyarray_memory *memory)
{
	PyObject *flags = PyObject_GetAttr(array, state->str_flags);
	int r = -1;

	if (flags && read_flag(flags, state->str_c_contiguous, &memory->is_c) == 0 &&
	    read_flag(flags, state->str_f_contiguous, &memory->is_f) == 0 &&
	    read_flag(flags, state->str_writeable, &memory->writeable) == 0)
		r = 0;
	Py_XDECREF(flags);
	return r;
}

int pyarray_memory_find(struct pystate *state, PyObject *array, struct pyarray_memory *ret_memory)
{
	PyObject *capsule = PyObject_GetAttr(array, state->str_array_struct);
	const struct array_interface *interface =
		capsule ? PyCapsule_GetPointer(capsule, NULL) : NULL;

	if (!interface) {
		Py_XDECREF(capsule);
		return -1;
	}
	ret_memory->capsule = capsule;
	ret_memory->data = interface->data;
	return 0;
}

int pyarray_memory_init(struct pystate *state, PyObject *array, struct pyarray_memory *ret_memory)
{
	return read_flags(state, array, ret_memory) < 0
		       ? -1
		       : pyarray_memory_find(state, array, ret_memory);
}

void pyarray_memory_deinit(struct pyarray_memory *memory)
{
	Py_CLEAR(memory->capsule);
}
