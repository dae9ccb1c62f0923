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

/* A copy in the making. Its memory is looked for while the array is open, by the thread without
 * the GIL. */
struct copying {
	struct pystate *state;
	PyThreadState *thread;
	PyObject *out;                /* what the caller wants it in, or NULL; borrowed */
	PyObject *target;             /* what it is read into; owned */
	struct pyarray_memory memory; /* the target's */
	bool raised;
};

/* `out` itself if it lies in memory as the array does, else a private array; with its memory. */
static int choose_target(struct copying *copying, const struct sharr_info *info)
{
	struct pystate *state = copying->state;

	if (copying->out) {
		if (check_out(state, copying->out, info) < 0 ||
		    pyarray_memory_init(state, copying->out, &copying->memory) < 0)
			return -1;
		if (fits(info, &copying->memory)) {
			copying->target = copying->out;
			Py_INCREF(copying->target);
			return 0;
		}
		pyarray_memory_deinit(&copying->memory);
	}
	copying->target = pyarray_private(state, info);
	return copying->target ? pyarray_memory_find(state, copying->target, &copying->memory) : -1;
}

static int place(const struct sharr_info *info, void *userdata, void **ret_buffer)
{
	struct copying *copying = userdata;

	PyEval_RestoreThread(copying->thread);
	copying->raised = choose_target(copying, info) < 0;
	*ret_buffer = copying->memory.data;
	copying->thread = PyEval_SaveThread();
	return copying->raised ? -ECANCELED : 0;
}

/* What was read into a private array for want of a better place. */
static PyObject *bring_home(struct copying *copying)
{
	PyObject *done;

	if (!copying->out || copying->target == copying->out) {
		Py_INCREF(copying->target);
		return copying->target;
	}
	/* numpy refuses an `out` that is not writeable. */
	done = PyObject_CallFunctionObjArgs(copying->state->copyto, copying->out, copying->target,
					    NULL);
	if (!done)
		return NULL;
	Py_DECREF(done);
	Py_INCREF(copying->out);
	return copying->out;
}

PyObject *pyattach_copy(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"copy", 2, 1, {"name", "out", NULL}};
	struct copying copying = {.state = pystate_of(module)};
	PyObject *values[PYARGS_MAX], *copy = NULL;
	struct pyname name;
	int r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 ||
	    pyname_init(copying.state, values[0], &name) < 0)
		return NULL;
	copying.out = values[1] == Py_None ? NULL : values[1];
	copying.thread = PyEval_SaveThread();
	r = sharr_copy_to(name.text, place, &copying);
	PyEval_RestoreThread(copying.thread);
	if (r == 0)
		copy = bring_home(&copying);
	else if (!copying.raised)
		pyerror_raise(copying.state, r, name.given);
	pyarray_memory_deinit(&copying.memory);
	Py_XDECREF(copying.target);
	pyname_deinit(&name);
	return copy;
}
