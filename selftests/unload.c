// SPDX-License-Identifier: GPL-2.0
/*
 * The end of the module: when it may go, and that it takes nothing with it.
 */
#include "safer_ring_test.h"
#include "files.h"
#include "module.h"
#include "uring.h"

#define LENGTH		(4UL << 20)
#define NODES		64
#define ROUNDS		5
/* What the rest of the machine may come to need meanwhile, or to have moved. */
#define NOISE		(1LL << 20)
#define NOISE_NODE	(4LL << 20)

FIXTURE(unload)
{
	const char *path;
	char parameters[1024];
};

FIXTURE_SETUP(unload)
{
	self->path = NULL;
	SR_REQUIRE_DEVICE();
	if (!sr_module_file())
		SKIP(return, "SAFER_RING_MODULE does not name the module's file");
	self->path = sr_module_file();
	sr_module_parameters(self->parameters, sizeof(self->parameters));
}

FIXTURE_TEARDOWN(unload)
{
	if (self->path && access(SAFER_RING_DEVICE, F_OK))
		EXPECT_EQ(0, sr_module_load(self->path, self->parameters));
}

/* Unload it, and load it as it was. Return: 0 or -errno. */
static int reload(FIXTURE_DATA(unload) *self)
{
	return sr_module_unload() ?:
	       sr_module_load(self->path, self->parameters);
}

TEST_F(unload, it_is_refused_while_the_module_is_in_use_and_works_later)
{
	struct safer_ring_alloc a;
	int dev = sr_open(), ring = uring_open(4), ret;
	char *map;

	ASSERT_LE(0, dev);
	ret = sr_module_try_unload();
	EXPECT_TRUE(ret == -EAGAIN || ret == -EBUSY);
	ASSERT_EQ(0, sr_alloc(dev, LENGTH, &a));
	map = sr_map(dev, LENGTH, a.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, uring_register_buffer(ring, map, LENGTH));
	munmap(map, LENGTH);
	close(dev);
	/* Only the ring still has the memory now. */
	ret = sr_module_try_unload();
	EXPECT_TRUE(ret == -EAGAIN || ret == -EBUSY);
	close(ring);
	EXPECT_EQ(0, sr_module_unload());
	EXPECT_NE(0, access("/sys/class/misc/safer_ring", F_OK));
	EXPECT_EQ(0, sr_module_load(self->path, self->parameters));
}

TEST_F(unload, what_is_loaded_again_starts_from_nothing)
{
	int dev = sr_open();
	struct safer_ring_alloc a;

	ASSERT_LE(0, dev);
	ASSERT_EQ(0, sr_alloc(dev, LENGTH, &a));
	close(dev);
	EXPECT_LT(0, sr_stat("allocs"));
	ASSERT_EQ(0, reload(self));
	EXPECT_EQ(0, sr_stat("allocs"));
	EXPECT_EQ(0, sr_stat("frees"));
	EXPECT_EQ(0, sr_stat("live_bytes"));
	EXPECT_EQ(0, sr_stat("cache_bytes"));
	/* Parameters that were set are those that it was loaded with. */
	dev = sr_open();
	ASSERT_LE(0, dev);
	EXPECT_EQ(0, sr_alloc(dev, LENGTH, &a));
	close(dev);
}

TEST_F(unload, it_does_not_wait_for_what_waits_for_the_next_region)
{
	struct safer_ring_info info;
	struct safer_ring_alloc a;
	int dev = sr_open();

	ASSERT_LE(0, dev);
	ASSERT_EQ(0, sr_info(dev, &info));
	ASSERT_EQ(0, sr_alloc(dev, LENGTH, &a));
	close(dev);
	if (info.features & SAFER_RING_FEATURE_HUGE_MAP)
		EXPECT_LT(0, sr_stat("cache_bytes"));
	EXPECT_EQ(0, sr_module_try_unload());
	EXPECT_EQ(0, sr_module_load(self->path, self->parameters));
}

/*
 * Free bytes of a node, those included that wait on a list of some CPU; or -1 if
 * there is no such node.
 */
static long long node_free(int node)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	long long pages = -1, n;
	int at = -1, next;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %d, zone", &next) == 1)
			at = next;
		if (at != node)
			continue;
		if (sscanf(line, " pages free %lld", &n) == 1 ||
		    sscanf(line, " count: %lld", &n) == 1)
			pages = (pages < 0 ? 0 : pages) + n;
	}
	if (file)
		fclose(file);
	return pages < 0 ? -1 : pages * (long long)PAGE;
}

/* Caches of the kernel's own are no leak. */
static void settle(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		sync();
		sr_file_write("/proc/sys/vm/drop_caches", "3");
		sr_file_write("/proc/sys/vm/compact_memory", "1");
		usleep(100000);
	}
}

/* Every way of getting memory and losing it, on every node and at every order. */
static int use_everything(int dev, int node)
{
	static const __u32 orders[] = { 9, 4, 0 };
	struct safer_ring_info info;
	struct safer_ring_alloc a;
	unsigned int i;

	if (sr_info(dev, &info))
		return -EIO;
	for (i = 0; i < 3 * 32; i++) {
		int ring = uring_open(4), ret = 0;
		char *map;

		a = sr_request(i % 2 ? LENGTH : 5 * PAGE);
		a.node = node;
		a.flags = SAFER_RING_ALLOC_STRICT;
		if (info.features & SAFER_RING_FEATURE_HUGE_MAP)
			a.order_max = orders[i % 3];
		if (sr_ioctl(dev, SAFER_RING_ALLOC, &a))
			return -ENOMEM;
		map = sr_map(dev, a.length, a.mmap_offset);
		memset(map, 1, a.length);
		if (i % 4 == 0)
			ret = uring_register_buffer(ring, map, a.length);
		if (i % 8 < 6)
			ret = ret ?: sr_free(dev, a.slot, a.generation,
					     SAFER_RING_FREE_FORCE, 0, NULL);
		munmap(map, a.length);
		close(ring);
		if (ret)
			return ret;
	}
	return 0;
}

static int one_round(FIXTURE_DATA(unload) *self)
{
	int node, i, ret = 0;

	for (node = 0; node < NODES && !ret; node++) {
		int dev = sr_open();

		if (node_free(node) > (64 << 20))
			ret = use_everything(dev, node);
		close(dev);
	}
	for (i = 0; i < 100; i++)
		close(sr_open());
	return ret ?: reload(self);
}

TEST_F_TIMEOUT(unload, every_page_of_every_node_is_given_back, 900)
{
	long long before[NODES], gained, all = 0;
	int node, i;

	/* There it is told who the pages' owners are: see check/leaks. */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		SKIP(return, "a debugging kernel's own memory comes and goes");
	ASSERT_EQ(0, one_round(self));
	settle();
	for (node = 0; node < NODES; node++)
		before[node] = node_free(node);
	ASSERT_LE(0, before[0]);
	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(0, one_round(self));
	settle();
	for (node = 0; node < NODES; node++) {
		if (before[node] < 0)
			continue;
		gained = node_free(node) - before[node];
		all += gained;
		TH_LOG("node %d: %lld KiB more are free", node, gained / 1024);
		EXPECT_LT(-NOISE_NODE, gained);
		EXPECT_EQ(0, sr_node_stat(node, "live_bytes"));
		EXPECT_EQ(0, sr_node_stat(node, "quarantine_bytes"));
		EXPECT_EQ(0, sr_node_stat(node, "cache_bytes"));
	}
	EXPECT_LT(-NOISE, all);
}

TEST_HARNESS_MAIN
