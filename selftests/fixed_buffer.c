// SPDX-License-Identifier: GPL-2.0
/*
 * Regions as fixed buffers of io_uring, on a real disk where there is one.
 */
#include "safer_ring_test.h"
#include "uring.h"

#define DEPTH	32
#define BLOCK	(64UL * 1024)

FIXTURE(fixed_buffer)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	struct uring ring;
	char path[64];
	char *map;
	int dev;
	int file;
};

FIXTURE_VARIANT(fixed_buffer)
{
	unsigned int order;
};

FIXTURE_VARIANT_ADD(fixed_buffer, order_0) { .order = 0 };
FIXTURE_VARIANT_ADD(fixed_buffer, order_4) { .order = 4 };
FIXTURE_VARIANT_ADD(fixed_buffer, order_9) { .order = 9 };

/* On the disk of the virtual machine, or else wherever temporary files are. */
static int open_file(char *path, size_t length)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	snprintf(path, length, "/data/safer_ring_test");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	if (fd >= 0)
		return fd;
	snprintf(path, length, "%s/safer_ring_test", tmp ? tmp : "/var/tmp");
	return open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
}

FIXTURE_SETUP(fixed_buffer)
{
	struct safer_ring_alloc a = sr_request(2 * DEPTH * BLOCK);
	struct safer_ring_info info;

	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	self->ring.fd = -1;
	ASSERT_EQ(0, sr_info(self->dev, &info));
	if (!(info.page_orders & (1ULL << variant->order)))
		SKIP(return, "this backend has single pages only");
	a.order_min = variant->order;
	a.order_max = variant->order;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_ALLOC, &a));
	self->region = a;
	self->map = sr_map(self->dev, a.length, a.mmap_offset);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, uring_init(&self->ring, DEPTH));
	self->file = open_file(self->path, sizeof(self->path));
	if (self->file < 0)
		SKIP(return, "no file for O_DIRECT: %s", strerror(errno));
}

FIXTURE_TEARDOWN(fixed_buffer)
{
	if (self->ring.fd >= 0) {
		close(self->file);
		unlink(self->path);
		uring_exit(&self->ring);
		munmap(self->map, self->region.length);
	}
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static void fill(char *at, size_t length, unsigned int seed)
{
	size_t i;

	for (i = 0; i < length / sizeof(unsigned int); i++)
		((unsigned int *)(void *)at)[i] = seed + i * 2654435761U;
}

/* DEPTH operations in flight; how many of them moved a whole block. */
static int run(FIXTURE_DATA(fixed_buffer) *self, __u8 opcode, char *memory)
{
	struct io_uring_cqe cqe;
	unsigned int i;
	int whole = 0;

	for (i = 0; i < DEPTH; i++)
		uring_queue(&self->ring, opcode, self->file,
			    memory + i * BLOCK, BLOCK, i * BLOCK);
	if (uring_enter(&self->ring, DEPTH))
		return -1;
	while (uring_reap(&self->ring, &cqe))
		whole += cqe.res == BLOCK;
	return whole;
}

TEST_F(fixed_buffer, what_is_written_from_a_region_is_read_back_into_it)
{
	size_t half = DEPTH * BLOCK;

	ASSERT_EQ(0, uring_register_buffer(self->ring.fd, self->map,
					   self->region.length));
	fill(self->map, half, variant->order);
	EXPECT_EQ(DEPTH, run(self, IORING_OP_WRITE_FIXED, self->map));
	EXPECT_EQ(DEPTH, run(self, IORING_OP_READ_FIXED, self->map + half));
	EXPECT_EQ(0, memcmp(self->map, self->map + half, half));
}

TEST_F(fixed_buffer, a_part_of_a_region_can_be_registered_by_itself)
{
	ASSERT_EQ(0, uring_register_buffer(self->ring.fd, self->map + PAGE,
					   3 * PAGE));
	fill(self->map, 4 * PAGE, 1);
	EXPECT_EQ((int)PAGE, uring_do(&self->ring, IORING_OP_WRITE_FIXED,
				      self->file, self->map + PAGE, PAGE, 0));
	/* Outside of what is registered. */
	EXPECT_EQ(-EFAULT, uring_do(&self->ring, IORING_OP_WRITE_FIXED,
				    self->file, self->map, PAGE, 0));
}

TEST_F(fixed_buffer, a_freed_region_cannot_be_registered)
{
	ASSERT_EQ(0, sr_free(self->dev, self->region.slot,
			     self->region.generation, 0, 0, NULL));
	EXPECT_EQ(-EFAULT, uring_register_buffer(self->ring.fd, self->map,
						 self->region.length));
}

TEST_F(fixed_buffer, plain_io_on_a_freed_region_fails_and_harms_nobody)
{
	ASSERT_EQ(0, sr_free(self->dev, self->region.slot,
			     self->region.generation, 0, 0, NULL));
	EXPECT_EQ(-EFAULT, uring_do(&self->ring, IORING_OP_WRITE, self->file,
				    self->map, PAGE, 0));
}

TEST_HARNESS_MAIN
