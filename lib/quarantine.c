// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Quarantine: rings that were destroyed while the kernel kept operations of
 * theirs. Such a ring stays open, with its records, until each of its CQEs has
 * come; only then do the buffers go back to their pools.
 */
#include <stdio.h>
#include "internal.h"

static struct saferring_ring *quarantined;

static const char *operation_name(int kind)
{
	return kind == SAFERRING_OPERATION_READ ? "READ" : "WRITE";
}

/* Another thread may be using the ring: what is read here is for people only. */
__attribute__((no_sanitize("thread"))) static bool
find_in(const struct saferring_ring *ring, uint64_t word, char *text,
	size_t length)
{
	unsigned int index;

	for (index = 0; index < ring->depth; index++) {
		if (ring->operation[index].word != word)
			continue;
		snprintf(text, length, "in flight as %s of %u bytes by ring %s",
			 operation_name(ring->operation[index].kind),
			 ring->operation[index].length, ring->name);
		return true;
	}
	return false;
}

static bool find_in_list(const struct saferring_ring *ring, uint64_t word,
			 char *text, size_t length)
{
	for (; ring; ring = ring->next)
		if (find_in(ring, word, text, length))
			return true;
	return false;
}

bool sr_ring_find_word(uint64_t word, char *text, size_t length)
{
	const uint64_t in_flight = (word & ~SR_STATE_MASK) | SR_STATE_KERNEL;
	bool found;

	sr_registry_lock();
	found = find_in_list(sr_rings, in_flight, text, length) ||
		find_in_list(quarantined, in_flight, text, length);
	sr_registry_unlock();
	return found;
}

void sr_quarantine_add(struct saferring_ring *ring)
{
	struct sr_operation *operation;
	unsigned int index;
	uint64_t *tag;

	for (index = 0; index < ring->depth; index++) {
		operation = &ring->operation[index];
		if (!operation->word)
			continue;
		tag = sr_operation_tag(operation);
		sr_tag_store(tag, (operation->word & ~SR_STATE_MASK) |
					  SR_STATE_QUARANTINE);
	}
	sr_registry_lock();
	ring->next = quarantined;
	quarantined = ring;
	sr_registry_unlock();
}

static struct saferring_ring *take_all(void)
{
	struct saferring_ring *rings;

	sr_registry_lock();
	rings = quarantined;
	quarantined = NULL;
	sr_registry_unlock();
	return rings;
}

int saferring_quarantine_reap(void)
{
	struct saferring_ring *ring = take_all(), *next;
	unsigned int busy, left = 0;

	for (; ring; ring = next) {
		next = ring->next;
		if (sr_forked(ring->epoch))
			continue;
		sr_ring_return_completed(ring);
		busy = sr_ring_busy(ring);
		left += busy;
		if (!busy) {
			sr_ring_free(ring);
			continue;
		}
		sr_registry_lock();
		ring->next = quarantined;
		quarantined = ring;
		sr_registry_unlock();
	}
	return (int)left;
}
