/* SPDX-License-Identifier: BSD-3-Clause */
#include "pylisting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pyargs.h"
#include "pydtype.h"
#include "pyerror.h"
#include "pyname.h"
#include "pyshape.h"

enum {
	DESC_NAME,
	DESC_DTYPE,
	DESC_DIMS,
	DESC_VISIBLE,
	DESC_DESCR = DESC_VISIBLE,
	DESC_ORDER,
	DESC_NBYTES
};

enum {
	INFO_NAME,
	INFO_DTYPE,
	INFO_SHAPE,
	INFO_ORDER,
	INFO_NBYTES,
	INFO_OWNER,
	INFO_GROUP,
	INFO_MODE,
	INFO_CREATED,
	INFO_CREATOR,
	INFO_EPHEMERAL,
	INFO_ATTACHED,
	INFO_UNREADABLE,
	INFO_COUNT,
};

PyObject *pylisting_desc_type_new(void)
{
	static PyStructSequence_Field fields[] = {
		[DESC_NAME] = {"name", "name in the store, without a prefix; bytes, as given back "
				       "to attach() or delete()"},
		[DESC_DTYPE] = {"dtype", "scalar type of the elements, such as numpy.float64"},
		[DESC_DIMS] = {"dims", "shape, a tuple of int"},
		[DESC_DESCR] = {"descr", "the numpy.dtype, with fields, byte order and units"},
		[DESC_ORDER] = {"order", "'C' or 'F'"},
		[DESC_NBYTES] = {"nbytes", "bytes of the data"},
		{NULL},
	};
	static PyStructSequence_Desc desc = {
		.name = "SharedArray.ArrayDesc",
		.doc = "What list() tells of one array. As a tuple: (name, dtype, dims).",
		.fields = fields,
		.n_in_sequence = DESC_VISIBLE,
	};

	return (PyObject *)PyStructSequence_NewType(&desc);
}

PyObject *pylisting_info_type_new(void)
{
	static PyStructSequence_Field fields[] = {
		[INFO_NAME] = {"name", "the name, as info() was given it"},
		[INFO_DTYPE] = {"dtype", "the numpy.dtype"},
		[INFO_SHAPE] = {"shape", "tuple of int"},
		[INFO_ORDER] = {"order", "'C' or 'F'"},
		[INFO_NBYTES] = {"nbytes", "bytes of the data"},
		[INFO_OWNER] = {"owner", "user id of the file's owner"},
		[INFO_GROUP] = {"group", "group id of the file"},
		[INFO_MODE] = {"mode", "permission bits, such as 0o644"},
		[INFO_CREATED] =
			{"created",
			 "seconds since 1970 UTC, a float; None where SharedArray 3.x made it"},
		[INFO_CREATOR] =
			{"creator",
			 "pid of its creator, in that one's pid namespace; None if unknown"},
		[INFO_EPHEMERAL] = {"ephemeral",
				    "whether it goes with the last process that has it"},
		[INFO_ATTACHED] = {"attached", "pids of the processes that map it, a tuple of int; "
					       "None if they were not looked for"},
		[INFO_UNREADABLE] = {"unreadable",
				     "how many processes could not be looked at and may map it "
				     "too; None if they were not looked for"},
		{NULL},
	};
	static PyStructSequence_Desc desc = {
		.name = "SharedArray.ArrayInfo",
		.doc = "What info() tells of one array.",
		.fields = fields,
		.n_in_sequence = INFO_COUNT,
	};

	return (PyObject *)PyStructSequence_NewType(&desc);
}

/* Put `value`, which is given away, into a struct sequence; false if it is NULL. */
static int set(PyObject *sequence, int field, PyObject *value)
{
	if (!value)
		return 0;
	PyStructSequence_SetItem(sequence, field, value);
	return 1;
}

static PyObject *optional(PyObject *value, int known)
{
	if (known)
		return value;
	Py_XDECREF(value);
	Py_RETURN_NONE;
}

static PyObject *order_text(const struct sharr_info *info)
{
	return PyUnicode_FromString(info->order == 'F' ? "F" : "C");
}

