/* SPDX-License-Identifier: BSD-3-Clause */
#include "pysync.h"

#include <errno.h>
#include <stdbool.h>

#include "deadline.h"
#include "origin.h"
#include "pyargs.h"
#include "pyarray.h"
#include "pyerror.h"
#include "pyowner.h"
#include "pystate.h"

/*
 * Without the GIL for so long at a time: a signal that comes after the last look for signals and
 * before the wait begins does not interrupt it.
 */
enum { SLICE_NS = 250000000 };

/* What lock() and writing() return. It refers to no array, so that one may keep its own guard. */
struct guard {
	PyObject_HEAD struct pyowner *owner; /* owned */
	PyObject *owner_died;                /* the exception; owned */
	int (*begin)(struct guard *guard);
	int (*end)(struct sharr *array);
	int64_t timeout_ns;
	unsigned begun_at; /* origin_fork_count() when it was begun last */
};

static PyObject *raise(PyObject *owner_died, int r, PyObject *name)
{
	PyObject *exception;

	if (r != -EOWNERDEAD)
		return pyerror_raise_os(-r, *sharr_error() ? sharr_error() : NULL, name);
	exception = PyObject_CallFunction(owner_died, "isO", -r, sharr_error(), name);
	if (exception)
		PyErr_SetObject(owner_died, exception);
	Py_XDECREF(exception);
	return NULL;
}

/* None is for ever. */
static int parse_timeout(PyObject *object, int64_t *ret_timeout_ns)
{
	double seconds;

	*ret_timeout_ns = -1;
	if (!object || object == Py_None)
		return 0;
	seconds = PyFloat_AsDouble(object);
	if (seconds == -1 && PyErr_Occurred())
		return -1;
	if (!(seconds >= 0)) {
		PyErr_Format(PyExc_ValueError,
			     "timeout must be seconds from 0 on, or None for ever, not %R", object);
		return -1;
	}
	if (seconds < 9e9)
		*ret_timeout_ns = (int64_t)(seconds * 1e9);
	return 0;
}

/*
 * For what sleeps until it is woken, or interrupted, be it for ever: as os.read() does. 1 with the
 * exception of a signal's handler.
 */
