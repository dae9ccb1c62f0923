/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyerror.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

PyObject *pyerror_raise_os(int number, const char *text, PyObject *name)
{
	PyObject *words = PyUnicode_DecodeFSDefault(text ? text : strerror(number));
	PyObject *exception = NULL;

	if (!words)
		return NULL;
	/* OSError's constructor picks the subclass: FileExistsError and so on. */
	if (name)
		exception = PyObject_CallFunction(PyExc_OSError, "iOO", number, words, name);
	else
		exception = PyObject_CallFunction(PyExc_OSError, "iO", number, words);
	Py_DECREF(words);
	if (exception) {
		PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
		Py_DECREF(exception);
	}
	return NULL;
}

static PyObject *raise_not_an_array(struct pystate *state, PyObject *name)
{
	PyObject *exception =
		PyObject_CallFunction(state->not_an_array, "s", "No SharedArray at this address");

	if (!exception)
		return NULL;
	if (!name || PyObject_SetAttrString(exception, "filename", name) == 0)
		PyErr_SetObject(state->not_an_array, exception);
	Py_DECREF(exception);
	return NULL;
}

/* Programs may look for the words that SharedArray 3.2.4 had: they come first. */
static PyObject *raise_refusal(int number, const char *text, PyObject *name)
{
	char words[640];

	snprintf(words, sizeof(words), "%s%s%s", strerror(number), *text ? ": " : "", text);
	return pyerror_raise_os(number, words, name);
}

PyObject *pyerror_raise(struct pystate *state, int r, PyObject *name)
{
	const char *text = sharr_error();

	switch (-r) {
	case EBADMSG:
		return raise_not_an_array(state, name);
	case ENOTSUP: /* of dtypes libsharr says no more than that */
		if (*text)
			return pyerror_raise_os(-r, text, name);
		PyErr_SetString(PyExc_TypeError, "dtypes that hold pointers can't be shared");
		return NULL;
	case EOVERFLOW:
		PyErr_SetString(PyExc_ValueError,
				*text ? text : "more bytes than an address can count");
		return NULL;
	case E2BIG:
		PyErr_SetString(PyExc_ValueError,
				*text ? text : "the dtype is too long for an npy header");
		return NULL;
	case EACCES:
	case EPERM:
	case ENOENT:
		return raise_refusal(-r, text, name);
	default:
		return pyerror_raise_os(-r, *text ? text : NULL, name);
	}
}
