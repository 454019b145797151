// SPDX-License-Identifier: GPL-2.0
/* The result of read says who owns the buffer. */
#include <saferring.h>

int probe(struct saferring_ring *ring, saferring_buffer buffer);

int probe(struct saferring_ring *ring, saferring_buffer buffer)
{
#ifdef WRONG
	saferring_ring_read(ring, 0, buffer, 0, 1, 0, 0);
	return 0;
#else
	return saferring_ring_read(ring, 0, buffer, 0, 1, 0, 0);
#endif
}
