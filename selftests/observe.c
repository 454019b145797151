// SPDX-License-Identifier: GPL-2.0
/*
 * What can be seen from outside: counters, lists, tracepoints.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "safer_ring_test.h"
#include "files.h"
#include "uring.h"

#define LENGTH		(4UL << 20)
#define NODES		64
#define DEBUGFS		"/sys/kernel/debug/safer_ring/regions"
#define INSTANCE	"/sys/kernel/tracing/instances/safer_ring_observe"
#define TEXT		(1U << 20)

static const char *const counters[] = {
	"regions", "live_bytes", "quarantine_regions", "quarantine_bytes",
	"allocs", "frees", "reaps", "cache_bytes",
};

FIXTURE(observe)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	char *text;
	int dev;
};

FIXTURE_SETUP(observe)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->text = malloc(TEXT);
	ASSERT_NE(NULL, self->text);
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(observe)
{
	rmdir(INSTANCE);
	close(self->dev);
	free(self->text);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static bool node_exists(int node)
{
	return sr_node_stat(node, "regions") >= 0;
}

/* The sum of a counter over all nodes. */
static long long sum_of_nodes(const char *name)
{
	long long sum = 0;
	int node;

	for (node = 0; node < NODES; node++)
		if (node_exists(node))
			sum += sr_node_stat(node, name);
	return sum;
}

static int alloc_on(FIXTURE_DATA(observe) *self, int node)
{
	self->region = sr_request(LENGTH);
	self->region.node = node;
	self->region.flags = SAFER_RING_ALLOC_STRICT;
	return sr_ioctl(self->dev, SAFER_RING_ALLOC, &self->region);
}

static int free_region(FIXTURE_DATA(observe) *self, __u32 flags)
{
	return sr_free(self->dev, self->region.slot, self->region.generation,
		       flags, 0, NULL);
}

/* Map the region and pin it by a bare ring. Return: the ring, or -errno. */
static int pin(FIXTURE_DATA(observe) *self)
{
	char *map = sr_map(self->dev, LENGTH, self->region.mmap_offset);
	int ring = uring_open(4);
	int ret;

	if (map == MAP_FAILED || ring < 0)
		return -ENOMEM;
	ret = uring_register_buffer(ring, map, LENGTH);
	munmap(map, LENGTH);
	if (!ret)
		return ring;
	close(ring);
	return ret;
}

/* Whether a counter of a node comes to @value within @ms. */
static bool comes_to(int node, const char *name, long long value, int ms)
{
	for (; ms > 0; ms -= 10) {
		if (sr_node_stat(node, name) == value)
			return true;
		usleep(10000);
	}
	fprintf(stderr, "# node %d: %s is %lld, not %lld\n", node, name,
		sr_node_stat(node, name), value);
	return false;
}

TEST_F(observe, every_node_and_the_sum_of_them_have_the_same_counters)
{
	unsigned int i;
	int node;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		EXPECT_LE(0, sr_stat(counters[i]));
		for (node = 0; node < NODES; node++)
			if (node_exists(node))
				EXPECT_LE(0, sr_node_stat(node, counters[i]));
	}
	EXPECT_TRUE(node_exists(0));
}

TEST_F(observe, a_region_counts_on_its_node_and_on_no_other)
{
	long long before[NODES][ARRAY_SIZE(counters)] = { 0 };
	unsigned int i;
	int node;

	for (node = 0; node < NODES; node++)
		for (i = 0; i < ARRAY_SIZE(counters); i++)
			before[node][i] = sr_node_stat(node, counters[i]);
	for (node = 0; node < NODES; node++) {
		int other = node ? 0 : 1;

		/* Also with memory that a node does not have to have. */
		if (alloc_on(self, node))
			continue;
		EXPECT_EQ(before[node][0] + 1, sr_node_stat(node, "regions"));
		EXPECT_EQ(before[node][1] + (long long)LENGTH,
			  sr_node_stat(node, "live_bytes"));
		EXPECT_EQ(before[node][4] + 1, sr_node_stat(node, "allocs"));
		EXPECT_EQ(before[other][1], sr_node_stat(other, "live_bytes"));
		EXPECT_EQ(sr_stat("live_bytes"), sum_of_nodes("live_bytes"));
		ASSERT_EQ(0, free_region(self, 0));
		EXPECT_EQ(before[node][0], sr_node_stat(node, "regions"));
		EXPECT_EQ(before[node][1], sr_node_stat(node, "live_bytes"));
		EXPECT_EQ(before[node][5] + 1, sr_node_stat(node, "frees"));
		EXPECT_EQ(before[node][3],
			  sr_node_stat(node, "quarantine_bytes"));
	}
}

