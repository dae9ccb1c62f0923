/* SPDX-License-Identifier: BSD-3-Clause */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

#include "sharr.h"

static _Thread_local char detail[512];

void error_clear(void)
{
	detail[0] = '\0';
}

int error_set(int number, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	return number;
}

const char *error_bytes(uint64_t bytes, char *ret_text)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	int unit = 0;

	if (bytes < 1024) {
		snprintf(ret_text, ERROR_BYTES_MAX, "%llu bytes", (unsigned long long)bytes);
		return ret_text;
	}
	for (; value >= 1024 && unit < 5; unit++)
		value /= 1024;
	snprintf(ret_text, ERROR_BYTES_MAX, "%.1f %s (%llu bytes)", value, units[unit],
		 (unsigned long long)bytes);
	return ret_text;
}

const char *sharr_error(void)
{
	return detail;
}

const char *sharr_version(void)
{
	return SHARR_VERSION;
}
