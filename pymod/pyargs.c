/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyargs.h"

static int bind_keyword(const struct pyargs_spec *spec, PyObject *key, PyObject *value,
			PyObject **values)
{
	for (int i = 0; spec->names[i]; i++) {
		if (PyUnicode_CompareWithASCIIString(key, spec->names[i]) != 0)
			continue;
		if (!values[i]) {
			values[i] = value;
			return 0;
		}
		PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'",
			     spec->function, spec->names[i]);
		return -1;
	}
	PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
		     spec->function, key);
	return -1;
}

int pyargs_bind(const struct pyargs_spec *spec, PyObject *args, PyObject *kwargs,
		PyObject **ret_values)
{
	Py_ssize_t given = PyTuple_Size(args), at = 0;
	PyObject *key, *value;

	if (given > spec->positional) {
		PyErr_Format(PyExc_TypeError,
			     "%s() takes at most %d positional arguments (%zd given)",
			     spec->function, spec->positional, given);
		return -1;
	}
	for (int i = 0; i < PYARGS_MAX; i++)
		ret_values[i] = i < given ? PyTuple_GetItem(args, i) : NULL;
	while (kwargs && PyDict_Next(kwargs, &at, &key, &value))
		if (bind_keyword(spec, key, value, ret_values) < 0)
			return -1;
	for (int i = 0; i < spec->required; i++)
		if (!ret_values[i]) {
			PyErr_Format(PyExc_TypeError,
				     "%s() missing required argument '%s' (pos %d)", spec->function,
				     spec->names[i], i + 1);
			return -1;
		}
	return 0;
}

int pyargs_truth(PyObject *value)
{
	return value ? PyObject_IsTrue(value) : 0;
}

int pyargs_via(PyObject *value, unsigned *ret_flags)
{
	static const struct {
		const char *word;
		unsigned flags;
	} ways[] = {
		{"shm", SHARR_VIA_SHM},
		{"mount", SHARR_VIA_MOUNT},
		{"auto", SHARR_VIA_SHM | SHARR_VIA_MOUNT},
	};

	*ret_flags = 0;
	if (!value || value == Py_None)
		return 0;
	for (size_t i = 0; PyUnicode_Check(value) && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (PyUnicode_CompareWithASCIIString(value, ways[i].word) == 0) {
			*ret_flags = ways[i].flags;
			return 0;
		}
	PyErr_Format(PyExc_ValueError, "via must be 'auto', 'shm' or 'mount', not %R", value);
	return -1;
}
