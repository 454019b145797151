// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel's memory management does to other memory, by itself or when it
 * is asked: moves, merges, reclaims, writes out, hands to a program to be filled.
 * Of a region's pages none may be exchanged for another.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

#include "safer_ring_test.h"
#include "cgroup.h"
#include "files.h"
#include "frames.h"
#include "touch.h"
#include "uring.h"

#define LENGTH	(4UL << 20)
#define BLOCKS	"/sys/devices/system/memory/"
#define KSM	"/sys/kernel/mm/ksm/"

FIXTURE(memory)
{
	struct sr_usage before;
	struct safer_ring_info info;
	struct safer_ring_alloc region;
	__u64 *frames;
	char *map;
	int dev;
};

FIXTURE_SETUP(memory)
{
	SR_REQUIRE_DEVICE();
	sr_catch_faults();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
	self->region = sr_request(LENGTH);
	self->region.node = 0;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_ALLOC, &self->region));
	self->map = sr_map(self->dev, LENGTH, self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, self->map);
	memset(self->map, 6, LENGTH);
	self->frames = sr_frames(self->map, LENGTH);
	if (!self->frames)
		SKIP(return, "pagemap tells no frames: not root?");
}

FIXTURE_TEARDOWN(memory)
{
	free(self->frames);
	munmap(self->map, LENGTH);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int free_region(FIXTURE_DATA(memory) *self)
{
	return sr_free(self->dev, self->region.slot, self->region.generation,
		       0, 0, NULL);
}

/* The same pages with the same contents. */
static bool unharmed(FIXTURE_DATA(memory) *self)
{
	size_t at;

	for (at = 0; at < LENGTH; at++)
		if (self->map[at] != 6)
			return false;
	return sr_frames_are(self->frames, self->map, LENGTH);
}

/* --- userfaultfd */

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, UFFDIO_API, &api))
		return fd;
	close(fd);
	return -EINVAL;
}

static int uffd_register(FIXTURE_DATA(memory) *self, int fd, __u64 mode)
{
	struct uffdio_register r = { .range = { .start = (uintptr_t)self->map,
						.len = LENGTH },
				     .mode = mode };

	return ioctl(fd, UFFDIO_REGISTER, &r) ? -errno : 0;
}

static int uffd_copy(char *to, char *from, int fd)
{
	struct uffdio_copy c = { .dst = (uintptr_t)to, .src = (uintptr_t)from,
				 .len = PAGE };

	return ioctl(fd, UFFDIO_COPY, &c) ? -errno : 0;
}

TEST_F(memory, userfaultfd_is_refused_or_can_put_no_page_into_it)
{
	static const __u64 modes[] = { UFFDIO_REGISTER_MODE_MISSING,
				       UFFDIO_REGISTER_MODE_WP,
				       UFFDIO_REGISTER_MODE_MINOR };
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i, registered = 0;
	int fd = open_uffd();

	ASSERT_NE(MAP_FAILED, page);
	if (fd < 0)
		SKIP(return, "userfaultfd: %s", strerror(-fd));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int ret = uffd_register(self, fd, modes[i]);

		EXPECT_TRUE(!ret || ret == -EINVAL);
		registered += !ret;
		EXPECT_NE(0, uffd_copy(self->map, page, fd));
		EXPECT_TRUE(unharmed(self));
	}
	TH_LOG("%u of %zu modes can be registered", registered,
	       ARRAY_SIZE(modes));
	if (self->info.backend == SAFER_RING_BACKEND_FOLIO)
		EXPECT_EQ(0U, registered);
	/* Whoever serves the faults can not bring the memory back. */
	ASSERT_EQ(0, free_region(self));
	EXPECT_NE(0, uffd_copy(self->map, page, fd));
	close(fd);
	EXPECT_EQ(SIGBUS, sr_touch(self->map));
	munmap(page, PAGE);
}

/* --- moving */

static long move_one(char *at, int node, int flags)
{
	void *page = at;
	int status = -1;

	if (syscall(__NR_move_pages, 0, 1UL, &page, &node, &status, flags) < 0)
		return -errno;
	return status;
}

