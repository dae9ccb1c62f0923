/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyowner.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <structmember.h>
#include <sys/mman.h>

#include "pyerror.h"

/*
 * The buffer protocol entered the stable ABI with Python 3.11, unchanged since 3.9: its struct, and
 * the numbers of its slots and flags, are declared here because the headers hide them from older
 * targets.
 */
struct buffer_view {
	void *buf;
	PyObject *obj; /* owned */
	Py_ssize_t len;
	Py_ssize_t itemsize;
	int readonly;
	int ndim;
	const char *format;
	Py_ssize_t *shape;
	Py_ssize_t *strides;
	Py_ssize_t *suboffsets;
	void *internal;
};

enum {
	SLOT_GETBUFFER = 1,
	BUFFER_WRITABLE = 0x1,
	BUFFER_FORMAT = 0x4,
	BUFFER_ND = 0x8,
	BUFFER_STRIDES = 0x18,
};

/* Below this many bytes munmap takes no longer than to hand the GIL over. */
enum { QUICK_BYTES = 1 << 20 };

/* Detaching an ephemeral array may delete its file. */
static bool is_quick_to_detach(const struct sharr *array)
{
	return sharr_map_bytes(array) < QUICK_BYTES &&
	       !(sharr_info(array)->flags & SHARR_EPHEMERAL);
}

static int pyowner_getbuffer(PyObject *self, struct buffer_view *view, int flags)
{
	struct pyowner *owner = (struct pyowner *)self;

	view->obj = NULL;
	if ((flags & BUFFER_WRITABLE) && owner->readonly) {
		PyErr_SetString(PyExc_BufferError, "this array was attached read-only");
		return -1;
	}
	view->buf = sharr_data(owner->array);
	view->len = (Py_ssize_t)sharr_info(owner->array)->nbytes;
	view->itemsize = 1;
	view->readonly = owner->readonly;
	view->ndim = 1;
	view->format = (flags & BUFFER_FORMAT) ? "B" : NULL;
	view->shape = (flags & BUFFER_ND) ? &view->len : NULL;
	view->strides = (flags & BUFFER_STRIDES) == BUFFER_STRIDES ? &view->itemsize : NULL;
	view->suboffsets = NULL;
	view->internal = NULL;
	view->obj = self;
	Py_INCREF(self);
	return 0;
}

static PyObject *pyowner_type_call(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	PyErr_SetString(PyExc_TypeError, "cannot create 'SharedArray.map_owner' instances");
	return NULL;
}

PyObject *pyowner_new(struct pystate *state, struct sharr *array, PyObject *name, int readonly)
{
	struct pyowner *owner = PyObject_New(struct pyowner, (PyTypeObject *)state->owner_type);

	if (!owner) {
		sharr_detach(array);
		return NULL;
	}
	owner->array = array;
	owner->name = name;
	owner->readonly = readonly;
	atomic_init(&owner->publishing, false);
	owner->weakrefs = NULL;
	Py_INCREF(name);
	return (PyObject *)owner;
}

static void pyowner_dealloc(PyObject *self)
{
	struct pyowner *owner = (struct pyowner *)self;
	PyTypeObject *type = Py_TYPE(self);

	if (owner->weakrefs)
		PyObject_ClearWeakRefs(self);
	if (is_quick_to_detach(owner->array)) {
		sharr_detach(owner->array);
	} else {
		Py_BEGIN_ALLOW_THREADS sharr_detach(owner->array);
		Py_END_ALLOW_THREADS
	}
	Py_DECREF(owner->name);
	PyObject_Free(self);
	Py_DECREF(type);
}

/* What an array or a memoryview is a view of. A new reference; NULL without an exception if
 * nothing. */
static PyObject *base_of(struct pystate *state, PyObject *object)
{
	PyObject *base = PyObject_GetAttr(object, state->str_base);

	if (!base) {
		PyErr_Clear();
		base = PyObject_GetAttr(object, state->str_obj);
	}
	if (!base)
		PyErr_Clear();
	if (base == Py_None)
		Py_CLEAR(base);
	return base;
}

struct pyowner *pyowner_search(struct pystate *state, PyObject *object)
{
	PyObject *at = object, *base;

	Py_INCREF(at);
	/* numpy keeps such chains short; the bound is for objects that are their own base. */
	for (int depth = 0; at && depth < 64; depth++) {
		if (Py_TYPE(at) == (PyTypeObject *)state->owner_type)
			return (struct pyowner *)at;
		base = base_of(state, at);
		Py_DECREF(at);
		at = base;
	}
	Py_XDECREF(at);
	return NULL;
}

struct pyowner *pyowner_find(struct pystate *state, PyObject *object)
{
	struct pyowner *owner = pyowner_search(state, object);

	if (!owner)
		PyErr_Format(PyExc_TypeError, "expected a shared array or a view of one, got %R",
			     (PyObject *)Py_TYPE(object));
	return owner;
}

int pyowner_msync(struct pyowner *owner, int flags)
{
	int r;

	Py_BEGIN_ALLOW_THREADS r =
		msync(sharr_data(owner->array), sharr_map_bytes(owner->array), flags) < 0 ? -errno
											  : 0;
	Py_END_ALLOW_THREADS return r;
}

