// SPDX-License-Identifier: GPL-2.0
/* The result of put says whether the buffer was put. */
#include <saferring.h>

int probe(struct saferring_pool *pool, saferring_buffer buffer);

int probe(struct saferring_pool *pool, saferring_buffer buffer)
{
#ifdef WRONG
	saferring_buffer_put(pool, buffer);
	return 0;
#else
	return saferring_buffer_put(pool, buffer);
#endif
}