TEST_F(memory, a_page_that_is_asked_to_move_to_a_node_stays)
{
	char *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long to = 2;

	if (sr_node_stat(1, "regions") < 0)
		SKIP(return, "one node only");
	ASSERT_NE(MAP_FAILED, other);
	other[0] = 1;
	/* MPOL_MF_MOVE */
	EXPECT_EQ(1, move_one(other, 1, 2));
	EXPECT_NE(1, move_one(self->map, 1, 2));
	/* MPOL_MF_MOVE_ALL */
	EXPECT_NE(1, move_one(self->map, 1, 4));
	/* MPOL_BIND, MPOL_MF_STRICT | MPOL_MF_MOVE: it is not to lie. */
	EXPECT_NE(0, syscall(__NR_mbind, self->map, LENGTH, 2, &to, 8UL, 3));
	EXPECT_TRUE(unharmed(self));
	munmap(other, PAGE);
}

/* The node of a page of this process. */
static int node_of(char *at)
{
	void *page = at;
	int status = -1;

	syscall(__NR_move_pages, 0, 1UL, &page, NULL, &status, 0);
	return status;
}

/* In a child: its cpuset is taken from node 0 to node 1 under its feet. */
static int change_cpuset(FIXTURE_DATA(memory) *self)
{
	struct safer_ring_alloc a;
	char *other, *map;
	int ms;

	if (sr_file_write(SR_GROUP "cpuset.mems", "0") || sr_group_join())
		return 100;
	other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map = sr_map(self->dev, LENGTH, self->region.mmap_offset);
	if (other == MAP_FAILED || map == MAP_FAILED)
		return 1;
	other[0] = 1;
	if (map[0] != 6 || node_of(other) || node_of(map))
		return 2;
	a = sr_request(PAGE);
	a.node = 1;
	if (sr_ioctl(self->dev, SAFER_RING_ALLOC, &a) != -EPERM)
		return 3;
	if (sr_file_write(SR_GROUP "cpuset.mems", "1"))
		return 4;
	/* What can move does; it may take a moment. */
	for (ms = 5000; ms > 0 && node_of(other) != 1; ms -= 10)
		usleep(10000);
	if (node_of(other) != 1)
		return 5;
	if (node_of(map) || map[LENGTH - 1] != 6)
		return 6;
	a.node = 0;
	if (sr_ioctl(self->dev, SAFER_RING_ALLOC, &a) != -EPERM)
		return 7;
	a.node = 1;
	if (sr_ioctl(self->dev, SAFER_RING_ALLOC, &a) || a.node != 1)
		return 8;
	return 0;
}

TEST_F(memory, a_change_of_the_cpuset_moves_other_pages_and_next_regions_only)
{
	int ret = sr_group_create(), status;
	pid_t child;

	if (sr_node_stat(1, "regions") < 0)
		SKIP(return, "one node only");
	if (ret)
		SKIP(return, SR_GROUP ": %s", strerror(-ret));
	child = fork();
	if (!child)
		_exit(change_cpuset(self));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, sr_group_remove());
	if (WEXITSTATUS(status) == 100)
		SKIP(return, "no cpuset controller in " SR_GROUP);
	EXPECT_EQ(0, status);
	EXPECT_TRUE(unharmed(self));
}

static long long hint_faults(void)
{
	char text[16384];

	sr_file_write("/proc/sys/vm/stat_refresh", "1");
	if (sr_file_read("/proc/vmstat", text, sizeof(text)) <= 0)
		return -1;
	return sr_value(text, "\nnuma_hint_faults ");
}

/*
 * Touch every page over and over until NUMA balancing has made @wanted accesses
 * fault, or for so many seconds. Return: how many were made to.
 */
static long long faults_of_balancing(const char *map, long long wanted,
				     int seconds)
{
	long long before = hint_faults(), now = before;
	time_t end = time(NULL) + seconds;

	while (now - before < wanted && time(NULL) < end) {
		unsigned int i;
		size_t at;

		for (i = 0; i < 2000; i++)
			for (at = 0; at < LENGTH; at += PAGE)
				(void)*(const volatile char *)(map + at);
		now = hint_faults();
	}
	return now - before;
}

