/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Python's headers, as every file of the module wants them first. The module keeps to the stable
 * ABI of Python 3.9 (Py_LIMITED_API comes from meson.build) and to numpy's Python side: one binary
 * for all versions of both. Only a free-threaded Python, which loads no abi3 module, is built for
 * by itself.
 */
#ifndef PYMOD_PYTHON_H
#define PYMOD_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "sharr.h"

#endif
