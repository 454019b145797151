// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Quarantine: rings that were destroyed with operations in flight. They stay
 * open, and their buffers nobody's, until the kernel lets go of them.
 */
#include <stdio.h>
#include "internal.h"

/* Under the registry lock. */
static struct saferring_ring *quarantine;

static const char *kind_name(const struct sr_operation *operation)
{
	return sr_kinds[__atomic_load_n(&operation->kind, __ATOMIC_RELAXED)]
		.name;
}

/* An operation without a buffer keeps nothing but the ring. */
static void mark(const struct sr_operation *operation)
{
	if (sr_record_in_use(operation) && operation->pool)
		sr_tag_store(operation->tag,
			     sr_handle_tag(sr_record_handle(operation),
					   SR_STATE_QUARANTINE));
}

void sr_quarantine_add(struct saferring_ring *ring)
{
	unsigned int number;

	sr_records_settle(ring);
	for (number = 0; number < ring->depth; number++)
		mark(&ring->operation[number]);
	sr_groups_quarantine(ring);
	ring->next = quarantine;
	quarantine = ring;
}

int saferring_quarantine_reap(void)
{
	struct saferring_ring **link = &quarantine;
	struct saferring_ring *ring;
	unsigned int left = 0;

	sr_registry_lock();
	while (*link) {
		ring = *link;
		sr_ring_return_completed(ring);
		if (sr_ring_busy(ring)) {
			left += sr_ring_busy(ring);
			link = &ring->next;
			continue;
		}
		*link = ring->next;
		sr_uring_close(ring);
		sr_groups_end(ring);
		sr_ring_free(ring);
	}
	sr_registry_unlock();
	return (int)left;
}

/* By the handle that the buffer comes back under. */
static bool find_in(const struct saferring_ring *ring, const char *where,
		    uint64_t fresh, char *text, size_t length)
{
	const struct sr_operation *operation = ring->operation;
	unsigned int number;

	for (number = 0; number < ring->depth; number++, operation++) {
		if (__atomic_load_n(&operation->fresh, __ATOMIC_RELAXED) !=
		    fresh)
			continue;
		snprintf(text, length, "%s as %s of %u bytes by ring %s", where,
			 kind_name(operation),
			 __atomic_load_n(&operation->length, __ATOMIC_RELAXED),
			 ring->name);
		return true;
	}
	return false;
}

bool sr_ring_find_buffer(const struct saferring_pool *pool, uint64_t handle,
			 char *text, size_t length)
{
	const uint64_t fresh = handle + pool->fast.step;
	const struct saferring_ring *ring;
	bool found = false;

	sr_registry_lock();
	for (ring = sr_rings; ring && !found; ring = ring->next)
		found = find_in(ring, "in flight", fresh, text, length);
	for (ring = quarantine; ring && !found; ring = ring->next)
		found = find_in(ring, "in quarantine", fresh, text, length);
	sr_registry_unlock();
	return found;
}

void sr_quarantine_forget(void)
{
	quarantine = NULL;
}
