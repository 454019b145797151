// SPDX-License-Identifier: GPL-2.0
/* There is no pool that is none. */
#include <saferring.h>

int probe(struct saferring_pool *pool, saferring_buffer *buffer);

int probe(struct saferring_pool *pool, saferring_buffer *buffer)
{
#ifdef WRONG
	(void)pool;
	return saferring_buffer_get(NULL, buffer);
#else
	return saferring_buffer_get(pool, buffer);
#endif
}
