// SPDX-License-Identifier: GPL-2.0
/*
 * A 32-bit program on a 64-bit kernel: the same structures, the same commands.
 * Built for 32 bits where the compiler can; otherwise there is nothing to test.
 */
#define _FILE_OFFSET_BITS 64
#include "safer_ring_test.h"
#include "uring.h"

#define LENGTH	(2UL << 20)

/* What a 64-bit program has, which is what the module was built with. */
_Static_assert(sizeof(struct safer_ring_info) == 104, "info");
_Static_assert(sizeof(struct safer_ring_alloc) == 56, "alloc");
_Static_assert(sizeof(struct safer_ring_free) == 32, "free");
_Static_assert(sizeof(struct safer_ring_query) == 56, "query");
_Static_assert(sizeof(struct safer_ring_renew) == 32, "renew");
_Static_assert(sizeof(struct safer_ring_export) == 24, "export");
_Static_assert(sizeof(struct safer_ring_import) == 48, "import");
_Static_assert(sizeof(struct safer_ring_control) == 24, "control");

FIXTURE(compat)
{
	struct sr_usage before;
	struct safer_ring_info info;
	int dev;
};

FIXTURE_SETUP(compat)
{
	self->dev = -1;
	if (sizeof(long) != 4)
		SKIP(return, "built for 64 bits: no 32-bit libraries (gcc-multilib)");
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(compat)
{
	if (self->dev < 0)
		return;
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int export_fd(int dev, struct safer_ring_alloc *a)
{
	struct safer_ring_export e = { .size = sizeof(e), .slot = a->slot,
				       .generation = a->generation };
	int ret = sr_ioctl(dev, SAFER_RING_EXPORT, &e);

	return ret ?: e.fd;
}

TEST_F(compat, every_command_does_what_it_does_for_64_bits)
{
	struct safer_ring_renew r = { .size = sizeof(r) };
	struct safer_ring_export d = { .size = sizeof(d) };
	struct safer_ring_import i = { .size = sizeof(i) };
	struct safer_ring_query q;
	struct safer_ring_alloc a;
	__u64 left = 1;

	EXPECT_EQ((__u32)SAFER_RING_ABI, self->info.abi);
	EXPECT_LT(1ULL << 32, self->info.control_offset);
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &a));
	EXPECT_EQ((__u64)LENGTH, a.length);
	EXPECT_LT(1ULL << 32, a.generation);
	r.slot = a.slot;
	r.generation = a.generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_RENEW, &r));
	EXPECT_EQ(a.generation + 2, r.generation);
	a.generation = r.generation;
	ASSERT_EQ(0, sr_query(self->dev, a.slot, a.generation, &q));
	EXPECT_EQ(r.mmap_offset, q.mmap_offset);
	EXPECT_EQ((__u64)LENGTH, q.length);
	i.fd = export_fd(self->dev, &a);
	ASSERT_LE(0, i.fd);
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_IMPORT, &i));
	EXPECT_EQ((__u64)LENGTH, i.length);
	close(i.fd);
	d.slot = a.slot;
	d.generation = a.generation;
	if (self->info.features & SAFER_RING_FEATURE_DMABUF) {
		ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_DMABUF, &d));
		close(d.fd);
	}
	ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0, &left));
	EXPECT_EQ(0ULL, left);
	EXPECT_EQ(-ESTALE, sr_free(self->dev, a.slot, a.generation, 0, 0,
				   NULL));
}

TEST_F(compat, bad_structures_are_refused_as_for_64_bits)
{
	struct {
		struct safer_ring_alloc a;
		char tail[8];
	} longer = { .a = sr_request(PAGE) };
	struct safer_ring_alloc shorter = sr_request(PAGE);

	shorter.size--;
	EXPECT_EQ(-EINVAL, sr_ioctl(self->dev, SAFER_RING_ALLOC, &shorter));
	longer.a.size = sizeof(longer);
	longer.tail[7] = 1;
	EXPECT_EQ(-E2BIG, sr_ioctl(self->dev, SAFER_RING_ALLOC, &longer));
	EXPECT_EQ(-EFAULT, sr_ioctl(self->dev, SAFER_RING_ALLOC,
				    (void *)0xfffff000UL));
	EXPECT_EQ(-ENOTTY, sr_ioctl(self->dev, SAFER_RING_DMABUF + 1, &shorter));
}

TEST_F(compat, the_control_area_is_in_reach)
{
	struct sr_control control = { 0 };
	struct safer_ring_alloc a;

	ASSERT_EQ(0, sr_control_map(self->dev, &control));
	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	EXPECT_EQ((__u32)SAFER_RING_CONTROL_MAGIC, control.header->magic);
	EXPECT_EQ(a.generation, sr_word(&control, a.slot));
	ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0, NULL));
	EXPECT_EQ(a.generation + 1, sr_word(&control, a.slot));
	sr_control_unmap(&control);
}

/* An offset of more than 2^44 has no place in the system call. */
TEST_F(compat, a_region_is_mapped_by_the_descriptor_that_export_gives)
{
	struct safer_ring_alloc a;
	char *map;
	int fd;

	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &a));
	EXPECT_EQ(MAP_FAILED, sr_map(self->dev, LENGTH, a.mmap_offset));
	fd = export_fd(self->dev, &a);
	ASSERT_LE(0, fd);
	map = sr_map(fd, LENGTH, 0);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, LENGTH);
	munmap(map, LENGTH);
	close(fd);
}

TEST_F(compat, a_fresh_region_is_a_fixed_buffer)
{
	char *map = sr_map(self->dev, LENGTH, 0);
	struct uring ring;
	int fds[2], ret;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, pipe(fds));
	ret = uring_init(&ring, 4);
	if (ret)
		SKIP(return, "io_uring: %s", strerror(-ret));
	ASSERT_EQ(0, uring_register_buffer(ring.fd, map, LENGTH));
	ASSERT_EQ(5, write(fds[1], "hello", 5));
	EXPECT_EQ(5, uring_do(&ring, IORING_OP_READ_FIXED, fds[0],
			      map + LENGTH - 5, 5, 0));
	EXPECT_EQ(0, memcmp(map + LENGTH - 5, "hello", 5));
	uring_exit(&ring);
	munmap(map, LENGTH);
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
