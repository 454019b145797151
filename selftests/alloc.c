// SPDX-License-Identifier: GPL-2.0
/*
 * ALLOC: what can be asked for, what comes, and what does not.
 */
#include <sys/stat.h>

#include "safer_ring_test.h"

#define PARAMETERS	"/sys/module/safer_ring/parameters/"

FIXTURE(alloc)
{
	struct sr_usage before;
	struct sr_control control;
	struct safer_ring_info info;
	int dev;
};

FIXTURE_SETUP(alloc)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_control_map(self->dev, &self->control));
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(alloc)
{
	sr_control_unmap(&self->control);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int alloc(FIXTURE_DATA(alloc) *self, struct safer_ring_alloc *a)
{
	return sr_ioctl(self->dev, SAFER_RING_ALLOC, a);
}

/* Nothing was allocated, and the structure was not touched. */
#define EXPECT_REFUSED(error, request)					\
	do {								\
		struct safer_ring_alloc tried = (request);		\
		struct safer_ring_info now;				\
		EXPECT_EQ(error, alloc(self, &tried));			\
		EXPECT_EQ(0, memcmp(&tried, &(request), sizeof(tried))); \
		EXPECT_EQ(0, sr_info(self->dev, &now));			\
		EXPECT_EQ(0, memcmp(&now, &self->info, sizeof(now)));	\
	} while (0)

TEST_F(alloc, gives_whole_pages_of_one_order_and_an_odd_generation)
{
	static const __u64 lengths[] = { 1, 4095, 4096, 4097, 65535, 65536,
					 100000, 2097151, 2097152, 2097153 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct safer_ring_alloc a;

		ASSERT_EQ(0, sr_alloc(self->dev, lengths[i], &a));
		EXPECT_LE(lengths[i], a.length);
		EXPECT_EQ(0ULL, a.length % (PAGE << a.order));
		EXPECT_GT(PAGE << a.order, a.length - lengths[i]);
		EXPECT_NE(0ULL, self->info.page_orders & (1ULL << a.order));
		EXPECT_EQ(1ULL, a.generation & 1);
		EXPECT_EQ(a.generation, sr_word(&self->control, a.slot));
		ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0,
				     NULL));
	}
}

TEST_F(alloc, a_small_region_has_small_pages)
{
	struct safer_ring_alloc a;

	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	EXPECT_EQ(0U, a.order);
	EXPECT_EQ(PAGE, a.length);
}

TEST_F(alloc, a_large_region_has_huge_pages_where_the_backend_has_them)
{
	struct safer_ring_alloc a;

	if (!(self->info.features & SAFER_RING_FEATURE_HUGE_MAP))
		SKIP(return, "this backend has single pages only");
	ASSERT_EQ(0, sr_alloc(self->dev, 8 << 20, &a));
	EXPECT_EQ(9U, a.order);
}

TEST_F(alloc, takes_the_order_that_is_asked_for)
{
	struct safer_ring_alloc a;
	unsigned int order;

	for (order = 0; order < 10; order++) {
		a = sr_request(PAGE << 4);
		a.order_min = order;
		a.order_max = order;
		if (!(self->info.page_orders & (1ULL << order))) {
			EXPECT_REFUSED(-EINVAL, a);
			continue;
		}
		ASSERT_EQ(0, alloc(self, &a));
		EXPECT_EQ(order, a.order);
		EXPECT_EQ(order > 4 ? PAGE << order : PAGE << 4, a.length);
		EXPECT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0,
				     NULL));
	}
}

TEST_F(alloc, refuses_orders_out_of_order_or_too_large)
{
	struct safer_ring_alloc a = sr_request(PAGE);

	a.order_min = 1;
	a.order_max = 0;
	EXPECT_REFUSED(-EINVAL, a);
	a.order_min = 0;
	a.order_max = 10;
	EXPECT_REFUSED(-EINVAL, a);
	a.order_min = 10;
	a.order_max = SAFER_RING_ORDER_BEST;
	EXPECT_REFUSED(-EINVAL, a);
	a.order_min = UINT32_MAX;
	EXPECT_REFUSED(-EINVAL, a);
}

