/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyshape.h"

/* numpy 1 takes 32 dimensions and numpy 2 takes 64: let the one that is here say so, before
 * anything is made. */
static int check_ndim(struct pystate *state, Py_ssize_t ndim)
{
	PyObject *shape, *array;

	if (ndim <= 32)
		return 0;
	if (ndim > SHARR_NDIM_MAX) {
		PyErr_Format(PyExc_ValueError, "an array has at most %d dimensions, found %zd",
			     SHARR_NDIM_MAX, ndim);
		return -1;
	}
	shape = PyTuple_New(ndim);
	for (Py_ssize_t i = 0; shape && i < ndim; i++) {
		Py_INCREF(state->zero);
		PyTuple_SetItem(shape, i, state->zero);
	}
	array = shape ? PyObject_CallFunctionObjArgs(state->ndarray, shape, NULL) : NULL;
	Py_XDECREF(shape);
	Py_XDECREF(array);
	return array ? 0 : -1;
}

static int parse_length(PyObject *object, int64_t *ret_length)
{
	PyObject *index = PyNumber_Index(object);
	long long length;

	if (!index)
		return -1;
	length = PyLong_AsLongLong(index);
	if (length == -1 && PyErr_ExceptionMatches(PyExc_OverflowError)) {
		PyErr_Clear();
		PyErr_Format(PyExc_ValueError,
			     "a dimension of %S is beyond what an address can count", index);
	} else if (length < 0) {
		PyErr_Format(PyExc_ValueError, "negative dimensions are not allowed: %S", index);
	}
	Py_DECREF(index);
	if (PyErr_Occurred())
		return -1;
	*ret_length = length;
	return 0;
}

static int parse_sequence(struct pystate *state, PyObject *sequence, struct pyshape *shape)
{
	Py_ssize_t count = PySequence_Size(sequence);
	PyObject *item;
	int r;

	if (count < 0 || check_ndim(state, shape->ndim + count) < 0)
		return -1;
	for (Py_ssize_t i = 0; i < count; i++) {
		item = PySequence_GetItem(sequence, i);
		if (!item)
			return -1;
		r = parse_length(item, &shape->lengths[shape->ndim]);
		Py_DECREF(item);
		if (r < 0)
			return -1;
		shape->ndim++;
	}
	return 0;
}

/* A numpy array has __index__ as well as a length: it is a number only if it has no dimension. */
static int is_sequence(PyObject *object)
{
	if (PyTuple_Check(object) || PyList_Check(object))
		return 1;
	if (PyLong_Check(object) || PyUnicode_Check(object) || PyBytes_Check(object) ||
	    !PySequence_Check(object))
		return 0;
	if (PySequence_Size(object) >= 0)
		return 1;
	PyErr_Clear();
	return 0;
}

int pyshape_parse(struct pystate *state, PyObject *object, struct pyshape *ret_shape)
{
	ret_shape->ndim = 0;
	if (is_sequence(object))
		return parse_sequence(state, object, ret_shape);
	if (!PyIndex_Check(object)) {
		PyErr_Format(PyExc_TypeError,
			     "expected a sequence of integers or a single integer, got '%S'",
			     object);
		return -1;
	}
	ret_shape->ndim = 1;
	return parse_length(object, &ret_shape->lengths[0]);
}

int pyshape_extend(struct pystate *state, struct pyshape *shape, PyObject *lengths)
{
	return parse_sequence(state, lengths, shape);
}

PyObject *pyshape_tuple(const int64_t *lengths, int ndim)
{
	PyObject *tuple = PyTuple_New(ndim);

	for (int i = 0; tuple && i < ndim; i++) {
		PyObject *length = PyLong_FromLongLong(lengths[i]);

		if (!length)
			Py_CLEAR(tuple);
		else
			PyTuple_SetItem(tuple, i, length);
	}
	return tuple;
}
