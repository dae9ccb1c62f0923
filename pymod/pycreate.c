/* SPDX-License-Identifier: BSD-3-Clause */
#include "pycreate.h"

#include <errno.h>
#include <string.h>

#include "create.h"
#include "pyargs.h"
#include "pyarray.h"
#include "pyattrs.h"
#include "pydtype.h"
#include "pyerror.h"
#include "pyname.h"
#include "pyowner.h"
#include "pyshape.h"
#include "shape.h"

/* So often a name that was taken may be free again by the time that it is attached. */
enum { EXIST_OK_ROUNDS = 50 };

/* What is asked for, ready for libsharr. */
struct request {
	struct pyname name;
	struct pydtype_text dtype;
	struct pyshape shape;
	struct pyattrs attrs;
	struct sharr_spec spec; /* points into the others */
	unsigned flags;
};

/* What a caller gave; NULL where nothing. */
struct wishes {
	PyObject *name, *shape, *dtype, *order, *reserve, *mode, *replace, *ephemeral;
	PyObject *huge, *via, *attrs;
};

static void request_deinit(struct request *request)
{
	pyname_deinit(&request->name);
	pydtype_text_deinit(&request->dtype);
	pyattrs_deinit(&request->attrs);
}

static int parse_order(PyObject *object, int *ret_order)
{
	*ret_order = 'C';
	if (!object || object == Py_None)
		return 0;
	if (PyUnicode_Check(object)) {
		if (PyUnicode_CompareWithASCIIString(object, "C") == 0)
			return 0;
		*ret_order = 'F';
		if (PyUnicode_CompareWithASCIIString(object, "F") == 0)
			return 0;
	}
	PyErr_Format(PyExc_ValueError, "order must be 'C' or 'F', not %R", object);
	return -1;
}

static int parse_mode(PyObject *object, unsigned *ret_mode)
{
	long mode;

	*ret_mode = 0;
	if (!object || object == Py_None)
		return 0;
	mode = PyLong_AsLong(object);
	if (mode == -1 && PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_OverflowError))
		return -1;
	PyErr_Clear();
	if (mode < 1 || mode > 0777) {
		PyErr_Format(PyExc_ValueError,
			     "mode must be permission bits from 0o1 to 0o777, not %S", object);
		return -1;
	}
	*ret_mode = (unsigned)mode;
	return 0;
}

static int parse_huge(PyObject *object, unsigned *ret_flags)
{
	int truth = object && object != Py_None ? PyObject_IsTrue(object) : 0;

	*ret_flags = 0;
	if (truth >= 0 && object && object != Py_None)
		*ret_flags = truth ? SHARR_HUGE : SHARR_NO_HUGE;
	return truth < 0 ? -1 : 0;
}

static int parse_flags(const struct wishes *wishes, unsigned *ret_flags)
{
	int replace = pyargs_truth(wishes->replace);
	int reserve = wishes->reserve ? PyObject_IsTrue(wishes->reserve) : 1;
	int ephemeral = pyargs_truth(wishes->ephemeral);
	unsigned via, huge;

	if (replace < 0 || reserve < 0 || ephemeral < 0 || pyargs_via(wishes->via, &via) < 0 ||
	    parse_huge(wishes->huge, &huge) < 0)
		return -1;
	*ret_flags = (replace ? SHARR_REPLACE : 0) | (reserve ? 0 : SHARR_SPARSE) |
		     (ephemeral ? SHARR_EPHEMERAL : 0) | via | huge;
	return 0;
}

static int request_fill(struct pystate *state, const struct wishes *wishes, struct request *request)
{
	struct sharr_spec *spec = &request->spec;

	if (parse_order(wishes->order, &spec->order) < 0 ||
	    parse_mode(wishes->mode, &spec->mode) < 0 || parse_flags(wishes, &request->flags) < 0)
		return -1;
	if (pydtype_encode(state, wishes->dtype ? wishes->dtype : (PyObject *)&PyFloat_Type,
			   &request->dtype) < 0)
		return -1;
	if (pyshape_parse(state, wishes->shape, &request->shape) < 0 ||
	    pyshape_extend(state, &request->shape, request->dtype.subshape) < 0)
		return -1;
	if (pyattrs_init(wishes->attrs, false, &request->attrs) < 0)
		return -1;
	spec->attrs = request->attrs.attrs;
	spec->attr_count = request->attrs.count;
	spec->dtype = request->dtype.descr;
	spec->dtype_name = request->dtype.name;
	spec->shape = request->shape.lengths;
	spec->ndim = request->shape.ndim;
	return pyname_init(state, wishes->name, &request->name);
}

