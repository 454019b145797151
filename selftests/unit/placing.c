// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of memory in regions share, see placing.h.
 */
#include "placing.h"

struct saferring_ring_options options_of(struct stage *stage,
					 struct saferring_region *memory)
{
	struct saferring_ring_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.depth = DEPTH;
	options.pools = &stage->pool;
	options.pool_count = 1;
	options.memory = memory;
	return options;
}

struct saferring_ring_info info_of(const struct saferring_ring *ring)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(ring, &info), 0);
	return info;
}

struct saferring_group_info group_info(const struct saferring_group *group)
{
	struct saferring_group_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_group_info(group, &info), 0);
	return info;
}

void end_ring(struct saferring_ring *ring)
{
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
}
