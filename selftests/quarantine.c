// SPDX-License-Identifier: GPL-2.0
/*
 * The promise about memory: it never reaches another owner while the kernel can
 * still touch it.
 */
#include <signal.h>

#include "safer_ring_test.h"
#include "uring.h"

#define LENGTH	(8UL << 20)
#define BLOCK	(512UL * 1024)
#define BLOCKS	(LENGTH / BLOCK)

FIXTURE(quarantine)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	struct uring ring;
	char *map;
	int dev;
};

FIXTURE_SETUP(quarantine)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	self->map = sr_map(self->dev, LENGTH, self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, uring_init(&self->ring, 64));
	ASSERT_EQ(0, uring_register_buffer(self->ring.fd, self->map, LENGTH));
}

FIXTURE_TEARDOWN(quarantine)
{
	if (self->ring.fd >= 0)
		uring_exit(&self->ring);
	munmap(self->map, LENGTH);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int force_free(FIXTURE_DATA(quarantine) *self)
{
	return sr_free(self->dev, self->region.slot, self->region.generation,
		       SAFER_RING_FREE_FORCE, 0, NULL);
}

static __u64 quarantined(FIXTURE_DATA(quarantine) *self)
{
	struct safer_ring_info info;

	return sr_info(self->dev, &info) ? 0 :
	       info.quarantine - self->before.quarantine;
}

/* The physical page under an address, as /proc/self/pagemap tells root; or 0. */
static __u64 frame_of(int pagemap, char *at)
{
	__u64 entry = 0;

	if (pread(pagemap, &entry, sizeof(entry),
		  (uintptr_t)at / PAGE * sizeof(entry)) != sizeof(entry))
		return 0;
	return entry & (1ULL << 63) ? entry & ((1ULL << 55) - 1) : 0;
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How many pages of @map are among the sorted @frames. */
static size_t shared_frames(int pagemap, char *map, size_t length,
			    const __u64 *frames, size_t n)
{
	size_t at, shared = 0;

	for (at = 0; at < length; at += PAGE) {
		__u64 frame = frame_of(pagemap, map + at);

		shared += bsearch(&frame, frames, n, sizeof(frame), compare) !=
			  NULL;
	}
	return shared;
}

/*
 * Take, dirty and look at as much memory of both kinds as can be had for a
 * while: if a page of the freed region were to be had, it would be among them. On
 * the region's node, wherever the scheduler has taken the test by now.
 */
static size_t hunt(FIXTURE_DATA(quarantine) *self, int pagemap,
		   const __u64 *frames, size_t n)
{
	size_t found = 0, length = 64 << 20;
	struct safer_ring_alloc a;
	char *map;
	int i;

	for (i = 0; i < 16; i++) {
		a = sr_request(LENGTH);
		a.node = self->region.node;
		a.flags = SAFER_RING_ALLOC_STRICT;
		if (sr_ioctl(self->dev, SAFER_RING_ALLOC, &a))
			break;
		map = sr_map(self->dev, LENGTH, a.mmap_offset);
		memset(map, 0xee, LENGTH);
		found += shared_frames(pagemap, map, LENGTH, frames, n);
		munmap(map, LENGTH);
		sr_free(self->dev, a.slot, a.generation, 0, 0, NULL);
	}
	map = mmap(NULL, length, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(map, 0xdd, length);
	found += shared_frames(pagemap, map, length, frames, n);
	munmap(map, length);
	return found;
}

TEST_F_TIMEOUT(quarantine, no_page_reaches_anybody_while_a_ring_has_it, 600)
{
	size_t n = LENGTH / PAGE, i;
	__u64 *frames = calloc(n, sizeof(*frames));
	int pagemap = open("/proc/self/pagemap", O_RDONLY);

	ASSERT_NE(NULL, frames);
	ASSERT_LE(0, pagemap);
	memset(self->map, 0x11, LENGTH);
	for (i = 0; i < n; i++) {
		frames[i] = frame_of(pagemap, self->map + i * PAGE);
		if (!frames[i])
			SKIP(return, "pagemap tells no frames: not root?");
	}
	qsort(frames, n, sizeof(*frames), compare);

	ASSERT_EQ(0, force_free(self));
	EXPECT_EQ(LENGTH, quarantined(self));
	EXPECT_EQ(0UL, hunt(self, pagemap, frames, n));
	EXPECT_EQ(LENGTH, quarantined(self));

	/* The hunt does find them once they are to be had. */
	uring_exit(&self->ring);
	self->ring.fd = -1;
	for (i = 0; i < 500 && quarantined(self); i++)
		usleep(10000);
	EXPECT_EQ(0ULL, quarantined(self));
	EXPECT_LT(0UL, hunt(self, pagemap, frames, n));
	close(pagemap);
	free(frames);
}

static bool block_is(const char *block, unsigned char value)
{
	size_t i;

	for (i = 0; i < BLOCK; i++)
		if ((unsigned char)block[i] != value)
			return false;
	return true;
}

/* Dirty all that can be had of the module's memory, so that it would show. */
static void scribble(int dev)
{
	struct safer_ring_alloc a;
	char *map;
	int i;

	for (i = 0; i < 8 && !sr_alloc(dev, LENGTH, &a); i++) {
		map = sr_map(dev, LENGTH, a.mmap_offset);
		memset(map, 0xbb, LENGTH);
		munmap(map, LENGTH);
	}
}

TEST_F_TIMEOUT(quarantine, a_write_in_flight_lands_whole_after_free, 600)
{
	int file = open("/data/safer_ring_quarantine",
			O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	char *back = aligned_alloc(PAGE, BLOCK);
	struct io_uring_cqe cqe;
	size_t i, in_flight;

	if (file < 0)
		SKIP(return, "/data: %s (the disk of the virtual machine)",
		     strerror(errno));
	ASSERT_NE(NULL, back);
	for (i = 0; i < BLOCKS; i++)
		memset(self->map + i * BLOCK, 0x40 + i, BLOCK);
	for (i = 0; i < BLOCKS; i++)
		uring_queue(&self->ring, IORING_OP_WRITE_FIXED, file,
			    self->map + i * BLOCK, BLOCK, i * BLOCK);
	ASSERT_EQ(0, uring_enter(&self->ring, 0));
	ASSERT_EQ(0, force_free(self));
	in_flight = BLOCKS;
	while (uring_reap(&self->ring, &cqe)) {
		EXPECT_EQ((int)BLOCK, cqe.res);
		in_flight--;
	}
	TH_LOG("%zu of %zu writes were in flight when FREE returned", in_flight,
	       (size_t)BLOCKS);
	EXPECT_LT(0UL, in_flight);
	EXPECT_EQ(LENGTH, quarantined(self));
	scribble(self->dev);
	while (in_flight) {
		ASSERT_EQ(0, uring_enter(&self->ring, 1));
		while (uring_reap(&self->ring, &cqe)) {
			EXPECT_EQ((int)BLOCK, cqe.res);
			in_flight--;
		}
	}
	for (i = 0; i < BLOCKS; i++) {
		ASSERT_EQ((ssize_t)BLOCK, pread(file, back, BLOCK, i * BLOCK));
		EXPECT_TRUE(block_is(back, 0x40 + i));
	}
	free(back);
	close(file);
	unlink("/data/safer_ring_quarantine");
}

TEST_F(quarantine, a_read_that_ends_after_free_harms_no_new_owner)
{
	struct io_uring_cqe cqe;
	struct safer_ring_alloc a;
	size_t at;
	int fds[2];
	char *map;

	ASSERT_EQ(0, pipe(fds));
	uring_queue(&self->ring, IORING_OP_READ_FIXED, fds[0], self->map, PAGE,
		    0);
	ASSERT_EQ(0, uring_enter(&self->ring, 0));
	ASSERT_EQ(0, force_free(self));
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &a));
	map = sr_map(self->dev, LENGTH, a.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(4, write(fds[1], "late", 4));
	ASSERT_EQ(0, uring_enter(&self->ring, 1));
	ASSERT_TRUE(uring_reap(&self->ring, &cqe));
	EXPECT_EQ(4, cqe.res);
	for (at = 0; at < LENGTH; at++)
		if (map[at])
			break;
	EXPECT_EQ(LENGTH, at);
	munmap(map, LENGTH);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(quarantine, what_is_in_it_stays_charged)
{
	struct safer_ring_info before, after;

	ASSERT_EQ(0, sr_info(self->dev, &before));
	ASSERT_EQ(0, force_free(self));
	ASSERT_EQ(0, sr_info(self->dev, &after));
	EXPECT_EQ(before.quota_user_used, after.quota_user_used);
	EXPECT_EQ(before.quota_total_used, after.quota_total_used);
	uring_exit(&self->ring);
	self->ring.fd = -1;
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
	ASSERT_EQ(0, sr_info(self->dev, &after));
	EXPECT_EQ(before.quota_total_used - LENGTH, after.quota_total_used);
}

TEST_F(quarantine, folios_that_nobody_has_do_not_wait_for_those_that_are_pinned)
{
	int ring = uring_open(4);

	ASSERT_LE(0, ring);
	ASSERT_EQ(0, uring_unregister_buffers(self->ring.fd));
	ASSERT_EQ(0, uring_register_buffer(ring, self->map, PAGE));
	ASSERT_EQ(0, force_free(self));
	EXPECT_EQ(PAGE << self->region.order, quarantined(self));
	close(ring);
}

TEST_F(quarantine, a_killed_process_leaves_nothing_that_stays)
{
	struct sr_usage before, during;
	int fds[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, sr_usage(&before));
	ASSERT_EQ(0, pipe(fds));
	child = fork();
	if (!child) {
		struct safer_ring_alloc a;
		int dev = sr_open();
		char *map;

		if (dev < 0 || sr_alloc(dev, LENGTH, &a))
			_exit(1);
		map = sr_map(dev, LENGTH, a.mmap_offset);
		if (uring_register_buffer(uring_open(4), map, LENGTH) ||
		    write(fds[1], "x", 1) != 1)
			_exit(2);
		pause();
	}
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	ASSERT_EQ(0, sr_usage(&during));
	EXPECT_EQ(before.regions + 1, during.regions);
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_TRUE(sr_usage_returns_to(&before, 5000));
}

TEST_HARNESS_MAIN
