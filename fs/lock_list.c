/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "ephemeral.h"

static void close_stream(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

char *lock_list_read(void)
{
	__attribute__((cleanup(close_stream))) FILE *file = fopen("/proc/locks", "re");
	char *text = NULL;
	size_t room = 0;

	/* There is no zero in it, so that all is one "line". Without any lock `text` is no text. */
	if (file && getdelim(&text, &room, '\0', file) >= 0)
		return text;
	free(text);
	return file && !ferror(file) ? strdup("") : NULL;
}

/* A line: "5: OFDLCK ADVISORY  READ -1 00:1d:27 4611686018427387904 4611686018427387904". */
bool lock_list_has(const char *list, dev_t dev, ino_t ino)
{
	char wanted[96];

	snprintf(wanted, sizeof(wanted), " %02x:%02x:%llu %llu ", major(dev), minor(dev),
		 (unsigned long long)ino, (unsigned long long)EPHEMERAL_LOCK_OFFSET);
	return strstr(list, wanted);
}
