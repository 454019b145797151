// SPDX-License-Identifier: GPL-2.0
/* A handle is no pointer: data() gives one, if it is good. */
#include <saferring.h>

char *probe(struct saferring_pool *pool, saferring_buffer buffer);

char *probe(struct saferring_pool *pool, saferring_buffer buffer)
{
#ifdef WRONG
	(void)pool;
	return (char *)buffer;
#else
	return (char *)saferring_buffer_data(pool, buffer);
#endif
}