int pyowner_mlock(struct pyowner *owner)
{
	int r;

	Py_BEGIN_ALLOW_THREADS r =
		mlock(sharr_data(owner->array), sharr_map_bytes(owner->array)) < 0 ? -errno : 0;
	Py_END_ALLOW_THREADS return r;
}

int pyowner_munlock(struct pyowner *owner)
{
	int r;

	Py_BEGIN_ALLOW_THREADS r =
		munlock(sharr_data(owner->array), sharr_map_bytes(owner->array)) < 0 ? -errno : 0;
	Py_END_ALLOW_THREADS return r;
}

static PyObject *outcome(struct pyowner *owner, int r)
{
	if (r < 0)
		return pyerror_raise_os(-r, NULL, owner->name);
	Py_RETURN_NONE;
}

static PyObject *method_msync(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char flags_word[] = "flags"; /* not const: what Python 3.9 declares */
	static char *keywords[] = {flags_word, NULL};
	int flags = MS_SYNC;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i:msync", keywords, &flags))
		return NULL;
	return outcome((struct pyowner *)self, pyowner_msync((struct pyowner *)self, flags));
}

static PyObject *method_mlock(PyObject *self, PyObject *unused)
{
	return outcome((struct pyowner *)self, pyowner_mlock((struct pyowner *)self));
}

static PyObject *method_munlock(PyObject *self, PyObject *unused)
{
	return outcome((struct pyowner *)self, pyowner_munlock((struct pyowner *)self));
}

static PyObject *get_name(PyObject *self, void *unused)
{
	PyObject *name = ((struct pyowner *)self)->name;

	Py_INCREF(name);
	return name;
}

static PyObject *get_addr(PyObject *self, void *unused)
{
	return PyLong_FromVoidPtr(sharr_data(((struct pyowner *)self)->array));
}

static PyObject *get_size(PyObject *self, void *unused)
{
	return PyLong_FromSize_t(sharr_map_bytes(((struct pyowner *)self)->array));
}

static PyObject *get_readonly(PyObject *self, void *unused)
{
	return PyBool_FromLong(((struct pyowner *)self)->readonly);
}

/* Of an array by SharedArray, which does not say when it was made, the file's last change has to do. */
static PyObject *get_identity(PyObject *self, void *unused)
{
	const struct sharr_info *info = sharr_info(((struct pyowner *)self)->array);
	uint64_t stamp_ns = info->created_ns ? info->created_ns : info->changed_ns;

	return Py_BuildValue("KK", (unsigned long long)info->inode, (unsigned long long)stamp_ns);
}

static PyObject *pyowner_repr(PyObject *self)
{
	struct pyowner *owner = (struct pyowner *)self;

	return PyUnicode_FromFormat("<SharedArray.map_owner of %R, %zu bytes at %p>", owner->name,
				    sharr_map_bytes(owner->array), sharr_data(owner->array));
}

PyObject *pyowner_type_new(void)
{
	static char doc[] = "The map under a shared array: its `.base`.";
	static PyMethodDef methods[] = {
		{"msync", (PyCFunction)(void (*)(void))method_msync, METH_VARARGS | METH_KEYWORDS,
		 "msync($self, flags=4)\n--\n\nWrite the map to its storage: MS_ASYNC, MS_SYNC "
		 "(the default) or "
		 "MS_INVALIDATE."},
		{"mlock", method_mlock, METH_NOARGS,
		 "mlock($self)\n--\n\nKeep the whole map in memory."},
		{"munlock", method_munlock, METH_NOARGS, "munlock($self)\n--\n\nUndo mlock()."},
		{NULL},
	};
	static PyGetSetDef attributes[] = {
		{"name", get_name, NULL, "the name, exactly as create() or attach() was given it"},
		{"addr", get_addr, NULL, "where the data lie in this process's memory"},
		{"size", get_size, NULL, "bytes of the map: the data and what lies behind them"},
		{"readonly", get_readonly, NULL, "whether the map is for reading only"},
		{"identity", get_identity, NULL,
		 "what tells the array from one made later under its name: its file's inode, and "
		 "when it was created, in ns since 1970"},
		{NULL},
	};
	static PyMemberDef members[] = {
		{"__weaklistoffset__", T_PYSSIZET, offsetof(struct pyowner, weakrefs), READONLY},
		{NULL},
	};
	static PyType_Slot slots[] = {
		{SLOT_GETBUFFER, pyowner_getbuffer},
		{Py_tp_new, pyowner_type_call},
		{Py_tp_dealloc, pyowner_dealloc},
		{Py_tp_repr, pyowner_repr},
		{Py_tp_methods, methods},
		{Py_tp_getset, attributes},
		{Py_tp_members, members},
		{Py_tp_doc, doc},
		{0, NULL},
	};
	static PyType_Spec spec = {
		.name = "SharedArray.map_owner",
		.basicsize = sizeof(struct pyowner),
		.flags = Py_TPFLAGS_DEFAULT,
		.slots = slots,
	};

	return PyType_FromSpec(&spec);
}