TEST_F(observe, quarantine_counts_on_the_node_until_it_is_reaped)
{
	long long reaps, frees;
	int node, ring;

	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	node = self->region.node;
	reaps = sr_node_stat(node, "reaps");
	frees = sr_node_stat(node, "frees");
	ring = pin(self);
	ASSERT_LE(0, ring);
	ASSERT_EQ(0, free_region(self, SAFER_RING_FREE_FORCE));
	EXPECT_TRUE(comes_to(node, "quarantine_bytes", LENGTH, 10));
	EXPECT_TRUE(comes_to(node, "quarantine_regions", 1, 10));
	EXPECT_EQ((long long)LENGTH, sr_stat("quarantine_bytes"));
	EXPECT_EQ((long long)LENGTH, sum_of_nodes("quarantine_bytes"));
	EXPECT_EQ(frees + 1, sr_node_stat(node, "frees"));
	EXPECT_EQ(reaps, sr_node_stat(node, "reaps"));
	close(ring);
	EXPECT_TRUE(comes_to(node, "quarantine_bytes", 0, 5000));
	EXPECT_TRUE(comes_to(node, "quarantine_regions", 0, 1000));
	EXPECT_TRUE(comes_to(node, "reaps", reaps + 1, 1000));
}

TEST_F(observe, a_region_spread_over_nodes_counts_its_bytes_page_by_page)
{
	unsigned long nodes = 3, none = 0;
	long long regions = sr_stat("regions");
	long long on[2] = { sr_node_stat(0, "live_bytes"),
			    sr_node_stat(1, "live_bytes") };
	long long node_regions = sum_of_nodes("regions");
	char *map;

	if (!node_exists(1))
		SKIP(return, "one node only");
	/* MPOL_INTERLEAVE */
	if (syscall(__NR_set_mempolicy, 3, &nodes, 8UL))
		SKIP(return, "set_mempolicy: %s", strerror(errno));
	map = sr_map(self->dev, LENGTH, 0);
	/* MPOL_DEFAULT */
	syscall(__NR_set_mempolicy, 0, &none, 0UL);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(regions + 1, sr_stat("regions"));
	EXPECT_EQ(node_regions, sum_of_nodes("regions"));
	EXPECT_EQ(on[0] + (long long)LENGTH / 2, sr_node_stat(0, "live_bytes"));
	EXPECT_EQ(on[1] + (long long)LENGTH / 2, sr_node_stat(1, "live_bytes"));
	munmap(map, LENGTH);
	EXPECT_TRUE(comes_to(0, "live_bytes", on[0], 2000));
	EXPECT_TRUE(comes_to(1, "live_bytes", on[1], 2000));
}

TEST_F(observe, quarantine_of_a_spread_region_counts_page_by_page_too)
{
	unsigned long nodes = 3, none = 0;
	int ring = uring_open(4);
	char *map;

	ASSERT_LE(0, ring);
	if (!node_exists(1))
		SKIP(return, "one node only");
	if (syscall(__NR_set_mempolicy, 3, &nodes, 8UL))
		SKIP(return, "set_mempolicy: %s", strerror(errno));
	map = sr_map(self->dev, LENGTH, 0);
	syscall(__NR_set_mempolicy, 0, &none, 0UL);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, uring_register_buffer(ring, map, LENGTH));
	munmap(map, LENGTH);
	EXPECT_TRUE(comes_to(0, "quarantine_bytes", LENGTH / 2, 2000));
	EXPECT_TRUE(comes_to(1, "quarantine_bytes", LENGTH / 2, 2000));
	EXPECT_EQ(0, sum_of_nodes("quarantine_regions"));
	EXPECT_EQ(1, sr_stat("quarantine_regions"));
	close(ring);
	EXPECT_TRUE(comes_to(0, "quarantine_bytes", 0, 5000));
	EXPECT_TRUE(comes_to(1, "quarantine_bytes", 0, 5000));
}

