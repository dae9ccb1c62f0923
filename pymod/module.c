/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SharedArray._sharr: the functions of SharedArray, which its __init__.py hands on as they are. All
 * state is the module's own. There is no m_clear: arrays that a garbage collection frees late still
 * want to attach and delete in their __del__, and nothing in the state refers back to the module.
 *
 * Nothing relies on the GIL. The state is set at import and only read then, but for two dicts, to
 * which entries are added by one call of the dict itself and which never lose one (pydtype.c), and
 * for what list() keeps, which is taken and put back by atomic exchanges (pylist.c). An owner does not
 * change while it lives, but for an atomic flag (pyowner.h). Arguments are borrowed
 * from the tuple and the dict of this call; what is found in an object of the caller's is a
 * reference of its own. libsharr takes care of itself.
 */
#include "python.h"

#include <sys/mman.h>

#include "docs.h"
#include "docs_sync.h"
#include "pyargs.h"
#include "pyattach.h"
#include "pyattrs.h"
#include "pycreate.h"
#include "pyerror.h"
#include "pylist.h"
#include "pylisting.h"
#include "pyowner.h"
#include "pyreap.h"
#include "pystate.h"
#include "pysync.h"

static PyObject *on_owner(PyObject *module, PyObject *array, int (*call)(struct pyowner *owner))
{
	struct pyowner *owner = pyowner_find(pystate_of(module), array);
	int r;

	if (!owner)
		return NULL;
	r = call(owner);
	if (r < 0)
		pyerror_raise_os(-r, NULL, owner->name);
	Py_DECREF(owner);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *module_owner(PyObject *module, PyObject *array)
{
	PyObject *owner = (PyObject *)pyowner_search(pystate_of(module), array);

	if (owner)
		return owner;
	Py_RETURN_NONE;
}

static PyObject *module_mlock(PyObject *module, PyObject *array)
{
	return on_owner(module, array, pyowner_mlock);
}

static PyObject *module_munlock(PyObject *module, PyObject *array)
{
	return on_owner(module, array, pyowner_munlock);
}

static PyObject *module_msync(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"msync", 2, 1, {"array", "flags", NULL}};
	PyObject *values[PYARGS_MAX];
	struct pyowner *owner;
	long flags = MS_SYNC;
	int r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0)
		return NULL;
	if (values[1]) {
		flags = PyLong_AsLong(values[1]);
		if (flags == -1 && PyErr_Occurred())
			return NULL;
	}
	owner = pyowner_find(pystate_of(module), values[0]);
	if (!owner)
		return NULL;
	r = pyowner_msync(owner, flags == (int)flags ? (int)flags : -1);
	if (r < 0)
		pyerror_raise_os(-r, NULL, owner->name);
	Py_DECREF(owner);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

#define WITH_KEYWORDS(function)                                                                    \
	(PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

static PyMethodDef module_methods[] = {
	{"create", WITH_KEYWORDS(pycreate_create), DOC_CREATE},
	{"attach", WITH_KEYWORDS(pyattach_attach), DOC_ATTACH},
	{"delete", WITH_KEYWORDS(pyattach_delete), DOC_DELETE},
	{"list", WITH_KEYWORDS(pylist_list), DOC_LIST},
	{"info", WITH_KEYWORDS(pylisting_info), DOC_INFO},
	{"put", WITH_KEYWORDS(pycreate_put), DOC_PUT},
	{"copy", WITH_KEYWORDS(pyattach_copy), DOC_COPY},
	{"msync", WITH_KEYWORDS(module_msync), DOC_MSYNC},
	{"mlock", module_mlock, METH_O, DOC_MLOCK},
	{"munlock", module_munlock, METH_O, DOC_MUNLOCK},
	{"lock", WITH_KEYWORDS(pysync_lock), DOC_LOCK},
	{"event", pysync_event, METH_O, DOC_EVENT},
	{"notify", pysync_notify, METH_O, DOC_NOTIFY},
	{"wait", WITH_KEYWORDS(pysync_wait), DOC_WAIT},
	{"writing", pysync_writing, METH_O, DOC_WRITING},
	{"_snapshot", WITH_KEYWORDS(pysync_snapshot), "For snapshot(): of the whole array."},
	{"_owner", module_owner, METH_O, "For share(): the map under an array, or None."},
	{"_attrs_get", pyattrs_get, METH_O, "For attrs(): all of them, as bytes."},
	{"_attrs_set", WITH_KEYWORDS(pyattrs_set),
	 "For attrs(): set some, and remove those of None."},
	{"_reap", pyreap_reap, METH_VARARGS, "For reap()."},
	{"_prepare", WITH_KEYWORDS(pycreate_prepare),
	 "For building(): an array that no one can see yet."},
	{"_publish", pycreate_publish, METH_O, "For building(): make a prepared array visible."},
	{NULL},
};

static int add(PyObject *module, const char *name, PyObject *value)
{
	int r = value ? PyObject_SetAttrString(module, name, value) : -1;

	Py_XDECREF(value);
	return r;
}

static int module_exec(PyObject *module)
{
	struct pystate *state = pystate_of(module);

	if (pystate_init(state) < 0)
		return -1;
	if (PyObject_SetAttrString(module, "ArrayDesc", state->desc_type) < 0 ||
	    PyObject_SetAttrString(module, "ArrayInfo", state->info_type) < 0 ||
	    PyObject_SetAttrString(module, "map_owner", state->owner_type) < 0)
		return -1;
	if (add(module, "MS_ASYNC", PyLong_FromLong(MS_ASYNC)) < 0 ||
	    add(module, "MS_SYNC", PyLong_FromLong(MS_SYNC)) < 0 ||
	    add(module, "MS_INVALIDATE", PyLong_FromLong(MS_INVALIDATE)) < 0 ||
	    add(module, "__version__", PyUnicode_FromString(sharr_version())) < 0)
		return -1;
	return 0;
}

static void module_free(void *module)
{
	struct pystate *state = pystate_of(module);

	if (state)
		pystate_deinit(state);
}

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
	{Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED}, /* as numpy */
#endif
#ifdef Py_mod_gil
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
};

static struct PyModuleDef module_definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "SharedArray._sharr",
	.m_doc = "Shared numpy arrays as files: use the package SharedArray.",
	.m_size = sizeof(struct pystate),
	.m_methods = module_methods,
	.m_slots = module_slots,
	.m_free = module_free,
};

PyMODINIT_FUNC PyInit__sharr(void);
PyMODINIT_FUNC PyInit__sharr(void)
{
	return PyModuleDef_Init(&module_definition);
}
