/* SPDX-License-Identifier: BSD-3-Clause */
/* What help() tells of each function: the signature that inspect reads, then numpy's sections. */
#ifndef PYMOD_DOCS_H
#define PYMOD_DOCS_H

/* The end of every list of errors: more of the entry OSError. */
#define DOC_NAME_ERRORS                                                                            \
	"    ``EINVAL``: an empty name or an unknown scheme; ``ENAMETOOLONG``: above 255 bytes;\n" \
	"    PermissionError: the file's owner does not let this user; ``EMFILE``: out of "        \
	"descriptors.\n"                                                                           \
	"    ``filename`` is the name as given.\n"

#define DOC_NUL_ERROR                                                                              \
	"ValueError\n"                                                                             \
	"    A NUL in the name.\n"

#define DOC_FIND_ERRORS                                                                            \
	"FileNotFoundError\n"                                                                      \
	"    There is no such array.\n"                                                            \
	"NotAnArrayError\n"                                                                        \
	"    An OSError: there is a file of that name, but it holds no array.\n"

#define DOC_MAKE_ERRORS                                                                            \
	"FileExistsError\n"                                                                        \
	"    The name is taken, and `replace` is false.\n"                                         \
	"TypeError\n"                                                                              \
	"    The dtype holds pointers (object, StringDType), which mean nothing to another "       \
	"process.\n"                                                                               \
	"ValueError\n"                                                                             \
	"    A negative length, more bytes than an address can count, more dimensions than numpy " \
	"takes\n"                                                                                  \
	"    (32 in numpy 1, 64 in numpy 2), an element of no bytes, fields that overlap or are "  \
	"out of\n"                                                                                 \
	"    order, a NUL in the name.\n"                                                          \
	"OSError\n"                                                                                \
	"    ``ENOSPC``: the store has too little room; the message says what was asked and what " \
	"is\n"                                                                                     \
	"    free. Nothing is left behind.\n" DOC_NAME_ERRORS

#define DOC_CREATE                                                                                 \
	"create($module, name, shape, dtype='float', *, order='C', reserve=True,\n"                \
	"       mode=None, exist_ok=False, replace=False, ephemeral=False,\n"                      \
	"       huge=None, via=None, attrs=None)\n"                                                \
	"--\n\n"                                                                                   \
	"Create a shared array, filled with zeros, and attach it.\n\n"                             \
	"It appears under its name in one step, whole.\n\n"                                        \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"name : str, bytes or os.PathLike\n"                                                       \
	"    \"x\" or \"shm://x\": array x of the store (/dev/shm); \"file://path\": the file of " \
	"that path;\n"                                                                             \
	"    an os.PathLike is such a path.\n"                                                     \
	"shape : int or sequence of int\n"                                                         \
	"    Lengths of the dimensions; () and lengths of 0 are fine.\n"                           \
	"dtype : anything that numpy.dtype() takes\n"                                              \
	"    A subarray dtype extends the shape.\n"                                                \
	"order : {'C', 'F'}\n"                                                                     \
	"    Which index varies fastest in memory: the last or the first.\n"                       \
	"reserve : bool\n"                                                                         \
	"    Take the space now, so that a full store is an OSError here and no SIGBUS later, "    \
	"and\n"                                                                                    \
	"    map all of it, so that filling it costs no page faults.\n"                            \
	"mode : int, optional\n"                                                                   \
	"    Permission bits, whatever the umask; by default 0o666 less the umask.\n"              \
	"exist_ok : bool\n"                                                                        \
	"    If an array of that name exists with this dtype, shape and order, attach it.\n"       \
	"replace : bool\n"                                                                         \
	"    Take the place of an array of that name, at once; who has that attached keeps it.\n"  \
	"ephemeral : bool\n"                                                                       \
	"    Delete it when the last process that has it attached goes, however it ends.\n"        \
	"huge : bool, optional\n"                                                                  \
	"    Ask for huge pages, where the store is a tmpfs that gives them to who asks "          \
	"(mounted\n"                                                                               \
	"    with huge=advise). None: from 2 MiB on. Not having them is no error.\n"               \
	"via : {None, 'auto', 'shm', 'mount'}\n"                                                   \
	"    The way to a name of the store: in it, through its mount, or in the one and then "    \
	"the\n"                                                                                    \
	"    other. None: as SHARR_VIA in the environment says.\n"                                 \
	"attrs : mapping of str to str or bytes, optional\n"                                       \
	"    User attributes that it has from the start, see attrs().\n\n"                         \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"numpy.ndarray\n"                                                                          \
	"    Page-aligned; its ``base`` is the map.\n\n"                                           \
	"Raises\n"                                                                                 \
	"------\n" DOC_MAKE_ERRORS