/* -1 with an exception; then there is nothing to free. */
static int request_init(struct pystate *state, const struct wishes *wishes,
			struct request *ret_request)
{
	memset(&ret_request->name, 0, sizeof(ret_request->name));
	memset(&ret_request->dtype, 0, sizeof(ret_request->dtype));
	memset(&ret_request->attrs, 0, sizeof(ret_request->attrs));
	memset(&ret_request->spec, 0, sizeof(ret_request->spec));
	if (request_fill(state, wishes, ret_request) == 0)
		return 0;
	request_deinit(ret_request);
	return -1;
}

/* Is the array what was asked for? 1, 0, or -1 with an exception. */
static int request_matches(struct pystate *state, const struct request *request,
			   const struct sharr_info *info)
{
	const struct sharr_spec *spec = &request->spec;
	PyObject *is, *wanted;
	int r;

	if (info->ndim != spec->ndim ||
	    (info->order != spec->order && !shape_is_flat(info->ndim, info->shape)))
		return 0;
	for (int i = 0; i < info->ndim; i++)
		if (info->shape[i] != spec->shape[i])
			return 0;
	if (strcmp(info->dtype, spec->dtype) == 0 &&
	    strcmp(info->dtype_name, spec->dtype_name ? spec->dtype_name : "") == 0)
		return 1;
	/* One dtype may have two spellings. */
	is = pydtype_decode(state, info->dtype, info->dtype_name, info->itemsize);
	wanted = is ? pydtype_decode(state, spec->dtype, spec->dtype_name ? spec->dtype_name : "",
				     info->itemsize)
		    : NULL;
	r = wanted ? PyObject_RichCompareBool(is, wanted, Py_EQ) : -1;
	Py_XDECREF(is);
	Py_XDECREF(wanted);
	return r;
}

/* "dtype <f8, shape (3,), order C". A new reference. */
static PyObject *describe(const char *dtype, const char *dtype_name, const int64_t *lengths,
			  int ndim, int order)
{
	PyObject *shape = pyshape_tuple(lengths, ndim), *text;

	if (!shape)
		return NULL;
	text = PyUnicode_FromFormat("dtype %s, shape %S, order %c",
				    dtype_name && *dtype_name ? dtype_name : dtype, shape, order);
	Py_DECREF(shape);
	return text;
}

static void raise_mismatch(const struct request *request, const struct sharr_info *info)
{
	const struct sharr_spec *spec = &request->spec;
	PyObject *is, *wanted, *text = NULL, *bytes = NULL;

	is = describe(info->dtype, info->dtype_name, info->shape, info->ndim, info->order);
	wanted = describe(spec->dtype, spec->dtype_name, spec->shape, spec->ndim, spec->order);
	if (is && wanted)
		text = PyUnicode_FromFormat("An array of another dtype, shape or order exists: %U; "
					    "asked for was %U",
					    is, wanted);
	if (text)
		bytes = PyUnicode_EncodeFSDefault(text);
	if (bytes)
		pyerror_raise_os(EEXIST, PyBytes_AsString(bytes), request->name.given);
	Py_XDECREF(bytes);
	Py_XDECREF(text);
	Py_XDECREF(wanted);
	Py_XDECREF(is);
}

static unsigned via_of(const struct request *request)
{
	return request->flags & (SHARR_VIA_SHM | SHARR_VIA_MOUNT);
}

/* The name is taken: attach what is there if it is what was asked for. Returns NULL with no
 * exception if it is gone again. */
