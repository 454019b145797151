// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse of objects and limits: refused by the result, with the reason in the
 * detail, and nothing is changed.
 */
#include "misuse.h"

static void try_read(struct scene *s, size_t start, size_t length)
{
	WRONG(ANYHOW(saferring_ring_read(s->ring, s->zero, take(s), start,
					 length, 0, 0)));
}

CASE(a_read_longer_than_the_buffer) { try_read(s, 0, SIZE + 1); }
CASE(a_read_that_starts_behind_the_buffer) { try_read(s, SIZE + 1, 1); }
CASE(a_read_that_ends_behind_the_buffer) { try_read(s, SIZE - 1, 2); }
CASE(a_read_whose_end_wraps_around) { try_read(s, 16, SIZE_MAX - 8); }
CASE(a_read_of_nothing) { try_read(s, 0, 0); }

CASE(a_range_behind_the_buffer)
{
	WRONG(ANYHOW(saferring_buffer_range(s->pool, take(s), SIZE, 1)));
}

CASE(a_pool_destroyed_with_a_buffer_held)
{
	MUST(saferring_ring_destroy(s->ring, 1000));
	take(s);
	WRONG(ANYHOW(saferring_pool_destroy(s->pool)));
}

CASE(a_pool_destroyed_under_its_ring)
{
	WRONG(ANYHOW(saferring_pool_destroy(s->pool)));
}

CASE(a_region_destroyed_under_its_pool)
{
	WRONG(ANYHOW(saferring_region_destroy(s->region, 0, 0)));
}

CASE(a_region_destroyed_with_io_in_flight)
{
	stuck_read(s, take(s));
	WRONG(ANYHOW(saferring_region_destroy(s->region, 0, 0)));
}

CASE(a_region_revoked_twice)
{
	MUST(saferring_region_revoke(s->region));
	WRONG(ANYHOW(saferring_region_revoke(s->region)));
}

CASE(a_device_closed_under_its_regions)
{
	WRONG(ANYHOW(saferring_device_close(s->device)));
}

CASE(buffers_that_are_never_put)
{
	saferring_buffer b;

	while (!saferring_buffer_get(s->pool, &b))
		;
	evidence->wrong = __LINE__;
}

CASE(more_operations_than_the_ring_has)
{
	int error = 0;

	while (!error)
		error = saferring_ring_read(s->ring, s->zero, take(s), 0, 1, 0,
					    0);
	evidence->wrong = __LINE__;
}

CASE(one_region_in_two_pools)
{
	struct saferring_pool_options cut = { .size = sizeof(cut),
					      .buffer_size = SIZE };
	struct saferring_pool *pool;

	WRONG(ANYHOW(saferring_pool_create(&s->region, 1, &cut, &pool)));
}

CASE(options_without_their_size)
{
	struct saferring_pool_options cut = { .buffer_size = SIZE };
	struct saferring_pool *pool;

	WRONG(ANYHOW(saferring_pool_create(&s->region, 1, &cut, &pool)));
}

CASE(a_ring_on_a_revoked_region)
{
	struct saferring_ring_options use = { .size = sizeof(use),
					      .pools = &s->pool,
					      .pool_count = 1 };
	struct saferring_ring *ring;

	MUST(saferring_region_revoke(s->region));
	WRONG(ANYHOW(saferring_ring_create(&use, &ring)));
}

#define LIMIT(name, its_reason)                                                \
	{ #name, name, SAFERRING_DEPTH_FAST, SAFERRING_REASON_##its_reason,    \
	  QUIET, NULL }

const struct misuse limit_misuses[] = {
	LIMIT(a_read_longer_than_the_buffer, BOUNDS),
	LIMIT(a_read_that_starts_behind_the_buffer, BOUNDS),
	LIMIT(a_read_that_ends_behind_the_buffer, BOUNDS),
	LIMIT(a_read_whose_end_wraps_around, BOUNDS),
	LIMIT(a_read_of_nothing, ARGUMENT),
	LIMIT(a_range_behind_the_buffer, BOUNDS),
	LIMIT(a_pool_destroyed_with_a_buffer_held, BUSY),
	LIMIT(a_pool_destroyed_under_its_ring, BUSY),
	LIMIT(a_region_destroyed_under_its_pool, BUSY),
	LIMIT(a_region_destroyed_with_io_in_flight, BUSY),
	LIMIT(a_region_revoked_twice, REGION_GONE),
	LIMIT(a_device_closed_under_its_regions, BUSY),
	LIMIT(buffers_that_are_never_put, EXHAUSTED),
	LIMIT(more_operations_than_the_ring_has, DEPTH),
	LIMIT(one_region_in_two_pools, BUSY),
	LIMIT(options_without_their_size, ARGUMENT),
	LIMIT(a_ring_on_a_revoked_region, REGION_GONE),
	{ 0 },
};