/* Of a program with one thread, only pages far from it are made to fault. */
static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST_F_TIMEOUT(memory, numa_balancing_comes_to_other_pages_and_not_to_regions,
	       120)
{
	/* Those of the program itself are fewer. */
	const long long many = LENGTH / PAGE / 2;
	struct safer_ring_alloc a = sr_request(LENGTH);
	char *other, *map;
	pthread_t thread;

	if (hint_faults() < 0 ||
	    sr_file_write("/proc/sys/kernel/numa_balancing", "1"))
		SKIP(return, "this kernel or machine has no NUMA balancing");
	sr_file_write("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms",
		      "10");
	sr_file_write("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms",
		      "50");
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_for_ever, NULL));
	other = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, other);
	madvise(other, LENGTH, MADV_NOHUGEPAGE);
	memset(other, 1, LENGTH);
	if (faults_of_balancing(other, many, 20) < many)
		SKIP(return, "NUMA balancing does not come by");
	munmap(other, LENGTH);
	/* Single pages, of which each would fault by itself. */
	a.order_max = 0;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_ALLOC, &a));
	map = sr_map(self->dev, LENGTH, a.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, LENGTH);
	EXPECT_GT(many, faults_of_balancing(map, many, 5));
	munmap(map, LENGTH);
	EXPECT_TRUE(unharmed(self));
}

TEST_F(memory, compaction_moves_none_of_its_pages)
{
	int ret = sr_file_write("/proc/sys/vm/compact_memory", "1");

	if (ret)
		SKIP(return, "compact_memory: %s", strerror(-ret));
	EXPECT_TRUE(unharmed(self));
}

/* --- taking memory away from the machine */

/* The memory block, as sysfs numbers them, that a frame is in; or -1. */
static long block_of(__u64 frame)
{
	char text[32];

	if (sr_file_read(BLOCKS "block_size_bytes", text, sizeof(text)) <= 0)
		return -1;
	return frame * PAGE / strtoull(text, NULL, 16);
}

/*
 * Have a block go offline, or online again where regions can lie. Return: 0 or the
 * errno of the refusal. Where pages can move but do not, the kernel tries for ever.
 */