static PyObject *attach_existing(struct pystate *state, const struct request *request)
{
	struct sharr *array;
	int r;

	Py_BEGIN_ALLOW_THREADS r = sharr_attach(request->name.text, via_of(request), &array);
	Py_END_ALLOW_THREADS if (r == -ENOENT) return NULL;
	if (r < 0)
		return pyerror_raise(state, r, request->name.given);
	r = request_matches(state, request, sharr_info(array));
	if (r == 1)
		return pyarray_wrap(state, array, request->name.plain, false);
	if (r == 0)
		raise_mismatch(request, sharr_info(array));
	sharr_detach(array);
	return NULL;
}

/* 1: the name was taken and is free again, so once more. */
static int create_once(struct pystate *state, const struct request *request, bool exist_ok,
		       PyObject **ret_array)
{
	struct sharr *array;
	int r;

	Py_BEGIN_ALLOW_THREADS r =
		sharr_create(request->name.text, &request->spec, request->flags, &array);
	Py_END_ALLOW_THREADS if (r >= 0) *ret_array =
		pyarray_wrap(state, array, request->name.plain, false);
	else if (r == -EEXIST && exist_ok) *ret_array = attach_existing(state, request);
	else *ret_array = pyerror_raise(state, r, request->name.given);
	if (*ret_array)
		return 0;
	return PyErr_Occurred() ? -1 : 1;
}

static PyObject *create_or_attach(struct pystate *state, const struct request *request)
{
	PyObject *array = NULL;
	int r;

	for (int i = 0; i < EXIST_OK_ROUNDS; i++)
		if (create_once(state, request, true, &array) <= 0 || PyErr_CheckSignals() < 0)
			return array;
	Py_BEGIN_ALLOW_THREADS r = create_explain_taken(request->name.text, via_of(request));
	Py_END_ALLOW_THREADS return pyerror_raise(state, r, request->name.given);
}

