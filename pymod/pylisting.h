/* SPDX-License-Identifier: BSD-3-Clause */
/* list() and info(), and the types of what they return: ArrayDesc and ArrayInfo. */
#ifndef PYMOD_PYLISTING_H
#define PYMOD_PYLISTING_H

#include "pystate.h"

/* The types. New references. */
PyObject *pylisting_desc_type_new(void);
PyObject *pylisting_info_type_new(void);

/* The module's functions. */
PyObject *pylisting_list(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pylisting_info(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
