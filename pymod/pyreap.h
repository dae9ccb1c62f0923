/* SPDX-License-Identifier: BSD-3-Clause */
/* For reap(): what sharr_reap tells, as a list of (name, outcome, why). */
#ifndef PYMOD_PYREAP_H
#define PYMOD_PYREAP_H

#include "python.h"

/* (group or None, dead_creator, dry_run) */
PyObject *pyreap_reap(PyObject *module, PyObject *args);

#endif
