// SPDX-License-Identifier: GPL-2.0
/* The result of submit says whether anything was started. */
#include <saferring.h>

int probe(struct saferring_ring *ring);

int probe(struct saferring_ring *ring)
{
#ifdef WRONG
	saferring_ring_submit(ring);
	return 0;
#else
	return saferring_ring_submit(ring);
#endif
}