TEST_F(alloc, refuses_no_length_and_more_than_the_largest_region)
{
	struct safer_ring_alloc a = sr_request(0);

	EXPECT_REFUSED(-EINVAL, a);
	a.length = self->info.region_max + 1;
	EXPECT_REFUSED(-EFBIG, a);
	a.length = UINT64_MAX;
	EXPECT_REFUSED(-EFBIG, a);
}

TEST_F(alloc, refuses_nodes_that_do_not_exist)
{
	static const int nodes[] = { -2, 63, 64, 1023, 1024, 65536, INT32_MAX,
				     INT32_MIN };
	struct safer_ring_alloc a = sr_request(PAGE);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		a.node = nodes[i];
		EXPECT_REFUSED(-EINVAL, a);
	}
}

TEST_F(alloc, refuses_a_reserved_member_that_is_not_zero)
{
	struct safer_ring_alloc a = sr_request(PAGE);

	a.reserved = 1;
	EXPECT_REFUSED(-EINVAL, a);
}

TEST_F(alloc, memory_below_4_gib_is_given_or_refused_as_the_features_say)
{
	struct safer_ring_alloc a = sr_request(PAGE);

	a.flags = SAFER_RING_ALLOC_DMA32;
	a.node = 0;
	if (self->info.features & SAFER_RING_FEATURE_DMA32) {
		EXPECT_EQ(0, alloc(self, &a));
	} else {
		EXPECT_REFUSED(-EOPNOTSUPP, a);
	}
}

TEST_F(alloc, memory_is_zeroed_also_when_it_was_used_before)
{
	static const __u64 lengths[] = { PAGE, 64 * 1024, 2 << 20 };
	unsigned int i;

	for (i = 0; i < 6; i++) {
		__u64 length = lengths[i / 2];
		struct safer_ring_alloc a;
		char *map;
		__u64 at;

		ASSERT_EQ(0, sr_alloc(self->dev, length, &a));
		map = sr_map(self->dev, length, a.mmap_offset);
		ASSERT_NE(MAP_FAILED, map);
		for (at = 0; at < length; at++)
			if (map[at])
				break;
		EXPECT_EQ(length, at);
		memset(map, 0xff, length);
		munmap(map, length);
		ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0,
				     NULL));
	}
}

TEST_F(alloc, a_table_can_be_filled_to_its_last_slot_and_no_further)
{
	struct safer_ring_alloc a = sr_request(PAGE), last = a;
	struct safer_ring_info now;
	__u32 i;

	for (i = 0; i < self->info.slots; i++) {
		last = sr_request(PAGE);
		ASSERT_EQ(0, alloc(self, &last));
	}
	EXPECT_EQ(-ENOSPC, alloc(self, &a));
	ASSERT_EQ(0, sr_info(self->dev, &now));
	EXPECT_EQ(self->info.slots, now.slots_used);
	ASSERT_EQ(0, sr_free(self->dev, last.slot, last.generation, 0, 0,
			     NULL));
	EXPECT_EQ(0, alloc(self, &a));
	EXPECT_EQ(last.slot, a.slot);
	EXPECT_NE(last.generation, a.generation);
}

static int write_parameter(const char *name, unsigned long long value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	fprintf(file, "%llu\n", value);
	return fclose(file) ? -errno : 0;
}

TEST_F(alloc, all_users_together_get_their_quota_to_the_last_page)
{
	struct safer_ring_alloc a = sr_request(PAGE), b = sr_request(PAGE);
	int ret;

	ret = write_parameter("quota_total",
			      self->info.quota_total_used + PAGE);
	if (ret)
		SKIP(return, "parameters: %s", strerror(-ret));
	EXPECT_EQ(0, alloc(self, &a));
	EXPECT_EQ(-EDQUOT, alloc(self, &b));
	EXPECT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0, NULL));
	EXPECT_EQ(0, alloc(self, &b));
	EXPECT_EQ(0, write_parameter("quota_total", self->info.quota_total));
}

