/* SPDX-License-Identifier: BSD-3-Clause */
/* What help() tells of lock(), the event and writing(). */
#ifndef PYMOD_DOCS_SYNC_H
#define PYMOD_DOCS_SYNC_H

#define DOC_SHARED_PARAMETER                                                                       \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"array : numpy.ndarray\n"                                                                  \
	"    A shared array, or a view of any kind of one.\n"

#define DOC_SYNC_ERRORS                                                                            \
	"TypeError\n"                                                                              \
	"    Not a shared array.\n"                                                                \
	"OSError\n"                                                                                \
	"    ``ENOTSUP``: the array was written by the original SharedArray, which left no room "  \
	"for this;\n"                                                                              \
	"    ``ENODEV``: it is attached through a mount without passthrough.\n"

#define DOC_LOCK                                                                                   \
	"lock($module, array, timeout=None)\n"                                                     \
	"--\n\n"                                                                                   \
	"The lock of a shared array: `with sa.lock(a):` has it until the end of the block.\n\n"    \
	"One thread of one process has it at a time, whichever way they have attached the "        \
	"array. It binds\n"                                                                        \
	"only those who ask for it. What it returns may be kept and used again; it also has "      \
	"acquire() and\n"                                                                          \
	"release(). A child that is forked in the block does not have the "                        \
	"lock.\n\n" DOC_SHARED_PARAMETER "timeout : float, optional\n"                             \
	"    Seconds to wait at most, 0 not at all; by default for ever.\n\n"                      \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"context manager\n"                                                                        \
	"    The errors below are those of entering its block, but the TypeError.\n\n"             \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"TimeoutError\n"                                                                           \
	"    Another thread has it still. If that one is in another pid namespace this is all "    \
	"that is\n"                                                                                \
	"    ever told of it, even if it died.\n"                                                  \
	"OwnerDiedError\n"                                                                         \
	"    An OSError: the thread that had it died, and may have left the data half changed. "   \
	"Told once,\n"                                                                             \
	"    to one; the lock is free again, and not yours.\n"                                     \
	"PermissionError\n"                                                                        \
	"    The array is attached read-only; or, from release(), this thread does not have the "  \
	"lock.\n" DOC_SYNC_ERRORS "    ``EDEADLK``: this thread has it already.\n"

#define DOC_WRITING                                                                                \
	"writing($module, array, /)\n"                                                             \
	"--\n\n"                                                                                   \
	"`with sa.writing(a):` marks that its block changes the data, for snapshot() of "          \
	"others.\n\n"                                                                              \
	"One thread at a time may: writers that are several take turns by lock(). If the block "   \
	"raises, what\n"                                                                           \
	"it has written by then counts as written. A writer that dies in it is told to readers, "  \
	"until another\n"                                                                          \
	"has written.\n\n" DOC_SHARED_PARAMETER "\n"                                               \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"context manager\n\n"                                                                      \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"PermissionError\n"                                                                        \
	"    The array is attached read-only.\n" DOC_SYNC_ERRORS                                   \
	"    ``EBUSY``: another thread, which lives, is writing; ``EDEADLK``: this one is, "       \
	"already.\n"

#define DOC_EVENT                                                                                  \
	"event($module, array, /)\n"                                                               \
	"--\n\n"                                                                                   \
	"How often notify() has been called for a shared array, modulo 2**32: for "                \
	"wait().\n\n" DOC_SHARED_PARAMETER "\n"                                                    \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"int\n\n"                                                                                  \
	"Raises\n"                                                                                 \
	"------\n" DOC_SYNC_ERRORS

#define DOC_NOTIFY                                                                                 \
	"notify($module, array, /)\n"                                                              \
	"--\n\n"                                                                                   \
	"Count the event of a shared array up, and wake all who wait() for "                       \
	"it.\n\n" DOC_SHARED_PARAMETER "\n"                                                        \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"PermissionError\n"                                                                        \
	"    The array is attached read-only.\n" DOC_SYNC_ERRORS

#define DOC_WAIT                                                                                   \
	"wait($module, array, seen, timeout=None)\n"                                               \
	"--\n\n"                                                                                   \
	"Wait until the event of a shared array is not `seen` any more.\n\n"                       \
	"No notify() that comes after `seen` was read is missed. An array attached read-only "     \
	"will do. That\n"                                                                          \
	"the array is deleted wakes nobody: who has it attached may still "                        \
	"notify().\n\n" DOC_SHARED_PARAMETER "seen : int\n"                                        \
	"    What event() or wait() has returned before.\n"                                        \
	"timeout : float, optional\n"                                                              \
	"    Seconds to wait at most, 0 not at all; by default for ever.\n\n"                      \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"int\n"                                                                                    \
	"    What the event is now.\n\n"                                                           \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"TimeoutError\n"                                                                           \
	"    Nobody has called notify().\n"                                                        \
	"ValueError\n"                                                                             \
	"    `seen` is no number that event() returns.\n" DOC_SYNC_ERRORS

#endif