static int wait_for_ever(int (*wait)(void *what, int64_t timeout_ns), void *what)
{
	int r;

	do {
		Py_BEGIN_ALLOW_THREADS r = wait(what, -1);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	return r == -EINTR ? 1 : r;
}

/* Without the GIL until `wait` has an outcome, or 1 with the exception of a signal's handler. */
static int wait_long(int (*wait)(void *what, int64_t timeout_ns), void *what, int64_t timeout_ns)
{
	int64_t start = deadline_now();

	for (;;) {
		int64_t left = timeout_ns < 0 ? INT64_MAX : timeout_ns - (deadline_now() - start);
		bool last = left <= SLICE_NS;
		int r;

		left = left < 0 ? 0 : last ? left : SLICE_NS;
		Py_BEGIN_ALLOW_THREADS r = wait(what, left);
		Py_END_ALLOW_THREADS if (r != -EINTR && (last || r != -ETIMEDOUT)) return r;
		if (PyErr_CheckSignals() < 0)
			return 1;
	}
}

static int lock_for(void *array, int64_t timeout_ns)
{
	return sharr_lock(array, timeout_ns);
}

/* A free lock is taken with the GIL kept: to hand that over may cost more than all the rest. */
static int begin_lock(struct guard *guard)
{
	int r = sharr_lock(guard->owner->array, 0);

	return r == -ETIMEDOUT && guard->timeout_ns != 0
		       ? wait_long(lock_for, guard->owner->array, guard->timeout_ns)
		       : r;
}

static int begin_writing(struct guard *guard)
{
	return sharr_write_begin(guard->owner->array);
}

static PyObject *guard_begin(PyObject *self, PyObject *unused)
{
	struct guard *guard = (struct guard *)self;
	int r = guard->begin(guard);

	if (r > 0)
		return NULL;
	if (r < 0)
		return raise(guard->owner_died, r, guard->owner->name);
	guard->begun_at = origin_fork_count();
	Py_RETURN_NONE;
}

static PyObject *guard_end(PyObject *self, PyObject *unused)
{
	struct guard *guard = (struct guard *)self;
	int r = guard->end(guard->owner->array);

	if (r < 0)
		return raise(guard->owner_died, r, guard->owner->name);
	Py_RETURN_NONE;
}

/* A child that was forked within the block comes to its end too, and has nothing to give back. */
static PyObject *guard_exit(PyObject *self, PyObject *unused)
{
	const struct guard *guard = (struct guard *)self;
	int r = guard->end(guard->owner->array);

	if (r < 0 && guard->begun_at == origin_fork_count())
		return raise(guard->owner_died, r, guard->owner->name);
	Py_RETURN_NONE;
}

static void guard_dealloc(PyObject *self)
{
	struct guard *guard = (struct guard *)self;
	PyTypeObject *type = Py_TYPE(self);

	Py_DECREF(guard->owner);
	Py_DECREF(guard->owner_died);
	PyObject_Free(self);
	Py_DECREF(type);
}

static PyObject *guard_type_call(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	PyErr_SetString(PyExc_TypeError, "lock() and writing() make these");
	return NULL;
}

PyObject *pysync_guard_type_new(void)
{
	static char doc[] = "What lock() and writing() return: for `with`.";
	static PyMethodDef methods[] = {
		{"acquire", guard_begin, METH_NOARGS,
		 "acquire($self)\n--\n\nWhat the beginning of a `with` block does."},
		{"release", guard_end, METH_NOARGS,
		 "release($self)\n--\n\nWhat the end of a `with` block does."},
		{"__enter__", guard_begin, METH_NOARGS, NULL},
		{"__exit__", guard_exit, METH_VARARGS, NULL},
		{NULL},
	};
	static PyType_Slot slots[] = {
		{Py_tp_new, guard_type_call},
		{Py_tp_dealloc, guard_dealloc},
		{Py_tp_methods, methods},
		{Py_tp_doc, doc},
		{0, NULL},
	};
	static PyType_Spec spec = {
		.name = "SharedArray.guard",
		.basicsize = sizeof(struct guard),
		.flags = Py_TPFLAGS_DEFAULT,
		.slots = slots,
	};

	return PyType_FromSpec(&spec);
}

static struct guard *guard_new(PyObject *module, PyObject *array)
{
	struct pystate *state = pystate_of(module);
	struct pyowner *owner = pyowner_find(state, array);
	struct guard *guard =
		owner ? PyObject_New(struct guard, (PyTypeObject *)state->guard_type) : NULL;

	if (!guard) {
		Py_XDECREF(owner);
		return NULL;
	}
	guard->owner = owner;
	guard->owner_died = state->owner_died;
	Py_INCREF(state->owner_died);
	guard->timeout_ns = -1;
	guard->begun_at = 0;
	return guard;
}

PyObject *pysync_lock(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"lock", 2, 1, {"array", "timeout", NULL}};
	PyObject *values[PYARGS_MAX];
	struct guard *guard;
	int64_t timeout_ns;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 ||
	    parse_timeout(values[1], &timeout_ns) < 0)
		return NULL;
	guard = guard_new(module, values[0]);
	if (!guard)
		return NULL;
	guard->begin = begin_lock;
	guard->end = sharr_unlock;
	guard->timeout_ns = timeout_ns;
	return (PyObject *)guard;
}

PyObject *pysync_writing(PyObject *module, PyObject *array)
{
	struct guard *guard = guard_new(module, array);

	if (!guard)
		return NULL;
	guard->begin = begin_writing;
	guard->end = sharr_write_end;
	return (PyObject *)guard;
}

PyObject *pysync_event(PyObject *module, PyObject *array)
{
	struct pystate *state = pystate_of(module);
	struct pyowner *owner = pyowner_find(state, array);
	PyObject *result;
	uint32_t count;
	int r;

	if (!owner)
		return NULL;
	r = sharr_event(owner->array, &count);
	result = r < 0 ? raise(state->owner_died, r, owner->name) : PyLong_FromUnsignedLong(count);
	Py_DECREF(owner);
	return result;
}

