// SPDX-License-Identifier: GPL-2.0
/*
 * RENEW: old handles go stale, the memory stays.
 */
#include "safer_ring_test.h"

FIXTURE(renew)
{
	struct sr_usage before;
	struct sr_control control;
	struct safer_ring_alloc region;
	int dev;
};

FIXTURE_SETUP(renew)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_control_map(self->dev, &self->control));
	ASSERT_EQ(0, sr_alloc(self->dev, 64 * 1024, &self->region));
}

FIXTURE_TEARDOWN(renew)
{
	sr_control_unmap(&self->control);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int renew(int dev, __u32 slot, __u64 *generation, __u64 *offset)
{
	struct safer_ring_renew r = { .size = sizeof(r), .slot = slot,
				      .generation = *generation };
	int ret = sr_ioctl(dev, SAFER_RING_RENEW, &r);

	if (ret)
		return ret;
	*generation = r.generation;
	if (offset)
		*offset = r.mmap_offset;
	return 0;
}

TEST_F(renew, gives_a_new_odd_generation_that_the_control_area_shows)
{
	__u64 generation = self->region.generation;
	__u64 revocations = self->control.header->revocations;

	ASSERT_EQ(0, renew(self->dev, self->region.slot, &generation, NULL));
	EXPECT_NE(self->region.generation, generation);
	EXPECT_EQ(1ULL, generation & 1);
	EXPECT_EQ(generation, sr_word(&self->control, self->region.slot));
	EXPECT_LT(revocations, self->control.header->revocations);
}

TEST_F(renew, keeps_the_memory_its_contents_and_its_mappings)
{
	__u64 generation = self->region.generation, offset;
	char *old = sr_map(self->dev, self->region.length,
			   self->region.mmap_offset);
	char *new;

	ASSERT_NE(MAP_FAILED, old);
	old[5] = 42;
	ASSERT_EQ(0, renew(self->dev, self->region.slot, &generation, &offset));
	EXPECT_EQ(42, old[5]);
	new = sr_map(self->dev, self->region.length, offset);
	ASSERT_NE(MAP_FAILED, new);
	new[6] = 43;
	EXPECT_EQ(43, old[6]);
	munmap(old, self->region.length);
	munmap(new, self->region.length);
}

TEST_F(renew, makes_the_old_handle_stale_for_every_command)
{
	__u64 generation = self->region.generation;
	struct safer_ring_free f = { .size = sizeof(f),
				     .slot = self->region.slot,
				     .generation = generation };
	struct safer_ring_query q = { .size = sizeof(q),
				      .slot = self->region.slot,
				      .generation = generation };
	struct safer_ring_export e = { .size = sizeof(e),
				       .slot = self->region.slot,
				       .generation = generation };
	__u64 stale = generation;

	ASSERT_EQ(0, renew(self->dev, self->region.slot, &generation, NULL));
	EXPECT_EQ(-ESTALE, sr_ioctl(self->dev, SAFER_RING_FREE, &f));
	EXPECT_EQ(-ESTALE, sr_ioctl(self->dev, SAFER_RING_QUERY, &q));
	EXPECT_EQ(-ESTALE, sr_ioctl(self->dev, SAFER_RING_EXPORT, &e));
	EXPECT_EQ(-ESTALE, renew(self->dev, self->region.slot, &stale, NULL));
	EXPECT_EQ(generation, sr_word(&self->control, self->region.slot));
}

TEST_F(renew, makes_the_old_mmap_offset_stale)
{
	__u64 generation = self->region.generation;

	ASSERT_EQ(0, renew(self->dev, self->region.slot, &generation, NULL));
	EXPECT_EQ(MAP_FAILED, sr_map(self->dev, self->region.length,
				     self->region.mmap_offset));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(renew, refuses_generation_0_an_empty_slot_flags_and_reserved_members)
{
	struct safer_ring_renew r = { .size = sizeof(r),
				      .slot = self->region.slot };

	EXPECT_EQ(-ESTALE, sr_ioctl(self->dev, SAFER_RING_RENEW, &r));
	r.generation = self->region.generation;
	r.slot++;
	EXPECT_EQ(-ESTALE, sr_ioctl(self->dev, SAFER_RING_RENEW, &r));
	r.slot--;
	r.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, sr_ioctl(self->dev, SAFER_RING_RENEW, &r));
	r.flags = 0;
	r.reserved = 1;
	EXPECT_EQ(-EINVAL, sr_ioctl(self->dev, SAFER_RING_RENEW, &r));
	EXPECT_EQ(self->region.generation,
		  sr_word(&self->control, self->region.slot));
}

/*
 * Generations that begin near their end, if the module was loaded so: a slot
 * that is used up must never be used again.
 */
TEST_F(renew, a_slot_on_its_last_generation_is_neither_renewed_nor_used_again)
{
	__u64 generation = self->region.generation;
	struct safer_ring_free f = { .size = sizeof(f),
				     .slot = self->region.slot };
	struct safer_ring_alloc again;
	int ret, i;

	if ((__u32)generation < 0xffff0000)
		SKIP(return, "needs insmod safer_ring.ko generation_start=4294967280 slots=2");
	do {
		ret = renew(self->dev, self->region.slot, &generation, NULL);
	} while (!ret);
	EXPECT_EQ(-EOVERFLOW, ret);
	EXPECT_EQ(0xfffffffd, (__u32)generation);
	EXPECT_EQ(generation, sr_word(&self->control, self->region.slot));
	f.generation = generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_FREE, &f));
	EXPECT_EQ(0xfffffffe,
		  (__u32)sr_word(&self->control, self->region.slot));
	for (i = 0; i < 100; i++) {
		ret = sr_alloc(self->dev, PAGE, &again);
		if (ret)
			break;
		EXPECT_NE(self->region.slot, again.slot);
		f.slot = again.slot;
		f.generation = again.generation;
		ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_FREE, &f));
	}
	/* Now the other slot is used up as well. */
	EXPECT_EQ(-ENOSPC, ret);
}

TEST_HARNESS_MAIN
