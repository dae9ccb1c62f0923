/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The module's functions by which processes work together on an array: lock, event, sequence. All
 * wait without the GIL, and a signal whose handler raises ends the wait.
 */
#ifndef PYMOD_PYSYNC_H
#define PYMOD_PYSYNC_H

#include "python.h"

/* The type of what lock() and writing() return. A new reference. */
PyObject *pysync_guard_type_new(void);

PyObject *pysync_lock(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *pysync_writing(PyObject *module, PyObject *array);
PyObject *pysync_event(PyObject *module, PyObject *array);
PyObject *pysync_notify(PyObject *module, PyObject *array);
PyObject *pysync_wait(PyObject *module, PyObject *args, PyObject *kwargs);

/* For snapshot(): the whole array, and where in it the data of the view lie. */
PyObject *pysync_snapshot(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
