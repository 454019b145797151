// SPDX-License-Identifier: GPL-2.0
/* No more completions than there is room for. */
#include <saferring.h>

int probe(struct saferring_ring *ring);

int probe(struct saferring_ring *ring)
{
	struct saferring_completion completions[4];

#ifdef WRONG
	return saferring_ring_reap(ring, completions, 5);
#else
	return saferring_ring_reap(ring, completions, 4);
#endif
}