TEST_F(observe, what_waits_for_the_next_region_is_counted_until_it_is_let_go)
{
	struct safer_ring_info info;
	int node;

	ASSERT_EQ(0, sr_info(self->dev, &info));
	if (!(info.features & SAFER_RING_FEATURE_HUGE_MAP))
		SKIP(return, "this backend has single pages only");
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	node = self->region.node;
	ASSERT_TRUE(comes_to(node, "cache_bytes", 0, 5000));
	ASSERT_EQ(0, free_region(self, 0));
	EXPECT_EQ((long long)LENGTH, sr_node_stat(node, "cache_bytes"));
	EXPECT_TRUE(comes_to(node, "cache_bytes", 0, 5000));
}

TEST_F(observe, fdinfo_lists_the_slots_of_an_open_file_and_whose_they_are)
{
	struct safer_ring_export e = { .size = sizeof(e) };
	struct safer_ring_import i = { .size = sizeof(i) };
	char path[64], line[256];

	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	e.slot = self->region.slot;
	e.generation = self->region.generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_EXPORT, &e));
	i.fd = e.fd;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_IMPORT, &i));

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->dev);
	ASSERT_LT(0, sr_file_read(path, self->text, TEXT));
	EXPECT_EQ(2, sr_value(self->text, "slots_used:"));
	snprintf(path, sizeof(path), "slot:\t%u", self->region.slot);
	ASSERT_TRUE(sr_find_line(self->text, path, line, sizeof(line)));
	EXPECT_EQ((long long)self->region.generation,
		  sr_value(line, "generation="));
	EXPECT_NE(NULL, strstr(line, " owner "));
	EXPECT_EQ((long long)LENGTH, sr_value(line, "length="));
	EXPECT_EQ(self->region.node, sr_value(line, "node="));
	EXPECT_EQ(self->region.order, sr_value(line, "order="));
	snprintf(path, sizeof(path), "slot:\t%u", i.slot);
	ASSERT_TRUE(sr_find_line(self->text, path, line, sizeof(line)));
	EXPECT_NE(NULL, strstr(line, " importer "));

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", e.fd);
	ASSERT_LT(0, sr_file_read(path, self->text, TEXT));
	EXPECT_EQ((long long)LENGTH, sr_value(self->text, "length="));
	close(e.fd);
}

/* The region's number, as fdinfo has it; or -1. */
static long long region_id(FIXTURE_DATA(observe) *self)
{
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->dev);
	if (sr_file_read(path, self->text, TEXT) < 0)
		return -1;
	snprintf(path, sizeof(path), "slot:\t%u", self->region.slot);
	if (!sr_find_line(self->text, path, line, sizeof(line)))
		return -1;
	return sr_value(line, "region=");
}

/* The region's line in debugfs; false if there is none. */
static bool listed(FIXTURE_DATA(observe) *self, long long id, char *line,
		   size_t size)
{
	char word[64];

	snprintf(word, sizeof(word), "region=%lld", id);
	return sr_file_read(DEBUGFS, self->text, TEXT) >= 0 &&
	       sr_find_line(self->text, word, line, size);
}

