/* SPDX-License-Identifier: BSD-3-Clause */
#include "pylist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "pyargs.h"
#include "pyerror.h"
#include "pylisting.h"
#include "pyname.h"

/* The items of one list() by their serials; a listing that is going on has it for itself. */
struct pylist_items {
	size_t slot_count; /* a power of 2, twice the items at least */
	struct slot {
		uint64_t serial; /* 0: free */
		PyObject *desc;  /* owned */
	} slots[];
};

static struct slot *slot_of(struct pylist_items *items, uint64_t serial)
{
	size_t at = (size_t)(serial * 0x9e3779b97f4a7c15u >> 32) & (items->slot_count - 1);

	while (items->slots[at].serial && items->slots[at].serial != serial)
		at = (at + 1) & (items->slot_count - 1);
	return &items->slots[at];
}

static struct pylist_items *items_new(size_t count)
{
	struct pylist_items *items;
	size_t slot_count = 16;

	while (slot_count < 2 * count)
		slot_count *= 2;
	items = calloc(1, sizeof(*items) + slot_count * sizeof(items->slots[0]));
	if (items)
		items->slot_count = slot_count;
	return items;
}

static void items_add(struct pylist_items *items, uint64_t serial, PyObject *desc)
{
	struct slot *slot = slot_of(items, serial);

	Py_INCREF(desc);
	slot->desc = desc;
	slot->serial = serial;
}

void pylist_forget(struct pylist_items *items)
{
	for (size_t i = 0; items && i < items->slot_count; i++)
		Py_XDECREF(items->slots[i].desc);
	free(items);
}

/*
 * What the listing tells, kept in one block until the GIL is held again: a record for each array, and
 * behind it, unless its item is known, what the array is.
 */
struct record {
	PyObject *desc;  /* borrowed from the items; NULL: a body follows */
	uint64_t serial; /* 0: not to be kept */
	size_t bytes;    /* of all, a multiple of eight */
};

/* Its shape follows, then its three strings, with their NULs. */
struct body {
	struct sharr_info info; /* its pointers are of no meaning here */
	size_t name_bytes;
	size_t dtype_bytes;
	size_t dtype_name_bytes;
};

struct records {
	char *block; /* owned */
	size_t used;
	size_t capacity;
	Py_ssize_t count;
	struct pylist_items *before; /* of the last listing, or NULL; owned */
};

/* Room for another record. NULL: no memory. */
static void *records_reserve(struct records *records, size_t bytes)
{
	size_t capacity = records->capacity ? records->capacity : 4096;
	char *block;

	while (capacity - records->used < bytes)
		capacity *= 2;
	if (capacity != records->capacity) {
		block = realloc(records->block, capacity);
		if (!block)
			return NULL;
		records->block = block;
		records->capacity = capacity;
	}
	return records->block + records->used;
}

static void records_added(struct records *records, const struct record *record)
{
	memcpy(records->block + records->used, record, sizeof(*record));
	records->used += record->bytes;
	records->count++;
}

static int add_body(struct records *records, const struct sharr_info *info, uint64_t serial)
{
	struct record record = {.serial = serial};
	struct body body = {
		.info = *info,
		.name_bytes = strlen(info->name) + 1,
		.dtype_bytes = strlen(info->dtype) + 1,
		.dtype_name_bytes = strlen(info->dtype_name) + 1,
	};
	size_t shape_bytes = sizeof(int64_t) * (size_t)info->ndim;
	char *at;

	record.bytes = sizeof(record) + sizeof(body) + shape_bytes + body.name_bytes +
		       body.dtype_bytes + body.dtype_name_bytes;
	record.bytes = (record.bytes + 7) & ~(size_t)7;
	at = records_reserve(records, record.bytes);
	if (!at)
		return -ENOMEM;
	at += sizeof(record);
	memcpy(at, &body, sizeof(body));
	at += sizeof(body);
	if (shape_bytes)
		memcpy(at, info->shape, shape_bytes);
	at += shape_bytes;
	memcpy(at, info->name, body.name_bytes);
	memcpy(at + body.name_bytes, info->dtype, body.dtype_bytes);
	memcpy(at + body.name_bytes + body.dtype_bytes, info->dtype_name, body.dtype_name_bytes);
	records_added(records, &record);
	return 0;
}

/* Called without the GIL. */
static int records_add(const struct sharr_info *info, uint64_t serial, void *userdata)
{
	struct records *records = userdata;
	const struct slot *slot =
		serial && records->before ? slot_of(records->before, serial) : NULL;
	struct record record = {.serial = serial, .bytes = sizeof(record)};

	if (!slot || !slot->serial)
		return add_body(records, info, serial);
	if (!records_reserve(records, sizeof(record)))
		return -ENOMEM;
	record.desc = slot->desc;
	records_added(records, &record);
	return 0;
}

/* The item of a record. A new reference. */
static PyObject *record_desc(struct pystate *state, struct record *record)
{
	struct body *body = (struct body *)(record + 1);
	char *at = (char *)(body + 1);

	if (record->desc) {
		Py_INCREF(record->desc);
		return record->desc;
	}
	body->info.shape = (const int64_t *)at;
	body->info.name = at + sizeof(int64_t) * (size_t)body->info.ndim;
	body->info.dtype = body->info.name + body->name_bytes;
	body->info.dtype_name = body->info.dtype + body->dtype_bytes;
	return pylisting_desc_new(state, &body->info);
}

/* *items: those of this listing; stays NULL without memory for it. */
static PyObject *descs_new(struct pystate *state, struct records *records,
			   struct pylist_items **items)
{
	PyObject *tuple = PyTuple_New(records->count), *desc;
	char *at = records->block;

	*items = items_new((size_t)records->count);
	for (Py_ssize_t i = 0; tuple && i < records->count; i++) {
		struct record *record = (struct record *)at;

		desc = record_desc(state, record);
		if (!desc) {
			Py_DECREF(tuple);
			return NULL;
		}
		if (*items && record->serial)
			items_add(*items, record->serial, desc);
		PyTuple_SetItem(tuple, i, desc);
		at += record->bytes;
	}
	return tuple;
}

PyObject *pylist_list(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const struct pyargs_spec spec = {"list", 1, 0, {"group", NULL}};
	struct pystate *state = pystate_of(module);
	struct records records = {NULL, 0, 0, 0, NULL};
	struct pyname group = {NULL, NULL, NULL, NULL};
	struct pylist_items *items = NULL;
	PyObject *values[PYARGS_MAX], *result;
	int r;

	if (pyargs_bind(&spec, args, kwargs, values) < 0)
		return NULL;
	if (values[0] && values[0] != Py_None && pyname_init(state, values[0], &group) < 0)
		return NULL;
	records.before = atomic_exchange(&state->listed, NULL);
	Py_BEGIN_ALLOW_THREADS r = list_each(group.text, records_add, &records);
	Py_END_ALLOW_THREADS result =
		r < 0 ? pyerror_raise(state, r, group.given) : descs_new(state, &records, &items);
	pyname_deinit(&group);
	pylist_forget(atomic_exchange(&state->listed, items));
	pylist_forget(records.before);
	free(records.block);
	return result;
}