#define DOC_ATTACH                                                                                 \
	"attach($module, name, ro=False, *, readonly=None, via=None)\n"                            \
	"--\n\n"                                                                                   \
	"Attach the shared array `name`: every process that does sees the same memory.\n\n"        \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"name : str, bytes, os.PathLike or an item of list()\n"                                    \
	"    As for create().\n"                                                                   \
	"ro : bool\n"                                                                              \
	"    For reading only: the map itself is, so that no view of it can be made writeable.\n"  \
	"readonly : bool, optional\n"                                                              \
	"    Another name for `ro`; goes before it.\n"                                             \
	"via : {None, 'auto', 'shm', 'mount'}\n"                                                   \
	"    The way to a name of the store: in it, through its mount, or in the one and then "    \
	"the\n"                                                                                    \
	"    other. None: as SHARR_VIA in the environment says.\n\n"                               \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"numpy.ndarray\n"                                                                          \
	"    Detached when it and its views are gone; the shared array lives on until "            \
	"delete().\n\n"                                                                            \
	"Raises\n"                                                                                 \
	"------\n" DOC_FIND_ERRORS DOC_NUL_ERROR "OSError\n"                                       \
	"    ``ENOMEM``: out of memory or of maps (the message then names "                        \
	"vm.max_map_count).\n" DOC_NAME_ERRORS

#define DOC_DELETE                                                                                 \
	"delete($module, name, *, missing_ok=False)\n"                                             \
	"--\n\n"                                                                                   \
	"Delete the shared array `name`.\n\n"                                                      \
	"The name is free at once; who has the array attached keeps it. Files that are no arrays " \
	"are left alone.\n\n"                                                                      \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"name : str, bytes, os.PathLike or an item of list()\n"                                    \
	"    As for create().\n"                                                                   \
	"missing_ok : bool\n"                                                                      \
	"    No error if there is no such array.\n\n"                                              \
	"Raises\n"                                                                                 \
	"------\n" DOC_FIND_ERRORS DOC_NUL_ERROR "OSError\n" DOC_NAME_ERRORS

#define DOC_LIST                                                                                   \
	"list($module, group=None)\n"                                                              \
	"--\n\n"                                                                                   \
	"The arrays of the store, in no order.\n\n"                                                \
	"Files that are no arrays, that vanish meanwhile or that this user may not read are "      \
	"passed over.\n\n"                                                                         \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"group : str or bytes, optional\n"                                                         \
	"    A directory of the store.\n\n"                                                        \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"tuple of ArrayDesc\n"                                                                     \
	"    Each unpacks as (name, dtype, dims): bytes, scalar type, tuple of int.\n\n"           \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"OSError\n"                                                                                \
	"    No such group; ``EMFILE``: out of descriptors.\n"

#define DOC_INFO                                                                                   \
	"info($module, name, *, attached=True)\n"                                                  \
	"--\n\n"                                                                                   \
	"What is known of the shared array `name`, without attaching it.\n\n"                      \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"name : str, bytes, os.PathLike or an item of list()\n"                                    \
	"    As for create().\n"                                                                   \
	"attached : bool\n"                                                                        \
	"    Look for the processes that map it, too, which takes some milliseconds.\n\n"          \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"ArrayInfo\n"                                                                              \
	"    Its dtype, shape, order, nbytes (of the data), owner and group (ids), mode,\n"        \
	"    created (seconds since 1970 UTC), creator (a pid), ephemeral, attached (pids), and\n" \
	"    unreadable: how many processes could not be looked at.\n\n"                           \
	"Raises\n"                                                                                 \
	"------\n" DOC_FIND_ERRORS DOC_NUL_ERROR "OSError\n" DOC_NAME_ERRORS

