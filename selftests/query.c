// SPDX-License-Identifier: GPL-2.0
/*
 * QUERY: what a region is, and who uses it.
 */
#include "safer_ring_test.h"
#include "uring.h"

FIXTURE(query)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	struct safer_ring_query q;
	int dev;
};

FIXTURE_SETUP(query)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_alloc(self->dev, 8 << 20, &self->region));
}

FIXTURE_TEARDOWN(query)
{
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int query(FIXTURE_DATA(query) *self, __u64 generation)
{
	return sr_query(self->dev, self->region.slot, generation, &self->q);
}

TEST_F(query, tells_what_alloc_told)
{
	const struct safer_ring_alloc *a = &self->region;

	ASSERT_EQ(0, query(self, a->generation));
	EXPECT_EQ(a->length, self->q.length);
	EXPECT_EQ(a->node, self->q.node);
	EXPECT_EQ(a->order, self->q.order);
	EXPECT_EQ(a->generation, self->q.generation);
	EXPECT_EQ(a->mmap_offset, self->q.mmap_offset);
	EXPECT_EQ(a->length / (PAGE << a->order), self->q.folios);
	EXPECT_EQ(0U, self->q.folios_pinned);
	EXPECT_EQ(0U, self->q.folios_busy);
}

TEST_F(query, finds_a_region_by_its_slot_alone)
{
	ASSERT_EQ(0, query(self, 0));
	EXPECT_EQ(self->region.generation, self->q.generation);
}

TEST_F(query, refuses_stale_and_made_up_handles)
{
	EXPECT_EQ(-ESTALE, query(self, self->region.generation + 2));
	EXPECT_EQ(-ESTALE, query(self, self->region.generation - 1));
	EXPECT_EQ(-ESTALE, sr_query(self->dev, self->region.slot + 1, 0,
				    &self->q));
	EXPECT_EQ(-ESTALE, sr_query(self->dev, UINT32_MAX, 0, &self->q));
	ASSERT_EQ(0, sr_free(self->dev, self->region.slot,
			     self->region.generation, 0, 0, NULL));
	EXPECT_EQ(-ESTALE, query(self, 0));
	EXPECT_EQ(-ESTALE, query(self, self->region.generation));
}

TEST_F(query, counts_busy_folios_as_they_are_mapped)
{
	char *map = sr_map(self->dev, self->region.length,
			   self->region.mmap_offset);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	ASSERT_EQ(0, query(self, 0));
	EXPECT_EQ(1U, self->q.folios_busy);
	EXPECT_EQ(0U, self->q.folios_pinned);
	memset(map, 1, self->region.length);
	ASSERT_EQ(0, query(self, 0));
	EXPECT_EQ(self->q.folios, self->q.folios_busy);
	munmap(map, self->region.length);
	ASSERT_EQ(0, query(self, 0));
	EXPECT_EQ(0U, self->q.folios_busy);
}

TEST_F(query, counts_pinned_folios_as_they_are_registered)
{
	struct safer_ring_info info;
	int ring = uring_open(4);
	unsigned int i;
	char *map;

	map = sr_map(self->dev, self->region.length, self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_LE(0, ring);
	ASSERT_EQ(0, sr_info(self->dev, &info));
	ASSERT_EQ(0, uring_register_buffer(ring, map, self->region.length));
	ASSERT_EQ(0, query(self, 0));
	EXPECT_EQ(self->q.folios, self->q.folios_pinned);
	if (info.features & SAFER_RING_FEATURE_HUGE_MAP) {
		EXPECT_EQ(4U, self->q.folios_pinned);
	}
	ASSERT_EQ(0, uring_unregister_buffers(ring));
	munmap(map, self->region.length);
	/* Unpinning may be left to a worker. */
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, query(self, 0));
		if (!self->q.folios_busy)
			break;
		usleep(10000);
	}
	EXPECT_EQ(0U, self->q.folios_pinned);
	EXPECT_EQ(0U, self->q.folios_busy);
	close(ring);
}

TEST_HARNESS_MAIN
