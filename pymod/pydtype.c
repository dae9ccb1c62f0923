/* SPDX-License-Identifier: BSD-3-Clause */
#include "pydtype.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many dtypes are remembered each way; a program that uses more asks numpy again for the others. */
enum { DTYPES_MAX = 512 };

/* numpy.dtype(object), or the object itself if it is one already. A new reference. */
static PyObject *pydtype_from(struct pystate *state, PyObject *object)
{
	if (PyObject_TypeCheck(object, (PyTypeObject *)state->dtype)) {
		Py_INCREF(object);
		return object;
	}
	return PyObject_CallFunctionObjArgs(state->dtype, object, NULL);
}

/* Take apart what _dtypes.encode returned: (descr, name, subshape). */
static int unpack(PyObject *encoded, struct pydtype_text *text)
{
	text->descr_bytes = PyUnicode_AsUTF8String(PyTuple_GetItem(encoded, 0));
	text->name_bytes = PyUnicode_AsUTF8String(PyTuple_GetItem(encoded, 1));
	text->subshape = PyTuple_GetItem(encoded, 2);
	Py_INCREF(text->subshape);
	if (!text->descr_bytes || !text->name_bytes)
		return -1;
	text->descr = PyBytes_AsString(text->descr_bytes);
	text->name = PyBytes_AsString(text->name_bytes);
	if (!*text->name)
		text->name = NULL;
	return 0;
}

/* Does an object mean the same dtype for as long as the process lives? Types that Python code has
 * made may change their mind, and dtypes with fields their names. */
static bool is_lasting(PyObject *object)
{
	return PyUnicode_Check(object) ||
	       (PyType_Check(object) &&
		!(PyType_GetFlags((PyTypeObject *)object) & Py_TPFLAGS_HEAPTYPE));
}

/* What _dtypes.encode returns; remembered where it can't change. A new reference. */
static PyObject *encoding_of(struct pystate *state, PyObject *object)
{
	bool lasting = is_lasting(object);
	PyObject *encoded = lasting ? PyDict_GetItemWithError(state->encodings, object) : NULL;
	PyObject *dtype, *kept;

	Py_XINCREF(encoded);
	if (encoded || PyErr_Occurred())
		return encoded;
	dtype = pydtype_from(state, object);
	encoded = dtype ? PyObject_CallFunctionObjArgs(state->encode, dtype, NULL) : NULL;
	Py_XDECREF(dtype);
	if (!encoded || !lasting || PyDict_Size(state->encodings) >= DTYPES_MAX)
		return encoded;
	kept = PyObject_CallMethod(state->encodings, "setdefault", "OO", object, encoded);
	Py_DECREF(encoded);
	return kept;
}

int pydtype_encode(struct pystate *state, PyObject *object, struct pydtype_text *ret_text)
{
	PyObject *encoded = encoding_of(state, object);
	int r;

	memset(ret_text, 0, sizeof(*ret_text));
	if (!encoded)
		return -1;
	r = unpack(encoded, ret_text);
	Py_DECREF(encoded);
	if (r < 0)
		pydtype_text_deinit(ret_text);
	return r;
}

void pydtype_text_deinit(struct pydtype_text *text)
{
	Py_CLEAR(text->descr_bytes);
	Py_CLEAR(text->name_bytes);
	Py_CLEAR(text->subshape);
}

/*
 * What _dtypes.decode says of a text: a dtype, or what to make one from where it has fields.
 * Remembered, unless an extension's name is involved: its package may be imported later.
 */
static PyObject *recipe_of(struct pystate *state, PyObject *text, const char *name,
			   uint64_t itemsize)
{
	PyObject *recipe = NULL, *kept;

	if (!*name) {
		recipe = PyDict_GetItemWithError(state->dtypes, text);
		Py_XINCREF(recipe);
		if (recipe || PyErr_Occurred())
			return recipe;
	}
	recipe = PyObject_CallFunction(state->decode, "OsK", text, name,
				       (unsigned long long)itemsize);
	if (!recipe || *name || PyDict_Size(state->dtypes) >= DTYPES_MAX)
		return recipe;
	/* Two threads may come here at once: the first entry stays, since others borrow it. */
	kept = PyObject_CallMethod(state->dtypes, "setdefault", "OO", text, recipe);
	Py_DECREF(recipe);
	return kept;
}

PyObject *pydtype_decode(struct pystate *state, const char *descr, const char *name,
			 uint64_t itemsize)
{
	PyObject *text = PyUnicode_DecodeUTF8(descr, (Py_ssize_t)strlen(descr), "surrogateescape");
	PyObject *recipe = text ? recipe_of(state, text, name, itemsize) : NULL;
	PyObject *dtype = recipe ? pydtype_from(state, recipe) : NULL;

	Py_XDECREF(recipe);
	Py_XDECREF(text);
	return dtype;
}

/* Programs written around SharedArray 3.2.4, which knows no fields, may ask for its ways. */
static bool fields_are_void(void)
{
	const char *wish = getenv("SHARR_STRUCTURED");

	return wish && strcmp(wish, "void") == 0;
}

PyObject *pydtype_of_array(struct pystate *state, const struct sharr_info *info)
{
	char text[32];

	if (info->dtype[0] != '[' || !fields_are_void())
		return pydtype_decode(state, info->dtype, info->dtype_name, info->itemsize);
	snprintf(text, sizeof(text), "|V%llu", (unsigned long long)info->itemsize);
	return pydtype_decode(state, text, "", info->itemsize);
}
