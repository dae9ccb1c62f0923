/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pyargs.h"
#include "pyerror.h"
#include "pyname.h"
#include "pyowner.h"

/* The bytes of a name, NUL-terminated. A new reference. */
static PyObject *encode_name(PyObject *name)
{
	PyObject *bytes = NULL;
	Py_ssize_t length;
	char *text;

	if (PyUnicode_Check(name)) {
		bytes = PyUnicode_EncodeFSDefault(name);
	} else if (PyBytes_Check(name)) {
		bytes = name;
		Py_INCREF(bytes);
	} else {
		PyErr_Format(PyExc_TypeError, "the name of an attribute must be str, not %R",
			     (PyObject *)Py_TYPE(name));
	}
	if (bytes && PyBytes_AsStringAndSize(bytes, &text, &length) == 0 &&
	    strlen(text) == (size_t)length)
		return bytes;
	if (bytes && !PyErr_Occurred())
		PyErr_SetString(PyExc_ValueError, "embedded null character");
	Py_XDECREF(bytes);
	return NULL;
}

/* A new reference: to bytes, or to None. */
static PyObject *encode_value(PyObject *value, bool removing)
{
	if (PyUnicode_Check(value))
		return PyUnicode_AsUTF8String(value);
	if (PyBytes_Check(value) || (removing && value == Py_None)) {
		Py_INCREF(value);
		return value;
	}
	if (PyByteArray_Check(value) || PyMemoryView_Check(value))
		return PyBytes_FromObject(value);
	PyErr_Format(
		PyExc_TypeError,
		"the value of an attribute must be str or bytes, not %R: str() makes text of a "
		"number, json.dumps() of anything else",
		(PyObject *)Py_TYPE(value));
	return NULL;
}

static int keep(struct pyattrs *attrs, PyObject *given_name, PyObject *given_value, bool removing)
{
	PyObject *name = encode_name(given_name);
	PyObject *value = name ? encode_value(given_value, removing) : NULL;
	PyObject *pair = value ? PyTuple_Pack(2, name, value) : NULL;
	int r = pair ? PyList_Append(attrs->kept, pair) : -1;

	if (r == 0) {
		struct sharr_attr *attr = &attrs->attrs[attrs->count++];

		attr->name = PyBytes_AsString(name);
		attr->value = value == Py_None ? NULL : PyBytes_AsString(value);
		attr->bytes = value == Py_None ? 0 : (size_t)PyBytes_Size(value);
	}
	Py_XDECREF(pair);
	Py_XDECREF(value);
	Py_XDECREF(name);
	return r;
}

static int keep_all(struct pyattrs *attrs, PyObject *dict, bool removing)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	attrs->kept = PyList_New(0);
	attrs->attrs = calloc((size_t)PyDict_Size(dict) + 1, sizeof(*attrs->attrs));
	if (!attrs->kept || !attrs->attrs) {
		PyErr_NoMemory();
		return -1;
	}
	while (PyDict_Next(dict, &at, &name, &value))
		if (keep(attrs, name, value, removing) < 0)
			return -1;
	return 0;
}

int pyattrs_init(PyObject *mapping, bool removing, struct pyattrs *ret_attrs)
{
	PyObject *dict;
	int r;

	memset(ret_attrs, 0, sizeof(*ret_attrs));
	if (!mapping || mapping == Py_None)
		return 0;
	/* A copy, which nobody changes while it is walked. */
	dict = PyObject_CallFunctionObjArgs((PyObject *)&PyDict_Type, mapping, NULL);
	if (!dict)
		return -1;
	r = keep_all(ret_attrs, dict, removing);
	Py_DECREF(dict);
	if (r < 0)
		pyattrs_deinit(ret_attrs);
	return r;
}

void pyattrs_deinit(struct pyattrs *attrs)
{
	Py_CLEAR(attrs->kept);
	free(attrs->attrs);
	attrs->attrs = NULL;
	attrs->count = 0;
}

/* Whose attributes are meant: one of the two is set. */
struct target {
	struct pyname name;
	struct pyowner *owner; /* owned */
};