PyObject *pycreate_create(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"create",
						3,
						2,
						{"name", "shape", "dtype", "order", "reserve",
						 "mode", "exist_ok", "replace", "ephemeral", "huge",
						 "via", "attrs", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *v[PYARGS_MAX], *array = NULL;
	struct request request;
	struct wishes wishes;
	int exist_ok;

	if (pyargs_bind(&spec, args, kwargs, v) < 0 || (exist_ok = pyargs_truth(v[6])) < 0)
		return NULL;
	wishes = (struct wishes){.name = v[0],
				 .shape = v[1],
				 .dtype = v[2],
				 .order = v[3],
				 .reserve = v[4],
				 .mode = v[5],
				 .replace = v[7],
				 .ephemeral = v[8],
				 .huge = v[9],
				 .via = v[10],
				 .attrs = v[11]};
	if (request_init(state, &wishes, &request) < 0)
		return NULL;
	if (exist_ok && (request.flags & SHARR_REPLACE)) {
		PyErr_SetString(PyExc_ValueError, "exist_ok and replace exclude each other");
	} else if (exist_ok) {
		array = create_or_attach(state, &request);
	} else {
		create_once(state, &request, false, &array);
	}
	request_deinit(&request);
	return array;
}

/* An array that no one else can see yet. */
static PyObject *prepare(struct pystate *state, const struct request *request)
{
	struct sharr *array;
	int r;

	Py_BEGIN_ALLOW_THREADS r =
		sharr_prepare(request->name.text, &request->spec, request->flags, &array);
	Py_END_ALLOW_THREADS if (r < 0) return pyerror_raise(state, r, request->name.given);
	return pyarray_wrap(state, array, request->name.plain, false);
}

PyObject *pycreate_prepare(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"_prepare",
						3,
						2,
						{"name", "shape", "dtype", "order", "reserve",
						 "mode", "replace", "ephemeral", "huge", "via",
						 "attrs", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *v[PYARGS_MAX], *array;
	struct request request;
	struct wishes wishes;

	if (pyargs_bind(&spec, args, kwargs, v) < 0)
		return NULL;
	wishes = (struct wishes){.name = v[0],
				 .shape = v[1],
				 .dtype = v[2],
				 .order = v[3],
				 .reserve = v[4],
				 .mode = v[5],
				 .replace = v[6],
				 .ephemeral = v[7],
				 .huge = v[8],
				 .via = v[9],
				 .attrs = v[10]};
	if (request_init(state, &wishes, &request) < 0)
		return NULL;
	array = prepare(state, &request);
	request_deinit(&request);
	return array;
}

/* Two threads that come to the end of one block at once: libsharr wants one of them. */
static int publish(struct pystate *state, struct pyowner *owner)
{
	int r;

	if (atomic_exchange(&owner->publishing, true)) {
		pyerror_raise_os(EBUSY, "another thread is publishing this array", owner->name);
		return -1;
	}
	Py_BEGIN_ALLOW_THREADS r = sharr_publish(owner->array);
	Py_END_ALLOW_THREADS if (r < 0) pyerror_raise(state, r, owner->name);
	atomic_store(&owner->publishing, false);
	return r;
}

PyObject *pycreate_publish(PyObject *module, PyObject *array)
{
	struct pystate *state = pystate_of(module);
	struct pyowner *owner = pyowner_find(state, array);
	int r;

	if (!owner)
		return NULL;
	r = publish(state, owner);
	Py_DECREF(owner);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

/* Whole from contiguous memory. */
static PyObject *put_memory(struct pystate *state, const struct request *request, const void *data)
{
	int r;

	Py_BEGIN_ALLOW_THREADS r =
		sharr_put(request->name.text, &request->spec, data, request->flags);
	Py_END_ALLOW_THREADS if (r < 0) return pyerror_raise(state, r, request->name.given);
	Py_RETURN_NONE;
}

/* Gathered by numpy, in place, so that no second copy is needed. */
static PyObject *put_gathered(struct pystate *state, PyObject *module,
			      const struct request *request, PyObject *source)
{
	PyObject *array = prepare(state, request);
	PyObject *done = NULL, *result = NULL;

	if (array)
		done = PyObject_CallFunctionObjArgs(state->copyto, array, source, NULL);
	if (done)
		result = pycreate_publish(module, array);
	Py_XDECREF(done);
	Py_XDECREF(array);
	return result;
}

static PyObject *put_array(PyObject *module, const struct wishes *wishes, PyObject *source)
{
	struct pystate *state = pystate_of(module);
	struct pyarray_memory memory;
	struct request request;
	PyObject *result;

	if (request_init(state, wishes, &request) < 0)
		return NULL;
	if (pyarray_memory_init(state, source, &memory) < 0) {
		request_deinit(&request);
		return NULL;
	}
	if (!wishes->order || wishes->order == Py_None)
		request.spec.order = memory.is_f && !memory.is_c ? 'F' : 'C';
	if (request.spec.order == 'F' ? memory.is_f : memory.is_c)
		result = put_memory(state, &request, memory.data);
	else
		result = put_gathered(state, module, &request, source);
	pyarray_memory_deinit(&memory);
	request_deinit(&request);
	return result;
}

PyObject *pycreate_put(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {
		"put",
		2,
		2,
		{"name", "array", "order", "mode", "replace", "huge", "via", "attrs", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *v[PYARGS_MAX], *source, *shape, *dtype, *result = NULL;
	struct wishes wishes;

	if (pyargs_bind(&spec, args, kwargs, v) < 0)
		return NULL;
	source = PyObject_CallFunctionObjArgs(state->asarray, v[1], NULL);
	shape = source ? PyObject_GetAttr(source, state->str_shape) : NULL;
	dtype = shape ? PyObject_GetAttr(source, state->str_dtype) : NULL;
	if (dtype) {
		wishes = (struct wishes){.name = v[0],
					 .shape = shape,
					 .dtype = dtype,
					 .order = v[2],
					 .mode = v[3],
					 .replace = v[4],
					 .huge = v[5],
					 .via = v[6],
					 .attrs = v[7]};
		result = put_array(module, &wishes, source);
	}
	Py_XDECREF(dtype);
	Py_XDECREF(shape);
	Py_XDECREF(source);
	return result;
}
