/* SPDX-License-Identifier: BSD-3-Clause */
/* The module's functions that make arrays: create, put, and the two halves of building. */
#ifndef PYMOD_PYCREATE_H
#define PYMOD_PYCREATE_H

#include "python.h"

PyObject *pycreate_create(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pycreate_put(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pycreate_prepare(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pycreate_publish(PyObject *module, PyObject *array);

#endif
