// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Exported functions of the same names as the inline ones, for languages that
 * cannot include the headers.
 */
#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* declared where defined */
#define SAFERRING_INLINE SAFERRING_API
#include <saferring.h>

unsigned int saferring_version(void)
{
	return SAFERRING_VERSION_MAJOR << 16 | SAFERRING_VERSION_MINOR;
}
