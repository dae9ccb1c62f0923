/* SPDX-License-Identifier: BSD-3-Clause */
#include "pystate.h"

#include "pylist.h"
#include "pylisting.h"
#include "pyowner.h"
#include "pysync.h"

/* module.attribute of a module that is imported for it; a new reference. */
static PyObject *import_attribute(const char *module_name, const char *attribute)
{
	PyObject *module = PyImport_ImportModule(module_name);
	PyObject *value;

	if (!module)
		return NULL;
	value = PyObject_GetAttrString(module, attribute);
	Py_DECREF(module);
	return value;
}

static int init_imports(struct pystate *state)
{
	if (!(state->ndarray = import_attribute("numpy", "ndarray")) ||
	    !(state->dtype = import_attribute("numpy", "dtype")) ||
	    !(state->asarray = import_attribute("numpy", "asarray")) ||
	    !(state->copyto = import_attribute("numpy", "copyto")) ||
	    !(state->encode = import_attribute("SharedArray._dtypes", "encode")) ||
	    !(state->decode = import_attribute("SharedArray._dtypes", "decode")) ||
	    !(state->not_an_array = import_attribute("SharedArray._errors", "NotAnArrayError")) ||
	    !(state->owner_died = import_attribute("SharedArray._errors", "OwnerDiedError")))
		return -1;
	return 0;
}

static int init_constants(struct pystate *state)
{
	const struct {
		PyObject **object;
		const char *text;
	} strings[] = {
		{&state->str_array_struct, "__array_struct__"},
		{&state->str_base, "base"},
		{&state->str_c_contiguous, "c_contiguous"},
		{&state->str_dtype, "dtype"},
		{&state->str_f, "F"},
		{&state->str_f_contiguous, "f_contiguous"},
		{&state->str_flags, "flags"},
		{&state->str_obj, "obj"},
		{&state->str_shape, "shape"},
		{&state->str_type, "type"},
		{&state->str_writeable, "writeable"},
	};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (!(*strings[i].object = PyUnicode_InternFromString(strings[i].text)))
			return -1;
	return (state->zero = PyLong_FromLong(0)) && (state->dtypes = PyDict_New()) &&
			       (state->encodings = PyDict_New())
		       ? 0
		       : -1;
}

int pystate_init(struct pystate *state)
{
	if (init_constants(state) < 0 || init_imports(state) < 0)
		return -1;
	if (!(state->owner_type = pyowner_type_new()) ||
	    !(state->desc_type = pylisting_desc_type_new()) ||
	    !(state->info_type = pylisting_info_type_new()) ||
	    !(state->guard_type = pysync_guard_type_new()))
		return -1;
	return 0;
}

void pystate_deinit(struct pystate *state)
{
	PyObject **const objects[] = {
		&state->owner_type,       &state->desc_type,     &state->info_type,
		&state->ndarray,          &state->dtype,         &state->asarray,
		&state->copyto,           &state->encode,        &state->decode,
		&state->dtypes,           &state->not_an_array,  &state->zero,
		&state->str_array_struct, &state->str_base,      &state->str_c_contiguous,
		&state->str_dtype,        &state->str_f,         &state->str_f_contiguous,
		&state->str_flags,        &state->str_obj,       &state->str_shape,
		&state->str_type,         &state->str_writeable, &state->guard_type,
		&state->owner_died,       &state->encodings,
	};

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		Py_CLEAR(*objects[i]);
	pylist_forget(atomic_exchange(&state->listed, NULL));
}