static int set_block(long block, const char *state)
{
	char path[128];
	int status;
	pid_t child = fork();

	if (!child) {
		alarm(10);
		snprintf(path, sizeof(path), BLOCKS "memory%ld/state", block);
		_exit(-sr_file_write(path, "%s", state));
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

/* The block that the end of a region lies in, or -1. */
static long block_of_region(FIXTURE_DATA(memory) *self,
			    const struct safer_ring_alloc *region)
{
	char *last = sr_map(self->dev, PAGE,
			    region->mmap_offset + region->length - PAGE);
	__u64 *frames;
	long block;

	if (last == MAP_FAILED)
		return -1;
	last[0] = 5;
	frames = sr_frames(last, PAGE);
	block = frames ? block_of(frames[0]) : -1;
	free(frames);
	munmap(last, PAGE);
	return block;
}

/* Regions on @node until one is in @block. Return: whether there is. */
static bool fill_block(FIXTURE_DATA(memory) *self, int node, long block,
		       struct safer_ring_alloc *regions, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		regions[i] = sr_request(LENGTH);
		regions[i].node = node;
		regions[i].flags = SAFER_RING_ALLOC_STRICT;
		if (sr_ioctl(self->dev, SAFER_RING_ALLOC, &regions[i]))
			return false;
		if (block_of_region(self, &regions[i]) == block)
			return true;
	}
	return false;
}

/* What was given back may wait for the next region. */
static void empty_cache(void)
{
	int ms;

	for (ms = 5000; ms > 0 && sr_stat("cache_bytes"); ms -= 10)
		usleep(10000);
}

static void free_regions(FIXTURE_DATA(memory) *self,
			 struct safer_ring_alloc *regions, int n)
{
	int i;

	for (i = 0; i < n; i++)
		sr_free(self->dev, regions[i].slot, regions[i].generation, 0, 0,
			NULL);
	empty_cache();
}

/*
 * Only whole blocks of one zone, and without other memory that cannot move, go
 * offline. Return: the last one of @node that does, and is online again; or -1.
 */
static long find_block(FIXTURE_DATA(memory) *self, int node)
{
	char path[128];
	long block;

	for (block = 4096; block > 0; block--) {
		snprintf(path, sizeof(path), BLOCKS "memory%ld/node%d", block,
			 node);
		if (!access(path, F_OK) && !set_block(block, "offline"))
			return set_block(block, "online_kernel") ? -1 : block;
	}
	return -1;
}

TEST_F_TIMEOUT(memory, a_block_of_memory_goes_offline_unless_a_region_is_there,
	       120)
{
	bool folios = self->info.backend == SAFER_RING_BACKEND_FOLIO;
	int node = sr_node_stat(1, "regions") < 0 ? 0 : 1;
	struct safer_ring_alloc regions[512] = { 0 };
	long block;
	int ret;

	if (access(BLOCKS, W_OK))
		SKIP(return, BLOCKS ": %s", strerror(errno));
	block = find_block(self, node);
	if (block < 0)
		SKIP(return, "no block of node %d goes offline", node);
	if (!fill_block(self, node, block, regions, ARRAY_SIZE(regions)))
		SKIP(return, "no region comes to lie in block %ld", block);
	/* Pages of shmem could move if nobody held them, so it may try on. */
	ret = set_block(block, "offline");
	EXPECT_TRUE(ret == EBUSY || (ret == EINTR && !folios));
	EXPECT_TRUE(unharmed(self));
	free_regions(self, regions, ARRAY_SIZE(regions));
	/* By now the kernel may have put something there that has to stay. */
	ret = set_block(block, "offline");
	TH_LOG("block %ld with regions: refused, without: %s", block,
	       ret ? strerror(ret) : "offline");
	EXPECT_TRUE(!ret || ret == EBUSY);
	if (!ret)
		EXPECT_EQ(0, set_block(block, "online_kernel"));
}

/* --- merging */

static void advise_equal_pages(char **maps, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		memset(maps[i], 0x77, LENGTH);
		madvise(maps[i], LENGTH, MADV_MERGEABLE);
	}
}

TEST_F(memory, ksm_merges_other_equal_pages_and_none_of_a_region)
{
	struct safer_ring_alloc a;
	char *maps[3];
	__u64 *frames;
	int ms;

	if (sr_file_write(KSM "pages_to_scan", "10000") ||
	    sr_file_write(KSM "sleep_millisecs", "5"))
		SKIP(return, KSM ": %s", strerror(errno));
	a = sr_request(LENGTH);
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_ALLOC, &a));
	maps[0] = self->map;
	maps[1] = sr_map(self->dev, LENGTH, a.mmap_offset);
	maps[2] = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, maps[1]);
	ASSERT_NE(MAP_FAILED, maps[2]);
	advise_equal_pages(maps, 3);
	frames = sr_frames(maps[1], LENGTH);
	ASSERT_NE(NULL, frames);
	ASSERT_EQ(0, sr_file_write(KSM "run", "1"));
	for (ms = 20000; ms > 0 &&
	     sr_group_value(KSM "pages_sharing") <= 0; ms -= 10)
		usleep(10000);
	if (sr_group_value(KSM "pages_sharing") <= 0) {
		sr_file_write(KSM "run", "0");
		SKIP(return, "KSM merges nothing in 20 s");
	}
	EXPECT_GT((long long)(LENGTH / PAGE),
		  sr_group_value(KSM "pages_sharing"));
	/* Merge no more, and take apart what was. */
	sr_file_write(KSM "run", "2");
	EXPECT_TRUE(sr_frames_are(frames, maps[1], LENGTH));
	EXPECT_TRUE(sr_frames_are(self->frames, self->map, LENGTH));
	maps[1][0] = 1;
	EXPECT_EQ(0x77, self->map[0]);
	free(frames);
	munmap(maps[1], LENGTH);
	munmap(maps[2], LENGTH);
}

/* --- reclaim */

