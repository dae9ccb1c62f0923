/* SPDX-License-Identifier: BSD-3-Clause */
/* info(), and what it and list() return: ArrayInfo and ArrayDesc. */
#ifndef PYMOD_PYLISTING_H
#define PYMOD_PYLISTING_H

#include "pystate.h"

/* The types. New references. */
PyObject *pylisting_desc_type_new(void);
PyObject *pylisting_info_type_new(void);

/* An ArrayDesc, a new reference. */
PyObject *pylisting_desc_new(struct pystate *state, const struct sharr_info *info);

/* The module's function. */
PyObject *pylisting_info(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
