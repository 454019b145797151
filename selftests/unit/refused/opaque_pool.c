// SPDX-License-Identifier: GPL-2.0
/* What a pool is made of is not the program's business. */
#include <saferring.h>

size_t probe(const struct saferring_pool *pool);

size_t probe(const struct saferring_pool *pool)
{
#ifdef WRONG
	return pool->count;
#else
	return saferring_buffer_index(pool, SAFERRING_BUFFER_NONE);
#endif
}
