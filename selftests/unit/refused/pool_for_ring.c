// SPDX-License-Identifier: GPL-2.0
/* One object is not another. */
#include <saferring.h>

int probe(struct saferring_ring *ring, struct saferring_pool *pool);

int probe(struct saferring_ring *ring, struct saferring_pool *pool)
{
#ifdef WRONG
	(void)ring;
	return saferring_ring_submit(pool);
#else
	(void)pool;
	return saferring_ring_submit(ring);
#endif
}
