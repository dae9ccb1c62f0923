/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SharedArray.map_owner, the `.base` of every shared array: holds the map and gives it up when the
 * last array on it is gone. Arrays are made on its buffer, so that numpy itself keeps it alive for
 * every view of a view, and asks it, not us, whether an array may be made writeable.
 */
#ifndef PYMOD_PYOWNER_H
#define PYMOD_PYOWNER_H

#include <stdatomic.h>

#include "pystate.h"

/* But for `publishing` nothing of it changes while it lives: threads need no lock for it. */
struct pyowner {
	PyObject_HEAD struct sharr *array; /* owned; never NULL */
	PyObject *name;                    /* str or bytes, as the caller wrote it; owned */
	int readonly;
	atomic_bool publishing; /* by a thread, which is the only one meanwhile */
	PyObject *weakrefs;     /* Python's own list of them, or NULL */
};

/* The type. A new reference. */
PyObject *pyowner_type_new(void);

/* A new owner; `array` is its own from here on, on failure too. */
PyObject *pyowner_new(struct pystate *state, struct sharr *array, PyObject *name, int readonly);

/* The owner under an array, a view of a view, a memoryview, or itself. A new reference; NULL with a
 * TypeError if there is none. */
struct pyowner *pyowner_find(struct pystate *state, PyObject *object);

/* The same without the error: NULL, and no exception, if there is none. */
struct pyowner *pyowner_search(struct pystate *state, PyObject *object);

/* The system calls on its whole map; they return 0 or a negative errno, with the GIL released
 * meanwhile. */
int pyowner_msync(struct pyowner *owner, int flags);
int pyowner_mlock(struct pyowner *owner);
int pyowner_munlock(struct pyowner *owner);

#endif
