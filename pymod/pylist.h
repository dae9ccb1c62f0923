/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list(). What it returned last is kept, so that the next one makes no new item for an array that is
 * what it was: an ArrayDesc never changes.
 */
#ifndef PYMOD_PYLIST_H
#define PYMOD_PYLIST_H

#include "pystate.h"

/* The module's function. */
PyObject *pylist_list(PyObject *module, PyObject *args, PyObject *kwargs);

/* Of pystate.listed, at the end of the module. NULL is fine. */
void pylist_forget(struct pylist_items *items);

#endif