static int reclaim_in_group(FIXTURE_DATA(memory) *self)
{
	struct safer_ring_alloc a;
	__u64 *frames;
	char *map;

	if (sr_group_join())
		return 100;
	if (sr_alloc(self->dev, LENGTH, &a))
		return 1;
	map = sr_map(self->dev, LENGTH, a.mmap_offset);
	if (map == MAP_FAILED)
		return 2;
	memset(map, 6, LENGTH);
	frames = sr_frames(map, LENGTH);
	/* It does what it can, and says that it was not enough. */
	if (!sr_file_write(SR_GROUP "memory.reclaim", "%lu", 2 * LENGTH))
		return 3;
	if (errno != EAGAIN)
		return 101;
	return frames && sr_frames_are(frames, map, LENGTH) ? 0 : 4;
}

TEST_F(memory, reclaim_of_a_memory_group_takes_no_page_of_its_regions)
{
	int ret = sr_group_create(), status;
	pid_t child;

	if (ret)
		SKIP(return, SR_GROUP ": %s", strerror(-ret));
	child = fork();
	if (!child)
		_exit(reclaim_in_group(self));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, sr_group_remove());
	if (WEXITSTATUS(status) == 100)
		SKIP(return, "no control groups");
	if (WEXITSTATUS(status) == 101)
		SKIP(return, "this kernel has no memory.reclaim");
	EXPECT_EQ(0, status);
}

TEST_F(memory, dropping_caches_and_swapping_off_leave_it_alone)
{
	sr_file_write("/proc/sys/vm/drop_caches", "3");
	syscall(__NR_swapoff, "/nowhere");
	EXPECT_TRUE(unharmed(self));
}

/* --- pinned by mlock, and mapped in other ways */

TEST_F(memory, locking_it_changes_nothing_and_holds_nothing)
{
	EXPECT_EQ(0, mlock(self->map, LENGTH));
	EXPECT_TRUE(unharmed(self));
	EXPECT_EQ(0, free_region(self));
	EXPECT_EQ(SIGBUS, sr_touch(self->map));
	EXPECT_EQ(0, munlock(self->map, LENGTH));
}

TEST_F(memory, a_mapping_that_is_filled_at_once_has_the_same_pages)
{
	char *map = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE | MAP_LOCKED, self->dev,
			 self->region.mmap_offset);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(sr_frames_are(self->frames, map, LENGTH));
	munmap(map, LENGTH);
}

/* Where the kernel tries it by a new mapping, that may take the old one away. */
TEST_F(memory, rearranging_its_pages_is_refused_or_ends_with_the_region)
{
	int ret = syscall(__NR_remap_file_pages, self->map, PAGE, 0UL, 1UL, 0);
	int sig = sr_touch(self->map);

	TH_LOG("remap_file_pages: %s", ret ? strerror(errno) : "done");
	EXPECT_TRUE(!sig || (ret && sig == SIGSEGV));
	EXPECT_EQ(6, self->map[PAGE]);
	ASSERT_EQ(0, free_region(self));
	EXPECT_EQ(sig ?: SIGBUS, sr_touch(self->map));
	EXPECT_EQ(SIGBUS, sr_touch(self->map + PAGE));
}

/* --- the file behind it */

static int open_backing_file(FIXTURE_DATA(memory) *self)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)self->map, (unsigned long)self->map + LENGTH);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

TEST_F(memory, whoever_finds_the_file_behind_it_cannot_change_its_pages)
{
	int fd = open_backing_file(self);
	char byte = 1;

	TH_LOG("the file behind it: %s", fd < 0 ? strerror(-fd) : "opened");
	if (fd >= 0) {
		EXPECT_EQ(-1, ftruncate(fd, 0));
		EXPECT_EQ(-1, ftruncate(fd, 2 * LENGTH));
		/* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */
		EXPECT_EQ(-1, fallocate(fd, 3, 0, LENGTH));
		EXPECT_EQ(-1, pwrite(fd, &byte, 1, 0));
	}
	EXPECT_TRUE(unharmed(self));
	ASSERT_EQ(0, free_region(self));
	if (fd >= 0) {
		EXPECT_GE(0, pread(fd, &byte, 1, 0));
		close(fd);
	}
	EXPECT_EQ(SIGBUS, sr_touch(self->map));
}

TEST_HARNESS_MAIN
