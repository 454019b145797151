// SPDX-License-Identifier: GPL-2.0
/* A handle is no number to compute with. */
#include <saferring.h>

uint64_t probe(saferring_buffer buffer);

uint64_t probe(saferring_buffer buffer)
{
#ifdef WRONG
	return buffer + 1;
#else
	return buffer.word;
#endif
}