#define DOC_PUT                                                                                    \
	"put($module, name, array, *, order=None, mode=None, replace=False,\n"                     \
	"    huge=None, via=None, attrs=None)\n"                                                   \
	"--\n\n"                                                                                   \
	"Store a ready array as the shared array `name`: whole, or not at all.\n\n"                \
	"What others find under the name holds the data already. Nothing stays attached.\n\n"      \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"name : str, bytes or os.PathLike\n"                                                       \
	"    As for create().\n"                                                                   \
	"array : array_like\n"                                                                     \
	"    Any shape, of a dtype without pointers.\n"                                            \
	"order : {None, 'C', 'F'}\n"                                                               \
	"    The order to store it in; None: its own if it is contiguous, else 'C'.\n"             \
	"mode : int, optional\n"                                                                   \
	"    Permission bits, whatever the umask; by default 0o666 less the umask.\n"              \
	"replace : bool\n"                                                                         \
	"    Take the place of an array of that name, at once; who has that attached keeps it.\n"  \
	"huge, via, attrs\n"                                                                       \
	"    As for create().\n\n"                                                                 \
	"Raises\n"                                                                                 \
	"------\n" DOC_MAKE_ERRORS

#define DOC_COPY                                                                                   \
	"copy($module, name, out=None)\n"                                                          \
	"--\n\n"                                                                                   \
	"A private copy of the shared array `name`, read without mapping it.\n\n"                  \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"name : str, bytes, os.PathLike or an item of list()\n"                                    \
	"    As for create().\n"                                                                   \
	"out : numpy.ndarray, optional\n"                                                          \
	"    To copy into; of the array's dtype and shape. Fastest if it is contiguous in the "    \
	"array's order.\n\n"                                                                       \
	"Returns\n"                                                                                \
	"-------\n"                                                                                \
	"numpy.ndarray\n"                                                                          \
	"    `out`, or a new array.\n\n"                                                           \
	"Raises\n"                                                                                 \
	"------\n" DOC_FIND_ERRORS "ValueError\n"                                                  \
	"    `out` has another dtype or shape, or is not writeable; a NUL in the name.\n"          \
	"OSError\n" DOC_NAME_ERRORS

#define DOC_MSYNC                                                                                  \
	"msync($module, array, flags=4)\n"                                                         \
	"--\n\n"                                                                                   \
	"Write the whole map under a shared array, or under a view of one, to its storage.\n\n"    \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"array : numpy.ndarray\n"                                                                  \
	"    A shared array, or a view of any kind of one.\n"                                      \
	"flags : int\n"                                                                            \
	"    MS_SYNC (the default: wait for it) or MS_ASYNC, and perhaps MS_INVALIDATE, as "       \
	"msync(2) has them.\n\n"                                                                   \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"TypeError\n"                                                                              \
	"    Not a shared array.\n"                                                                \
	"OSError\n"                                                                                \
	"    ``EINVAL``: flags that msync does not take.\n"

#define DOC_MLOCK                                                                                  \
	"mlock($module, array, /)\n"                                                               \
	"--\n\n"                                                                                   \
	"Keep the whole map under a shared array, or under a view of one, in memory.\n\n"          \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"array : numpy.ndarray\n"                                                                  \
	"    A shared array, or a view of any kind of one.\n\n"                                    \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"TypeError\n"                                                                              \
	"    Not a shared array.\n"                                                                \
	"OSError\n"                                                                                \
	"    ``ENOMEM`` or ``EPERM``: above RLIMIT_MEMLOCK (ulimit -l).\n"

#define DOC_MUNLOCK                                                                                \
	"munlock($module, array, /)\n"                                                             \
	"--\n\n"                                                                                   \
	"Undo mlock().\n\n"                                                                        \
	"Parameters\n"                                                                             \
	"----------\n"                                                                             \
	"array : numpy.ndarray\n"                                                                  \
	"    A shared array, or a view of any kind of one.\n\n"                                    \
	"Raises\n"                                                                                 \
	"------\n"                                                                                 \
	"TypeError\n"                                                                              \
	"    Not a shared array.\n"

#endif
