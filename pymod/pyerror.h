/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libsharr's errnos as Python exceptions. Those that SharedArray 3.2.4 raised too keep its type,
 * arguments and filename, since programs tell them apart by these; the others say in words what
 * libsharr found out.
 */
#ifndef PYMOD_PYERROR_H
#define PYMOD_PYERROR_H

#include "pystate.h"

/*
 * Raise what the negative errno `r` of the last libsharr call in this thread means. `name` is what
 * the caller named, or NULL. Call it before anything else that may call libsharr, dropping a
 * reference included. Returns NULL.
 */
PyObject *pyerror_raise(struct pystate *state, int r, PyObject *name);

/* OSError of a positive errno, with `text` in place of strerror's; `text` and `name` may be NULL.
 * Returns NULL. */
PyObject *pyerror_raise_os(int number, const char *text, PyObject *name);

#endif
