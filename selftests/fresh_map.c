// SPDX-License-Identifier: GPL-2.0
/*
 * Offset 0 of the device: a fresh region for whoever can map a file.
 */
#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "safer_ring_test.h"
#include "uring.h"

FIXTURE(fresh_map)
{
	struct sr_usage before;
	int dev;
};

FIXTURE_SETUP(fresh_map)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(fresh_map)
{
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

/* Whether every page of @map is on @node. */
static bool all_on_node(char *map, size_t length, int node)
{
	size_t at;

	for (at = 0; at < length; at += PAGE) {
		void *page = map + at;
		int status = -1;

		if (syscall(__NR_move_pages, 0, 1UL, &page, NULL, &status, 0) ||
		    status != node)
			return false;
	}
	return true;
}

static int set_policy(int mode, unsigned long nodes)
{
	return syscall(__NR_set_mempolicy, mode, nodes ? &nodes : NULL,
		       nodes ? 8 * sizeof(nodes) : 0);
}

TEST_F(fresh_map, is_zeroed_memory_that_counts_and_goes_with_its_last_mapping)
{
	struct sr_usage now;
	char *map = sr_map(self->dev, 4 * HUGE_PAGE, 0);
	size_t at;

	ASSERT_NE(MAP_FAILED, map);
	for (at = 0; at < 4 * HUGE_PAGE; at += PAGE)
		ASSERT_EQ(0, map[at]);
	memset(map, 1, 4 * HUGE_PAGE);
	ASSERT_EQ(0, sr_usage(&now));
	EXPECT_EQ(self->before.regions + 1, now.regions);
	EXPECT_EQ(self->before.live + 4 * (long long)HUGE_PAGE, now.live);
	munmap(map, 4 * HUGE_PAGE);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

TEST_F(fresh_map, every_mapping_is_a_region_of_its_own)
{
	char *a = sr_map(self->dev, PAGE, 0);
	char *b = sr_map(self->dev, PAGE, 0);

	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	a[0] = 1;
	EXPECT_EQ(0, b[0]);
	munmap(a, PAGE);
	munmap(b, PAGE);
}

TEST_F(fresh_map, outlives_the_descriptor_and_ends_with_the_last_piece)
{
	char *map = sr_map(self->dev, 4 * PAGE, 0);
	struct sr_usage now;

	ASSERT_NE(MAP_FAILED, map);
	close(self->dev);
	map[0] = 1;
	map[3 * PAGE] = 2;
	munmap(map + PAGE, 2 * PAGE);
	EXPECT_EQ(1, map[0]);
	EXPECT_EQ(2, map[3 * PAGE]);
	munmap(map, PAGE);
	ASSERT_EQ(0, sr_usage(&now));
	EXPECT_EQ(self->before.regions + 1, now.regions);
	munmap(map + 3 * PAGE, PAGE);
	self->dev = sr_open();
}

TEST_F(fresh_map, follows_the_memory_policy_of_the_caller)
{
	int node;

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "one node only");
	for (node = 0; node < 2; node++) {
		char *map;

		ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << node));
		map = sr_map(self->dev, 2 * HUGE_PAGE, 0);
		ASSERT_NE(MAP_FAILED, map);
		memset(map, 1, 2 * HUGE_PAGE);
		EXPECT_TRUE(all_on_node(map, 2 * HUGE_PAGE, node));
		munmap(map, 2 * HUGE_PAGE);
	}
	ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
}

TEST_F(fresh_map, is_spread_by_an_interleave_policy)
{
	char *map;

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "one node only");
	ASSERT_EQ(0, set_policy(MPOL_INTERLEAVE, 3));
	map = sr_map(self->dev, 4 * HUGE_PAGE, 0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, 4 * HUGE_PAGE);
	EXPECT_FALSE(all_on_node(map, 4 * HUGE_PAGE, 0));
	EXPECT_FALSE(all_on_node(map, 4 * HUGE_PAGE, 1));
	munmap(map, 4 * HUGE_PAGE);
	ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
}

TEST_F(fresh_map, is_a_fixed_buffer_and_stays_in_quarantine_while_one)
{
	char *map = sr_map(self->dev, HUGE_PAGE, 0);
	struct safer_ring_info info;
	struct uring ring;
	int zero = open("/dev/zero", O_RDONLY);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_LE(0, zero);
	map[17] = 1;
	ASSERT_EQ(0, uring_init(&ring, 4));
	ASSERT_EQ(0, uring_register_buffer(ring.fd, map, HUGE_PAGE));
	EXPECT_EQ(4096, uring_do(&ring, IORING_OP_READ_FIXED, zero, map, 4096,
				 0));
	EXPECT_EQ(0, map[17]);
	munmap(map, HUGE_PAGE);
	ASSERT_EQ(0, sr_info(self->dev, &info));
	EXPECT_EQ((long long)HUGE_PAGE,
		  (long long)info.quarantine - self->before.quarantine);
	uring_exit(&ring);
	close(zero);
}

TEST_F(fresh_map, refuses_private_mappings_and_other_low_offsets)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
				   self->dev, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, sr_map(self->dev, PAGE, PAGE));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(fresh_map, refuses_more_than_the_largest_region)
{
	struct safer_ring_info info;

	ASSERT_EQ(0, sr_info(self->dev, &info));
	EXPECT_EQ(MAP_FAILED, sr_map(self->dev, info.region_max + PAGE, 0));
	EXPECT_EQ(EFBIG, errno);
}

TEST_HARNESS_MAIN
