/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Python's allocators, of which the nth call fails. They are told in words of our own, which have been the same since
 * Python 3.5, so that this is one file for every Python.
 */
#include <stdbool.h>
#include <stddef.h>

struct allocator {
	void *userdata;
	void *(*malloc)(void *userdata, size_t bytes);
	void *(*calloc)(void *userdata, size_t count, size_t bytes);
	void *(*realloc)(void *userdata, void *old, size_t bytes);
	void (*free)(void *userdata, void *memory);
};

enum { RAW, MEM, OBJECT, DOMAINS };

void PyMem_GetAllocator(int domain, struct allocator *ret_allocator);
void PyMem_SetAllocator(int domain, const struct allocator *allocator);
void memory_arm(int nth);
bool memory_disarm(void);

static struct allocator usual[DOMAINS];
static int turn;
static bool reached;

static bool fails(void)
{
	if (turn <= 0 || --turn > 0)
		return false;
	reached = true;
	return true;
}

static void *failing_malloc(void *userdata, size_t bytes)
{
	struct allocator *allocator = userdata;

	return fails() ? NULL : allocator->malloc(allocator->userdata, bytes);
}

static void *failing_calloc(void *userdata, size_t count, size_t bytes)
{
	struct allocator *allocator = userdata;

	return fails() ? NULL : allocator->calloc(allocator->userdata, count, bytes);
}

static void *failing_realloc(void *userdata, void *old, size_t bytes)
{
	struct allocator *allocator = userdata;

	return fails() ? NULL : allocator->realloc(allocator->userdata, old, bytes);
}

static void usual_free(void *userdata, void *memory)
{
	struct allocator *allocator = userdata;

	allocator->free(allocator->userdata, memory);
}

/* Not RAW, which other threads use as well, without the interpreter's lock. */
void memory_arm(int nth)
{
	for (int domain = MEM; domain < DOMAINS; domain++) {
		struct allocator failing = {&usual[domain], failing_malloc, failing_calloc,
					    failing_realloc, usual_free};

		PyMem_GetAllocator(domain, &usual[domain]);
		PyMem_SetAllocator(domain, &failing);
	}
	reached = false;
	turn = nth;
}

/* True if the nth call was made. */
bool memory_disarm(void)
{
	turn = 0;
	for (int domain = MEM; domain < DOMAINS; domain++)
		PyMem_SetAllocator(domain, &usual[domain]);
	return reached;
}
