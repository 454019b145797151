// SPDX-License-Identifier: GPL-2.0
/*
 * A region as a dma-buf, imported by the test device of importer/.
 */
#include <linux/dma-buf.h>

#include "safer_ring_test.h"
#include "importer.h"

FIXTURE(dmabuf)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	char *map;
	int dev;
	int importer;
	int fd;
};

FIXTURE_SETUP(dmabuf)
{
	struct safer_ring_export e = { .size = sizeof(e) };
	int ret;

	self->importer = -1;
	SR_REQUIRE_DEVICE();
	ret = sr_importer_load();
	if (ret)
		SKIP(return, "%s: %s", SR_IMPORTER_FILE, strerror(-ret));
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	self->importer = open(SR_IMPORTER, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->importer);
	ASSERT_EQ(0, sr_alloc(self->dev, 2 * HUGE_PAGE, &self->region));
	self->map = sr_map(self->dev, self->region.length,
			   self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, self->map);
	e.slot = self->region.slot;
	e.generation = self->region.generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_DMABUF, &e));
	self->fd = e.fd;
}

FIXTURE_TEARDOWN(dmabuf)
{
	if (self->importer < 0)
		return;
	close(self->importer);
	close(self->fd);
	munmap(self->map, self->region.length);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
	sr_importer_unload();
}

static int attach(FIXTURE_DATA(dmabuf) *self)
{
	return ioctl(self->importer, SAFER_RING_IMPORTER_ATTACH, self->fd) ?
	       -errno : 0;
}

static int detach(FIXTURE_DATA(dmabuf) *self)
{
	return ioctl(self->importer, SAFER_RING_IMPORTER_DETACH) ? -errno : 0;
}

static int free_region(FIXTURE_DATA(dmabuf) *self, __u32 flags, __u64 *left)
{
	return sr_free(self->dev, self->region.slot, self->region.generation,
		       flags, 0, left);
}

TEST_F(dmabuf, a_device_sees_what_the_program_wrote)
{
	struct safer_ring_importer_sum sum;
	struct safer_ring_query q;
	__u64 at, xor = 0;

	for (at = 0; at < self->region.length; at += PAGE) {
		*(__u64 *)(self->map + at) = at * 2654435761U + 1;
		xor ^= at * 2654435761U + 1;
	}
	ASSERT_EQ(0, attach(self));
	ASSERT_EQ(0, sr_ioctl(self->importer, SAFER_RING_IMPORTER_SUM, &sum));
	EXPECT_EQ(self->region.length, sum.length);
	EXPECT_EQ(xor, sum.xor);
	ASSERT_EQ(0, sr_query(self->dev, self->region.slot, 0, &q));
	EXPECT_EQ(q.folios, sum.entries);
}

TEST_F(dmabuf, a_device_gets_no_longer_segments_than_it_takes)
{
	const unsigned int limits[] = { PAGE, 65536, 100000, HUGE_PAGE - 1 };
	struct safer_ring_importer_sum sum;
	unsigned int i;

	*(__u64 *)(self->map + self->region.length - PAGE) = 7;
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		ASSERT_EQ(0, sr_importer_limit(limits[i]));
		ASSERT_EQ(0, attach(self));
		ASSERT_EQ(0, sr_ioctl(self->importer, SAFER_RING_IMPORTER_SUM,
				      &sum));
		EXPECT_EQ(self->region.length, sum.length);
		EXPECT_EQ(7ULL, sum.xor);
		EXPECT_LE(self->region.length,
			  sum.entries * (__u64)limits[i]);
		ASSERT_EQ(0, detach(self));
	}
}

TEST_F(dmabuf, an_attachment_is_a_pin)
{
	__u64 left = 0;

	ASSERT_EQ(0, attach(self));
	EXPECT_EQ(-EBUSY, free_region(self, 0, NULL));
	ASSERT_EQ(0, detach(self));
	EXPECT_EQ(0, free_region(self, 0, &left));
	EXPECT_EQ(0ULL, left);
}

TEST_F(dmabuf, memory_stays_while_a_device_is_attached_to_what_was_freed)
{
	struct safer_ring_importer_sum before, after;
	struct safer_ring_info info;
	__u64 left;

	memset(self->map, 0x5a, self->region.length);
	ASSERT_EQ(0, attach(self));
	ASSERT_EQ(0, sr_ioctl(self->importer, SAFER_RING_IMPORTER_SUM,
			      &before));
	ASSERT_EQ(0, free_region(self, SAFER_RING_FREE_FORCE, &left));
	EXPECT_EQ(self->region.length, left);
	usleep(300000);
	ASSERT_EQ(0, sr_info(self->dev, &info));
	EXPECT_LE(left, info.quarantine);
	ASSERT_EQ(0, sr_ioctl(self->importer, SAFER_RING_IMPORTER_SUM, &after));
	EXPECT_EQ(before.xor, after.xor);
	ASSERT_EQ(0, detach(self));
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

TEST_F(dmabuf, a_region_that_is_gone_can_be_neither_attached_nor_mapped)
{
	ASSERT_EQ(0, free_region(self, 0, NULL));
	EXPECT_EQ(-ENODEV, attach(self));
	EXPECT_EQ(MAP_FAILED, sr_map(self->fd, PAGE, 0));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(dmabuf, it_maps_like_the_region_and_brackets_cpu_access)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START |
					      DMA_BUF_SYNC_RW };
	char *map = sr_map(self->fd, self->region.length, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, attach(self));
	EXPECT_EQ(0, sr_ioctl(self->fd, DMA_BUF_IOCTL_SYNC, &sync));
	map[PAGE] = 3;
	EXPECT_EQ(3, self->map[PAGE]);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	EXPECT_EQ(0, sr_ioctl(self->fd, DMA_BUF_IOCTL_SYNC, &sync));
	EXPECT_EQ((off_t)self->region.length, lseek(self->fd, 0, SEEK_END));
	munmap(map, self->region.length);
}

TEST_F(dmabuf, closing_the_importer_is_a_detach)
{
	ASSERT_EQ(0, attach(self));
	close(self->importer);
	self->importer = open(SR_IMPORTER, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, free_region(self, 0, NULL));
}

TEST_HARNESS_MAIN
