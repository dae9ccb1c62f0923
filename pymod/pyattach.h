/* SPDX-License-Identifier: BSD-3-Clause */
/* The module's functions on arrays that exist: attach, copy, delete. */
#ifndef PYMOD_PYATTACH_H
#define PYMOD_PYATTACH_H

#include "python.h"

PyObject *pyattach_attach(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pyattach_copy(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pyattach_delete(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