TEST_F(observe, debugfs_lists_a_region_with_its_pins_and_its_time_in_quarantine)
{
	long long id, age;
	char line[512];
	int ring;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "%s: %s", DEBUGFS, strerror(errno));
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	id = region_id(self);
	ASSERT_TRUE(listed(self, id, line, sizeof(line)));
	EXPECT_EQ(0, strncmp(line, "live ", 5));
	EXPECT_EQ(getpid(), sr_value(line, "pid="));
	EXPECT_EQ(0, sr_value(line, "pinned="));
	EXPECT_EQ((long long)LENGTH, sr_value(line, "held="));
	EXPECT_EQ(-1, sr_value(line, "age_ms="));

	ring = pin(self);
	ASSERT_LE(0, ring);
	ASSERT_TRUE(listed(self, id, line, sizeof(line)));
	EXPECT_EQ((long long)(LENGTH >> self->region.order) / (long long)PAGE,
		  sr_value(line, "pinned="));

	ASSERT_EQ(0, free_region(self, SAFER_RING_FREE_FORCE));
	ASSERT_TRUE(listed(self, id, line, sizeof(line)));
	EXPECT_EQ(0, strncmp(line, "retired ", 8));
	age = sr_value(line, "age_ms=");
	EXPECT_LE(0, age);
	EXPECT_GT(5000, age);
	usleep(200000);
	ASSERT_TRUE(listed(self, id, line, sizeof(line)));
	EXPECT_LE(age + 180, sr_value(line, "age_ms="));

	close(ring);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
	EXPECT_FALSE(listed(self, id, line, sizeof(line)));
}

TEST_F(observe, the_list_in_debugfs_is_for_root_only)
{
	struct stat st;

	if (stat(DEBUGFS, &st))
		SKIP(return, "%s: %s", DEBUGFS, strerror(errno));
	EXPECT_EQ(0400U, st.st_mode & 0777);
	EXPECT_EQ(0U, st.st_uid);
}

/* How often @event was traced for region @id. */
static int traced(FIXTURE_DATA(observe) *self, const char *event, long long id)
{
	char word[64], *line, *rest = self->text;
	int n = 0;

	if (sr_file_read(INSTANCE "/trace", self->text, TEXT) < 0)
		return -1;
	snprintf(word, sizeof(word), "safer_ring_%s: region=%lld ", event, id);
	while ((line = strsep(&rest, "\n")))
		n += !!strstr(line, word);
	return n;
}

TEST_F(observe, every_step_of_a_regions_life_fires_its_tracepoint_once)
{
	static const char *const events[] = { "alloc", "renew", "share", "free",
					      "quarantine", "reap" };
	struct safer_ring_renew r = { .size = sizeof(r) };
	struct safer_ring_export e = { .size = sizeof(e) };
	struct safer_ring_import i = { .size = sizeof(i) };
	unsigned int event;
	long long id;
	int ring;

	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		SKIP(return, "%s: %s", INSTANCE, strerror(errno));
	ASSERT_EQ(0, sr_file_write(INSTANCE "/events/safer_ring/enable", "1"));
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	id = region_id(self);
	r.slot = self->region.slot;
	r.generation = self->region.generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_RENEW, &r));
	self->region.generation = r.generation;
	self->region.mmap_offset = r.mmap_offset;
	e.slot = r.slot;
	e.generation = r.generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_EXPORT, &e));
	i.fd = e.fd;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_IMPORT, &i));
	close(e.fd);
	ring = pin(self);
	ASSERT_LE(0, ring);
	EXPECT_EQ(0, traced(self, "free", id));
	ASSERT_EQ(0, free_region(self, SAFER_RING_FREE_FORCE));
	EXPECT_EQ(0, traced(self, "reap", id));
	close(ring);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
	usleep(50000);
	for (event = 0; event < ARRAY_SIZE(events); event++) {
		TH_LOG("%s", events[event]);
		EXPECT_EQ(1, traced(self, events[event], id));
	}
	ASSERT_EQ(0, sr_file_write(INSTANCE "/events/safer_ring/enable", "0"));
}

TEST_F(observe, a_region_that_nobody_pins_never_shows_in_quarantine)
{
	long long id;

	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		SKIP(return, "%s: %s", INSTANCE, strerror(errno));
	ASSERT_EQ(0, sr_file_write(INSTANCE "/events/safer_ring/enable", "1"));
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	id = region_id(self);
	ASSERT_EQ(0, free_region(self, 0));
	EXPECT_EQ(1, traced(self, "free", id));
	EXPECT_EQ(0, traced(self, "quarantine", id));
	ASSERT_EQ(0, sr_file_write(INSTANCE "/events/safer_ring/enable", "0"));
}

TEST_HARNESS_MAIN