TEST_F(alloc, a_quota_that_a_huge_page_would_break_is_filled_with_small_ones)
{
	struct safer_ring_alloc a = sr_request(3 << 20);
	int ret;

	ret = write_parameter("quota_total",
			      self->info.quota_total_used + (3 << 20));
	if (ret)
		SKIP(return, "parameters: %s", strerror(-ret));
	EXPECT_EQ(0, alloc(self, &a));
	EXPECT_EQ(3ULL << 20, a.length);
	EXPECT_EQ(0, write_parameter("quota_total", self->info.quota_total));
}

/* As another user, without CAP_IPC_LOCK; the device is open already. */
static int alloc_as_user(int dev, __u64 length)
{
	struct safer_ring_alloc a;

	if (setgid(65534) || setuid(65534))
		return 100;
	return -sr_alloc(dev, length, &a);
}

TEST_F(alloc, a_user_gets_its_quota_and_cap_ipc_lock_lifts_it)
{
	struct safer_ring_alloc a;
	int ret, status;
	pid_t child;
	__u64 length;

	ret = write_parameter("quota_user", 4 * PAGE);
	if (ret)
		SKIP(return, "parameters: %s", strerror(-ret));
	EXPECT_EQ(0, sr_alloc(self->dev, 5 * PAGE, &a));
	for (length = 4 * PAGE; length <= 5 * PAGE; length += PAGE) {
		child = fork();
		if (!child)
			_exit(alloc_as_user(self->dev, length));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(length == 4 * PAGE ? 0 : EDQUOT,
			  WEXITSTATUS(status));
		/* The other user's region is in our table: empty it. */
		close(self->dev);
		sr_control_unmap(&self->control);
		self->dev = sr_open();
		ASSERT_EQ(0, sr_control_map(self->dev, &self->control));
	}
	EXPECT_EQ(0, write_parameter("quota_user", self->info.quota_user));
}

TEST_F(alloc, the_largest_region_can_be_made_smaller)
{
	struct safer_ring_alloc a = sr_request(PAGE), b = sr_request(PAGE + 1);
	int ret = write_parameter("region_max", PAGE);

	if (ret)
		SKIP(return, "parameters: %s", strerror(-ret));
	EXPECT_EQ(0, alloc(self, &a));
	EXPECT_EQ(-EFBIG, alloc(self, &b));
	EXPECT_EQ(0, write_parameter("region_max", self->info.region_max));
}

TEST_F(alloc, slots_can_be_set_within_their_limits_for_files_opened_later)
{
	struct safer_ring_info now;
	int dev, ret;

	ret = write_parameter("slots", 1);
	if (ret)
		SKIP(return, "parameters: %s", strerror(-ret));
	dev = sr_open();
	ASSERT_LE(0, dev);
	ASSERT_EQ(0, sr_info(dev, &now));
	EXPECT_EQ(1U, now.slots);
	close(dev);
	EXPECT_EQ(-EINVAL, write_parameter("slots", 0));
	EXPECT_EQ(-EINVAL, write_parameter("slots", 16385));
	EXPECT_EQ(0, write_parameter("slots", 16384));
	EXPECT_EQ(0, write_parameter("slots", self->info.slots));
	ASSERT_EQ(0, sr_info(self->dev, &now));
	EXPECT_EQ(self->info.slots, now.slots);
}

TEST_F(alloc, a_memory_group_at_its_limit_gets_enomem_and_nobody_is_killed)
{
	const char *group = "/sys/fs/cgroup/safer_ring_test";
	struct safer_ring_alloc a;
	int status;
	pid_t child;

	if (mkdir(group, 0755) && errno != EEXIST)
		SKIP(return, "%s: %s", group, strerror(errno));
	child = fork();
	if (!child) {
		char path[128];
		FILE *file;

		snprintf(path, sizeof(path), "%s/memory.max", group);
		file = fopen(path, "w");
		if (!file || fprintf(file, "%d\n", 8 << 20) < 0 || fclose(file))
			_exit(100);
		snprintf(path, sizeof(path), "%s/cgroup.procs", group);
		file = fopen(path, "w");
		if (!file || fprintf(file, "%d\n", getpid()) < 0 ||
		    fclose(file))
			_exit(100);
		_exit(-sr_alloc(self->dev, 64 << 20, &a));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	rmdir(group);
	ASSERT_TRUE(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100)
		SKIP(return, "no memory controller in %s", group);
	EXPECT_EQ(ENOMEM, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