PyObject *pysync_notify(PyObject *module, PyObject *array)
{
	struct pystate *state = pystate_of(module);
	struct pyowner *owner = pyowner_find(state, array);
	int r;

	if (!owner)
		return NULL;
	r = sharr_notify(owner->array);
	if (r < 0)
		raise(state->owner_died, r, owner->name);
	Py_DECREF(owner);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

struct event_wait {
	const struct sharr *array;
	uint32_t seen;
	uint32_t count;
};

static int wait_for(void *what, int64_t timeout_ns)
{
	struct event_wait *wait = what;

	return sharr_wait(wait->array, wait->seen, timeout_ns, &wait->count);
}

static int parse_seen(PyObject *object, uint32_t *ret_seen)
{
	unsigned long seen = PyLong_AsUnsignedLong(object);

	if (seen == (unsigned long)-1 && PyErr_Occurred()) {
		if (!PyErr_ExceptionMatches(PyExc_OverflowError))
			return -1;
		PyErr_Clear();
	}
	*ret_seen = (uint32_t)seen;
	if (seen == *ret_seen)
		return 0;
	PyErr_Format(PyExc_ValueError, "seen must be what event() or wait() has returned, not %R",
		     object);
	return -1;
}

PyObject *pysync_wait(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"wait", 3, 2, {"array", "seen", "timeout", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *values[PYARGS_MAX], *result = NULL;
	struct event_wait wait;
	struct pyowner *owner;
	int64_t timeout_ns;
	int r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 ||
	    parse_timeout(values[2], &timeout_ns) < 0 || parse_seen(values[1], &wait.seen) < 0)
		return NULL;
	owner = pyowner_find(state, values[0]);
	if (!owner)
		return NULL;
	wait.array = owner->array;
	r = sharr_event(owner->array, &wait.count);
	if (r == 0 && wait.count == wait.seen)
		r = timeout_ns < 0 ? wait_for_ever(wait_for, &wait)
				   : wait_long(wait_for, &wait, timeout_ns);
	if (r < 0)
		raise(state->owner_died, r, owner->name);
	else if (r == 0)
		result = PyLong_FromUnsignedLong(wait.count);
	Py_DECREF(owner);
	return result;
}

struct snapshot {
	const struct sharr *array;
	void *buffer;
};

static int snapshot_for(void *what, int64_t timeout_ns)
{
	const struct snapshot *snapshot = what;

	return sharr_snapshot(snapshot->array, snapshot->buffer, timeout_ns);
}

/* -1 with an exception. */
static int take_snapshot(struct pystate *state, struct pyowner *owner, PyObject *target,
			 int64_t timeout_ns)
{
	struct pyarray_memory memory;
	struct snapshot snapshot;
	int r;

	if (pyarray_memory_find(state, target, &memory) < 0)
		return -1;
	snapshot.array = owner->array;
	snapshot.buffer = memory.data;
	r = wait_long(snapshot_for, &snapshot, timeout_ns);
	if (r < 0)
		raise(state->owner_died, r, owner->name);
	pyarray_memory_deinit(&memory);
	return r == 0 ? 0 : -1;
}

PyObject *pysync_snapshot(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"snapshot", 2, 1, {"array", "timeout", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *values[PYARGS_MAX], *copy = NULL, *result = NULL;
	struct pyarray_memory memory;
	struct pyowner *owner;
	int64_t timeout_ns;

	if (pyargs_bind(&spec, args, kwargs, values) < 0 ||
	    parse_timeout(values[1], &timeout_ns) < 0)
		return NULL;
	owner = pyowner_find(state, values[0]);
	if (!owner)
		return NULL;
	if (pyarray_memory_find(state, values[0], &memory) == 0) {
		copy = pyarray_private(state, sharr_info(owner->array));
		if (copy && take_snapshot(state, owner, copy, timeout_ns) == 0)
			result = Py_BuildValue("On", copy,
					       (Py_ssize_t)((char *)memory.data -
							    (char *)sharr_data(owner->array)));
		pyarray_memory_deinit(&memory);
	}
	Py_XDECREF(copy);
	Py_DECREF(owner);
	return result;
}
