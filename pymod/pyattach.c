/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyattach.h"

#include <errno.h>

#include "pyargs.h"
#include "pyarray.h"
#include "pydtype.h"
#include "pyerror.h"
#include "pyname.h"
#include "pyshape.h"

PyObject *pyattach_attach(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {
		"attach", 2, 1, {"name", "ro", "readonly", "via", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *values[PYARGS_MAX], *result;
	struct sharr *array;
	struct pyname name;
	unsigned flags;
	int readonly, r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 || pyargs_via(values[3], &flags) < 0)
		return NULL;
	readonly = pyargs_truth(values[2] && values[2] != Py_None ? values[2] : values[1]);
	if (readonly < 0 || pyname_init(state, values[0], &name) < 0)
		return NULL;
	flags |= readonly ? SHARR_READONLY : 0;
	Py_BEGIN_ALLOW_THREADS r = sharr_attach(name.text, flags, &array);
	Py_END_ALLOW_THREADS result = r < 0 ? pyerror_raise(state, r, name.given)
					    : pyarray_wrap(state, array, name.plain, readonly);
	pyname_deinit(&name);
	return result;
}

PyObject *pyattach_delete(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"delete", 1, 1, {"name", "missing_ok", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *values[PYARGS_MAX], *result = NULL;
	struct pyname name;
	int missing_ok, r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 ||
	    (missing_ok = pyargs_truth(values[1])) < 0 || pyname_init(state, values[0], &name) < 0)
		return NULL;
	Py_BEGIN_ALLOW_THREADS r = sharr_delete(name.text);
	Py_END_ALLOW_THREADS if (r < 0 && !(r == -ENOENT && missing_ok))
	{
		pyerror_raise(state, r, name.given);
	}
	else
	{
		result = Py_None;
		Py_INCREF(result);
	}
	pyname_deinit(&name);
	return result;
}

static int check_equal(PyObject *is, PyObject *wanted, const char *what)
{
	int equal = is && wanted ? PyObject_RichCompareBool(is, wanted, Py_EQ) : -1;

	if (equal == 0)
		PyErr_Format(PyExc_ValueError, "out has the %s %S, the array has %S", what, is,
			     wanted);
	return equal == 1 ? 0 : -1;
}

/* Has `out` the dtype and the shape of the array? Its order may be another. */
static int check_out(struct pystate *state, PyObject *out, const struct sharr_info *info)
{
	PyObject *is, *wanted;
	int r;

	if (!PyObject_TypeCheck(out, (PyTypeObject *)state->ndarray)) {
		PyErr_Format(PyExc_TypeError, "out must be a numpy.ndarray, not %R",
			     (PyObject *)Py_TYPE(out));
		return -1;
	}
	is = PyObject_GetAttr(out, state->str_shape);
	wanted = pyshape_tuple(info->shape, info->ndim);
	r = check_equal(is, wanted, "shape");
	Py_XDECREF(is);
	Py_XDECREF(wanted);
	if (r < 0)
		return -1;
	is = PyObject_GetAttr(out, state->str_dtype);
	wanted = pydtype_of_array(state, info);
	r = check_equal(is, wanted, "dtype");
	Py_XDECREF(is);
	Py_XDECREF(wanted);
	return r;
}

/* Can the array's bytes be read straight into `memory`? */
static bool fits(const struct sharr_info *info, const struct pyarray_memory *memory)
{
	return memory->writeable && (info->order == 'F' ? memory->is_f : memory->is_c);
}

/* One look at the array and one read. 1: it was made anew in between. */
static int copy_into(struct pystate *state, const struct pyname *name,
		     const struct sharr_info *info, PyObject *target)
{
	struct pyarray_memory memory;
	int r;

	if (pyarray_memory_init(state, target, &memory) < 0)
		return -1;
	Py_BEGIN_ALLOW_THREADS r = sharr_copy(name->text, info->dtype, memory.data, info->nbytes);
	Py_END_ALLOW_THREADS if (r < 0 && r != -ERANGE) pyerror_raise(state, r, name->given);
	pyarray_memory_deinit(&memory);
	if (r == -ERANGE)
		return 1;
	return r < 0 ? -1 : 0;
}

static int copy_private(struct pystate *state, const struct pyname *name,
			const struct sharr_info *info, PyObject **ret_copy)
{
	PyObject *copy = pyarray_private(state, info);
	int r = copy ? copy_into(state, name, info, copy) : -1;

	if (r == 0)
		*ret_copy = copy;
	else
		Py_XDECREF(copy);
	return r;
}

/* Straight into `out` if it lies in memory as the array does, else by way of a private copy. */
static int copy_out(struct pystate *state, const struct pyname *name, const struct sharr_info *info,
		    PyObject *out)
{
	struct pyarray_memory memory;
	PyObject *copy, *done;
	bool direct;
	int r;

	if (check_out(state, out, info) < 0 || pyarray_memory_init(state, out, &memory) < 0)
		return -1;
	direct = fits(info, &memory);
	pyarray_memory_deinit(&memory);
	if (direct)
		return copy_into(state, name, info, out);
	r = copy_private(state, name, info, &copy);
	if (r != 0)
		return r;
	/* numpy refuses an `out` that is not writeable. */
	done = PyObject_CallFunctionObjArgs(state->copyto, out, copy, NULL);
	Py_DECREF(copy);
	Py_XDECREF(done);
	return done ? 0 : -1;
}

/* 1: once more. */
static int copy_once(struct pystate *state, const struct pyname *name, PyObject *out,
		     PyObject **ret_copy)
{
	struct sharr_info *info;
	int r;

	Py_BEGIN_ALLOW_THREADS r = sharr_stat(name->text, &info);
	Py_END_ALLOW_THREADS if (r < 0)
	{
		pyerror_raise(state, r, name->given);
		return -1;
	}
	if (out) {
		r = copy_out(state, name, info, out);
		if (r == 0) {
			Py_INCREF(out);
			*ret_copy = out;
		}
	} else {
		r = copy_private(state, name, info, ret_copy);
	}
	sharr_info_free(info);
	return r;
}

PyObject *pyattach_copy(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"copy", 2, 1, {"name", "out", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *values[PYARGS_MAX], *copy = NULL;
	struct pyname name;
	int r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 ||
	    pyname_init(state, values[0], &name) < 0)
		return NULL;
	do {
		r = copy_once(state, &name, values[1] == Py_None ? NULL : values[1], &copy);
	} while (r > 0 && PyErr_CheckSignals() == 0);
	pyname_deinit(&name);
	return r == 0 ? copy : NULL;
}