PyObject *pylisting_desc_new(struct pystate *state, const struct sharr_info *info)
{
	PyObject *dtype = pydtype_of_array(state, info);
	PyObject *desc = dtype ? PyStructSequence_New((PyTypeObject *)state->desc_type) : NULL;

	if (!desc) {
		Py_XDECREF(dtype);
		return NULL;
	}
	PyStructSequence_SetItem(desc, DESC_DESCR, dtype);
	if (set(desc, DESC_NAME, PyBytes_FromString(info->name)) &&
	    set(desc, DESC_DTYPE, PyObject_GetAttr(dtype, state->str_type)) &&
	    set(desc, DESC_DIMS, pyshape_tuple(info->shape, info->ndim)) &&
	    set(desc, DESC_ORDER, order_text(info)) &&
	    set(desc, DESC_NBYTES, PyLong_FromUnsignedLongLong(info->nbytes)))
		return desc;
	Py_DECREF(desc);
	return NULL;
}

/* The processes that map an array. */
struct users {
	uint32_t *pids; /* owned; NULL if they were not looked for */
	size_t count;
	int unreadable;
};

/* Called without the GIL. More may come while they are counted. */
static int users_find(const char *name, struct users *ret_users)
{
	size_t room = 0;
	int r;

	do {
		free(ret_users->pids);
		room = room ? 2 * ret_users->count : 64;
		ret_users->pids = malloc(room * sizeof(*ret_users->pids));
		if (!ret_users->pids)
			return -ENOMEM;
		r = sharr_attached(name, ret_users->pids, room, &ret_users->count);
	} while (r >= 0 && ret_users->count > room);
	ret_users->unreadable = r;
	return r < 0 ? r : 0;
}

static PyObject *users_tuple(const struct users *users)
{
	PyObject *tuple = PyTuple_New((Py_ssize_t)users->count), *pid;

	for (size_t i = 0; tuple && i < users->count; i++) {
		pid = PyLong_FromUnsignedLong(users->pids[i]);
		if (pid)
			PyTuple_SetItem(tuple, (Py_ssize_t)i, pid);
		else
			Py_CLEAR(tuple);
	}
	return tuple;
}

static PyObject *info_new(struct pystate *state, const struct sharr_info *info,
			  const struct users *users, PyObject *name)
{
	PyObject *result = PyStructSequence_New((PyTypeObject *)state->info_type);

	if (!result)
		return NULL;
	Py_INCREF(name);
	PyStructSequence_SetItem(result, INFO_NAME, name);
	if (set(result, INFO_DTYPE, pydtype_of_array(state, info)) &&
	    set(result, INFO_SHAPE, pyshape_tuple(info->shape, info->ndim)) &&
	    set(result, INFO_ORDER, order_text(info)) &&
	    set(result, INFO_NBYTES, PyLong_FromUnsignedLongLong(info->nbytes)) &&
	    set(result, INFO_OWNER, PyLong_FromUnsignedLong(info->uid)) &&
	    set(result, INFO_GROUP, PyLong_FromUnsignedLong(info->gid)) &&
	    set(result, INFO_MODE, PyLong_FromUnsignedLong(info->mode)) &&
	    set(result, INFO_CREATED,
		optional(PyFloat_FromDouble((double)info->created_ns / 1e9),
			 info->created_ns != 0)) &&
	    set(result, INFO_CREATOR,
		optional(PyLong_FromUnsignedLong(info->creator_pid), info->creator_pid != 0)) &&
	    set(result, INFO_EPHEMERAL, PyBool_FromLong(info->flags & SHARR_EPHEMERAL)) &&
	    set(result, INFO_ATTACHED, optional(users_tuple(users), users->pids != NULL)) &&
	    set(result, INFO_UNREADABLE,
		optional(PyLong_FromLong(users->unreadable), users->pids != NULL)))
		return result;
	Py_DECREF(result);
	return NULL;
}

PyObject *pylisting_info(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"info", 1, 1, {"name", "attached", NULL}};
	struct pystate *state = pystate_of(module);
	PyObject *values[PYARGS_MAX], *result;
	struct sharr_info *info = NULL;
	struct users users = {NULL, 0, 0};
	struct pyname name;
	int attached, r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0)
		return NULL;
	attached = values[1] ? PyObject_IsTrue(values[1]) : 1;
	if (attached < 0 || pyname_init(state, values[0], &name) < 0)
		return NULL;
	Py_BEGIN_ALLOW_THREADS r = sharr_stat(name.text, &info);
	if (r == 0 && attached)
		r = users_find(name.text, &users);
	Py_END_ALLOW_THREADS result = r < 0 ? pyerror_raise(state, r, name.given)
					    : info_new(state, info, &users, name.plain);
	sharr_info_free(info);
	free(users.pids);
	pyname_deinit(&name);
	return result;
}
