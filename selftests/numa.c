// SPDX-License-Identifier: GPL-2.0
/*
 * Placement: a region lies where it was asked for, to the last page, and is
 * mapped in large pages where it can be.
 */
#include <sched.h>
#include <sys/syscall.h>

#include "safer_ring_test.h"

#define LENGTH	(16UL << 20)

FIXTURE(numa)
{
	struct sr_usage before;
	struct safer_ring_info info;
	int dev;
};

FIXTURE_SETUP(numa)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(numa)
{
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static bool node_exists(int node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
	return !access(path, F_OK);
}

/* How many pages of @map are on @node, by the kernel's own account. */
static size_t pages_on_node(char *map, size_t length, int node)
{
	size_t n = length / PAGE, i, there = 0;
	void **pages = calloc(n, sizeof(*pages));
	int *status = calloc(n, sizeof(*status));

	for (i = 0; pages && status && i < n; i++)
		pages[i] = map + i * PAGE;
	if (pages && status &&
	    !syscall(__NR_move_pages, 0, n, pages, NULL, status, 0))
		for (i = 0; i < n; i++)
			there += status[i] == node;
	free(pages);
	free(status);
	return there;
}

/* Kilobytes that /proc/self/smaps gives for the mapping at @map. */
static long mapping_kb(const char *map, const char *key)
{
	char line[512], start[32];
	bool inside = false;
	long value = -1;
	FILE *file = fopen("/proc/self/smaps", "r");

	if (!file)
		return -1;
	snprintf(start, sizeof(start), "%lx-", (unsigned long)map);
	while (value < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, start, strlen(start)))
			inside = true;
		else if (inside && !strncmp(line, key, strlen(key)))
			value = atol(line + strlen(key) + 1);
	}
	fclose(file);
	return value;
}

static char *alloc_on(FIXTURE_DATA(numa) *self, int node, __u32 flags,
		      struct safer_ring_alloc *a)
{
	*a = sr_request(LENGTH);
	a->node = node;
	a->flags = flags;
	if (sr_ioctl(self->dev, SAFER_RING_ALLOC, a))
		return MAP_FAILED;
	return sr_map(self->dev, a->length, a->mmap_offset);
}

TEST_F(numa, a_strict_region_lies_on_its_node_to_the_last_page)
{
	struct safer_ring_alloc a;
	int node, nodes = 0;

	for (node = 0; node < 64; node++) {
		char *map;

		if (!node_exists(node))
			continue;
		nodes++;
		map = alloc_on(self, node, SAFER_RING_ALLOC_STRICT, &a);
		ASSERT_NE(MAP_FAILED, map);
		memset(map, 1, LENGTH);
		EXPECT_EQ(node, a.node);
		EXPECT_EQ(LENGTH / PAGE, pages_on_node(map, LENGTH, node));
		munmap(map, LENGTH);
	}
	TH_LOG("%d nodes", nodes);
	EXPECT_LT(0, nodes);
}

TEST_F(numa, a_preferred_region_lies_on_the_node_that_alloc_names)
{
	struct safer_ring_alloc a;
	char *map = alloc_on(self, 0, 0, &a);

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, LENGTH);
	EXPECT_EQ(LENGTH / PAGE, pages_on_node(map, LENGTH, a.node));
	munmap(map, LENGTH);
}

TEST_F(numa, the_local_node_is_the_one_the_thread_runs_on)
{
	struct safer_ring_alloc a;
	cpu_set_t set;
	int cpu;

	for (cpu = 0; cpu < 2; cpu++) {
		unsigned int node;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			SKIP(return, "one CPU only");
		ASSERT_EQ(0, syscall(__NR_getcpu, NULL, &node, NULL));
		ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
		EXPECT_EQ((int)node, a.node);
	}
}

TEST_F(numa, strict_memory_that_the_node_does_not_have_is_refused)
{
	struct safer_ring_alloc a = sr_request(0);
	struct safer_ring_info now;
	FILE *file = fopen("/sys/devices/system/node/node0/meminfo", "r");
	unsigned long kb = 0;
	char line[256];

	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Node 0 MemTotal: %lu kB", &kb) == 1)
			break;
	fclose(file);
	a.length = kb * 1024ULL;
	a.node = 0;
	a.flags = SAFER_RING_ALLOC_STRICT;
	if (a.length > self->info.quota_total)
		SKIP(return, "the quota is smaller than the node");
	EXPECT_EQ(-ENOMEM, sr_ioctl(self->dev, SAFER_RING_ALLOC, &a));
	ASSERT_EQ(0, sr_info(self->dev, &now));
	EXPECT_EQ(0U, now.slots_used);
}

TEST_F(numa, an_order_9_region_is_mapped_by_pmd_throughout)
{
	struct safer_ring_alloc a;
	char *map;

	if (!(self->info.features & SAFER_RING_FEATURE_HUGE_MAP))
		SKIP(return, "this backend has single pages only");
	map = alloc_on(self, 0, SAFER_RING_ALLOC_STRICT, &a);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(9U, a.order);
	memset(map, 1, LENGTH);
	EXPECT_EQ((long)(LENGTH / 1024), mapping_kb(map, "FilePmdMapped"));
	EXPECT_EQ((long)(LENGTH / 1024), mapping_kb(map, "Rss"));
	munmap(map, LENGTH);
}

TEST_F(numa, pages_stay_where_they_are_when_asked_to_migrate)
{
	struct safer_ring_alloc a;
	unsigned long from = 1, to = 2;
	char *map;

	if (!node_exists(1))
		SKIP(return, "one node only");
	map = alloc_on(self, 0, SAFER_RING_ALLOC_STRICT, &a);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, LENGTH);
	syscall(__NR_migrate_pages, 0, 8UL, &from, &to);
	EXPECT_EQ(LENGTH / PAGE, pages_on_node(map, LENGTH, 0));
	/* MPOL_BIND to node 1, MPOL_MF_MOVE_ALL */
	syscall(__NR_mbind, map, LENGTH, 2, &to, 8UL, 4);
	EXPECT_EQ(LENGTH / PAGE, pages_on_node(map, LENGTH, 0));
	munmap(map, LENGTH);
}

TEST_HARNESS_MAIN
