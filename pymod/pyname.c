/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyname.h"

#include <string.h>

/* "file://" before the path, str or bytes, of an os.PathLike. A new reference. */
static PyObject *file_uri(PyObject *path_like)
{
	PyObject *path = PyOS_FSPath(path_like);
	PyObject *prefix, *uri;

	if (!path)
		return NULL;
	prefix = PyUnicode_Check(path) ? PyUnicode_FromString("file://")
				       : PyBytes_FromString("file://");
	uri = prefix ? PySequence_Concat(prefix, path) : NULL;
	Py_XDECREF(prefix);
	Py_DECREF(path);
	return uri;
}

/* Set given and plain. */
static int pyname_resolve(struct pystate *state, PyObject *given, struct pyname *name)
{
	if (PyObject_TypeCheck(given, (PyTypeObject *)state->desc_type) ||
	    PyObject_TypeCheck(given, (PyTypeObject *)state->info_type))
		given = PyStructSequence_GetItem(given, 0);
	if (PyUnicode_Check(given) || PyBytes_Check(given)) {
		name->plain = given;
		Py_INCREF(given);
	} else if (PyObject_HasAttrString((PyObject *)Py_TYPE(given), "__fspath__")) {
		name->plain = file_uri(given);
	} else {
		PyErr_Format(PyExc_TypeError,
			     "a name must be str, bytes, os.PathLike or an item of list(), not %R",
			     (PyObject *)Py_TYPE(given));
	}
	if (!name->plain)
		return -1;
	name->given = given;
	Py_INCREF(given);
	return 0;
}

static int pyname_encode(struct pyname *name)
{
	char *text;
	Py_ssize_t bytes;

	if (PyUnicode_Check(name->plain)) {
		name->bytes = PyUnicode_EncodeFSDefault(name->plain);
	} else {
		name->bytes = name->plain;
		Py_INCREF(name->bytes);
	}
	if (!name->bytes || PyBytes_AsStringAndSize(name->bytes, &text, &bytes) < 0)
		return -1;
	if (strlen(text) != (size_t)bytes) {
		PyErr_SetString(PyExc_ValueError, "embedded null character");
		return -1;
	}
	name->text = text;
	return 0;
}

int pyname_init(struct pystate *state, PyObject *given, struct pyname *ret_name)
{
	memset(ret_name, 0, sizeof(*ret_name));
	if (pyname_resolve(state, given, ret_name) < 0 || pyname_encode(ret_name) < 0) {
		pyname_deinit(ret_name);
		return -1;
	}
	return 0;
}

void pyname_deinit(struct pyname *name)
{
	Py_CLEAR(name->given);
	Py_CLEAR(name->plain);
	Py_CLEAR(name->bytes);
}
