/* SPDX-License-Identifier: BSD-3-Clause */
#include "pyreap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pyerror.h"
#include "pyname.h"
#include "pystate.h"

/* What is told without the GIL, kept until it is held again. */
struct told {
	char *name; /* owned */
	char *why;  /* owned */
	int outcome;
	struct told *next;
};

struct told_list {
	struct told *first; /* the newest */
	size_t count;
};

static int tell(const struct sharr_reaped *reaped, void *userdata)
{
	struct told_list *list = userdata;
	struct told *told = malloc(sizeof(*told));

	if (!told)
		return -ENOMEM;
	*told = (struct told){
		.name = strdup(reaped->name),
		.why = strdup(reaped->why),
		.outcome = reaped->outcome,
		.next = list->first,
	};
	list->first = told;
	list->count++;
	return told->name && told->why ? 0 : -ENOMEM;
}

static void told_list_deinit(struct told_list *list)
{
	while (list->first) {
		struct told *told = list->first;

		list->first = told->next;
		free(told->name);
		free(told->why);
		free(told);
	}
}

static PyObject *told_list_object(const struct told_list *list)
{
	Py_ssize_t at = (Py_ssize_t)list->count;
	PyObject *result = PyList_New(at);

	for (const struct told *told = list->first; told && result; told = told->next) {
		PyObject *item = Py_BuildValue("yis", told->name, told->outcome, told->why);

		if (item)
			PyList_SetItem(result, --at, item);
		else
			Py_CLEAR(result);
	}
	return result;
}

static PyObject *reap(struct pystate *state, const char *group, unsigned flags, PyObject *name)
{
	struct told_list list = {NULL, 0};
	PyObject *result;
	int r;

	Py_BEGIN_ALLOW_THREADS r = sharr_reap(group, flags, tell, &list);
	Py_END_ALLOW_THREADS result =
		r < 0 ? pyerror_raise(state, r, name) : told_list_object(&list);
	told_list_deinit(&list);
	return result;
}

PyObject *pyreap_reap(PyObject *module, PyObject *args)
{
	struct pystate *state = pystate_of(module);
	PyObject *group, *result;
	int dead_creator, dry_run;
	struct pyname name;
	unsigned flags;

	if (!PyArg_ParseTuple(args, "Opp", &group, &dead_creator, &dry_run))
		return NULL;
	flags = (dead_creator ? SHARR_DEAD_CREATOR : 0) | (dry_run ? SHARR_DRY_RUN : 0);
	if (group == Py_None)
		return reap(state, NULL, flags, NULL);
	if (pyname_init(state, group, &name) < 0)
		return NULL;
	result = reap(state, name.text, flags, name.given);
	pyname_deinit(&name);
	return result;
}
