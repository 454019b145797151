// SPDX-License-Identifier: GPL-2.0
/* No number is a handle. */
#include <saferring.h>

int probe(struct saferring_pool *pool, saferring_buffer buffer);

int probe(struct saferring_pool *pool, saferring_buffer buffer)
{
#ifdef WRONG
	(void)buffer;
	return saferring_buffer_put(pool, 42);
#else
	return saferring_buffer_put(pool, buffer);
#endif
}
