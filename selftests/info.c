// SPDX-License-Identifier: GPL-2.0
/*
 * INFO: what the module is, allows and holds.
 */
#include "safer_ring_test.h"

FIXTURE(info)
{
	struct sr_usage before;
	struct safer_ring_info info;
	int dev;
};

FIXTURE_SETUP(info)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(info)
{
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

TEST_F(info, names_a_backend_with_the_features_that_it_has)
{
	const struct safer_ring_info *i = &self->info;

	EXPECT_EQ((__u32)SAFER_RING_ABI, i->abi);
	if (i->backend == SAFER_RING_BACKEND_FOLIO) {
		EXPECT_NE(0ULL, i->features & SAFER_RING_FEATURE_HUGE_MAP);
		EXPECT_NE(0ULL, i->page_orders & (1 << 9));
	} else {
		EXPECT_EQ((__u32)SAFER_RING_BACKEND_SHMEM, i->backend);
		EXPECT_EQ(0ULL, i->features & SAFER_RING_FEATURE_HUGE_MAP);
		EXPECT_EQ(1ULL, i->page_orders);
	}
	EXPECT_NE(0ULL, i->page_orders & 1);
}

TEST_F(info, has_limits_that_leave_room_for_something)
{
	EXPECT_LT(0U, self->info.slots);
	EXPECT_LE(PAGE, self->info.region_max);
	EXPECT_LT(0ULL, self->info.quota_user);
	EXPECT_LE(self->info.quota_user, self->info.quota_total);
}

TEST_F(info, tells_where_the_control_area_is)
{
	EXPECT_EQ(0ULL, self->info.control_offset % PAGE);
	EXPECT_LE(PAGE + 8ULL * self->info.slots, self->info.control_length);
	/* A 32-bit process has to be able to map it. */
	EXPECT_GT(1ULL << 44,
		  self->info.control_offset + self->info.control_length);
}

TEST_F(info, counts_what_is_used)
{
	struct safer_ring_alloc a;
	struct safer_ring_info now;

	EXPECT_EQ(0U, self->info.slots_used);
	ASSERT_EQ(0, sr_alloc(self->dev, 3 * PAGE, &a));
	ASSERT_EQ(0, sr_info(self->dev, &now));
	EXPECT_EQ(1U, now.slots_used);
	EXPECT_EQ(self->info.quota_user_used + a.length, now.quota_user_used);
	EXPECT_EQ(self->info.quota_total_used + a.length, now.quota_total_used);
	ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0, NULL));
	ASSERT_EQ(0, sr_info(self->dev, &now));
	EXPECT_EQ(0, memcmp(&now, &self->info, sizeof(now)));
}

TEST_HARNESS_MAIN