static int target_init(struct pystate *state, PyObject *given, struct target *ret_target)
{
	memset(ret_target, 0, sizeof(*ret_target));
	if (PyObject_TypeCheck(given, (PyTypeObject *)state->ndarray) ||
	    PyMemoryView_Check(given) || Py_TYPE(given) == (PyTypeObject *)state->owner_type) {
		ret_target->owner = pyowner_find(state, given);
		return ret_target->owner ? 0 : -1;
	}
	return pyname_init(state, given, &ret_target->name);
}

static void target_deinit(struct target *target)
{
	pyname_deinit(&target->name);
	Py_CLEAR(target->owner);
}

static PyObject *target_raise(struct pystate *state, int r, const struct target *target)
{
	return pyerror_raise(state, r, target->owner ? target->owner->name : target->name.given);
}

/* What is listed without the GIL: pairs of name and value, each behind its length. */
struct listed {
	char *block; /* owned */
	size_t used, room;
};

static int add_piece(struct listed *listed, const void *data, size_t bytes)
{
	size_t needed = listed->used + sizeof(bytes) + bytes;

	if (needed > listed->room) {
		char *block = realloc(listed->block, 2 * needed);

		if (!block)
			return -ENOMEM;
		listed->block = block;
		listed->room = 2 * needed;
	}
	memcpy(listed->block + listed->used, &bytes, sizeof(bytes));
	if (bytes)
		memcpy(listed->block + listed->used + sizeof(bytes), data, bytes);
	listed->used = needed;
	return 0;
}

static int add_attr(const struct sharr_attr *attr, void *userdata)
{
	int r = add_piece(userdata, attr->name, strlen(attr->name));

	return r < 0 ? r : add_piece(userdata, attr->value, attr->bytes);
}

static PyObject *take_piece(const struct listed *listed, size_t *at)
{
	size_t bytes;

	memcpy(&bytes, listed->block + *at, sizeof(bytes));
	*at += sizeof(bytes) + bytes;
	return PyBytes_FromStringAndSize(listed->block + *at - bytes, (Py_ssize_t)bytes);
}

static PyObject *listed_dict(const struct listed *listed)
{
	PyObject *dict = PyDict_New();

	for (size_t at = 0; dict && at < listed->used;) {
		PyObject *name = take_piece(listed, &at);
		PyObject *value = name ? take_piece(listed, &at) : NULL;

		if (!value || PyDict_SetItem(dict, name, value) < 0)
			Py_CLEAR(dict);
		Py_XDECREF(name);
		Py_XDECREF(value);
	}
	return dict;
}

PyObject *pyattrs_get(PyObject *module, PyObject *given)
{
	struct pystate *state = pystate_of(module);
	struct listed listed = {NULL, 0, 0};
	struct target target;
	PyObject *dict;
	int r;

	if (target_init(state, given, &target) < 0)
		return NULL;
	Py_BEGIN_ALLOW_THREADS r =
		target.owner ? sharr_attrs_list_of(target.owner->array, add_attr, &listed)
			     : sharr_attrs_list(target.name.text, add_attr, &listed);
	Py_END_ALLOW_THREADS dict = r < 0 ? target_raise(state, r, &target) : listed_dict(&listed);
	target_deinit(&target);
	free(listed.block);
	return dict;
}

PyObject *pyattrs_set(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"_attrs_set", 2, 2, {"target", "changes", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *values[PYARGS_MAX];
	struct target target;
	struct pyattrs attrs;
	int r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 ||
	    pyattrs_init(values[1], true, &attrs) < 0)
		return NULL;
	if (target_init(state, values[0], &target) < 0) {
		pyattrs_deinit(&attrs);
		return NULL;
	}
	Py_BEGIN_ALLOW_THREADS r =
		target.owner ? sharr_attrs_set_of(target.owner->array, attrs.attrs, attrs.count)
			     : sharr_attrs_set(target.name.text, attrs.attrs, attrs.count);
	Py_END_ALLOW_THREADS if (r < 0) target_raise(state, r, &target);
	target_deinit(&target);
	pyattrs_deinit(&attrs);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}
