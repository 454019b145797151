// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of a region: which there can be, and what becomes of them.
 */
#include <setjmp.h>
#include <signal.h>

#include "safer_ring_test.h"
#include "uring.h"

#define LENGTH	(4UL << 20)

static sigjmp_buf on_fault;

static void fault(int sig)
{
	siglongjmp(on_fault, sig);
}

/* The signal that a read at @at raises, or 0. */
static int touch(char *at)
{
	int sig = sigsetjmp(on_fault, 1);

	if (sig)
		return sig;
	(void)*(volatile char *)at;
	return 0;
}

static int touch_to_write(char *at)
{
	int sig = sigsetjmp(on_fault, 1);

	if (sig)
		return sig;
	*(volatile char *)at = 1;
	return 0;
}

FIXTURE(mmap)
{
	struct sr_usage before;
	struct safer_ring_alloc region;
	char *map;
	int dev;
};

FIXTURE_SETUP(mmap)
{
	SR_REQUIRE_DEVICE();
	signal(SIGBUS, fault);
	signal(SIGSEGV, fault);
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &self->region));
	self->map = sr_map(self->dev, LENGTH, self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(mmap)
{
	munmap(self->map, LENGTH);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static char *map_at(FIXTURE_DATA(mmap) *self, size_t length, __u64 from)
{
	return sr_map(self->dev, length, self->region.mmap_offset + from);
}

static int free_region(FIXTURE_DATA(mmap) *self)
{
	return sr_free(self->dev, self->region.slot, self->region.generation,
		       0, 0, NULL);
}

TEST_F(mmap, a_part_of_a_region_shows_that_part)
{
	char *part = map_at(self, 2 * PAGE, 5 * PAGE);

	ASSERT_NE(MAP_FAILED, part);
	self->map[5 * PAGE + 1] = 11;
	self->map[7 * PAGE - 1] = 12;
	EXPECT_EQ(11, part[1]);
	EXPECT_EQ(12, part[2 * PAGE - 1]);
	munmap(part, 2 * PAGE);
}

TEST_F(mmap, the_last_page_can_be_mapped_and_the_one_behind_it_cannot)
{
	char *last = map_at(self, PAGE, LENGTH - PAGE);

	EXPECT_NE(MAP_FAILED, last);
	munmap(last, PAGE);
	EXPECT_EQ(MAP_FAILED, map_at(self, PAGE, LENGTH));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_at(self, 2 * PAGE, LENGTH - PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_at(self, LENGTH + PAGE, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_at(self, PAGE, (1ULL << 36) - PAGE));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(mmap, a_private_mapping_is_refused)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
				   self->dev, self->region.mmap_offset));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE, self->dev,
				   self->region.mmap_offset));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(mmap, a_made_up_offset_maps_nothing)
{
	static const __u64 offsets[] = { PAGE, 1ULL << 36, 1ULL << 39,
					 1ULL << 62 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		EXPECT_EQ(MAP_FAILED, sr_map(self->dev, PAGE, offsets[i]));
		EXPECT_EQ(ENXIO, errno);
	}
	/* The right slot with a wrong generation, and the reverse. */
	EXPECT_EQ(MAP_FAILED, map_at(self, PAGE, 1ULL << 36));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(MAP_FAILED, map_at(self, PAGE, 1ULL << 48));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(mmap, the_offset_of_a_freed_region_maps_nothing_ever_after)
{
	struct safer_ring_alloc a;
	int i;

	ASSERT_EQ(0, free_region(self));
	EXPECT_EQ(MAP_FAILED, map_at(self, PAGE, 0));
	EXPECT_EQ(ENXIO, errno);
	/* Nor when the slot is used again. */
	for (i = 0; i < 20000; i++) {
		ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
		if (a.slot == self->region.slot)
			break;
		ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0,
				     NULL));
	}
	ASSERT_EQ(self->region.slot, a.slot);
	EXPECT_EQ(MAP_FAILED, map_at(self, PAGE, 0));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(mmap, an_offset_is_good_for_the_open_file_that_it_came_from_only)
{
	int other = sr_open();

	ASSERT_LE(0, other);
	EXPECT_EQ(MAP_FAILED, sr_map(other, PAGE, self->region.mmap_offset));
	EXPECT_EQ(ENXIO, errno);
	close(other);
}

TEST_F(mmap, a_read_only_mapping_can_be_read_and_not_registered)
{
	char *map = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, self->dev,
			 self->region.mmap_offset);
	int ring = uring_open(4);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_LE(0, ring);
	self->map[9] = 9;
	EXPECT_EQ(9, map[9]);
	EXPECT_EQ(SIGSEGV, touch_to_write(map));
	EXPECT_EQ(-EFAULT, uring_register_buffer(ring, map, LENGTH));
	close(ring);
	munmap(map, LENGTH);
}

TEST_F(mmap, a_descriptor_for_reading_gives_no_writable_mapping)
{
	char path[64], *map;
	int dev;

	/* The same open file cannot be had for reading only: a new one. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->dev);
	dev = open(path, O_RDONLY);
	ASSERT_LE(0, dev);
	map = sr_map(dev, PAGE, 0);
	EXPECT_EQ(MAP_FAILED, map);
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dev, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-1, mprotect(map, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(map, PAGE);
	close(dev);
}

TEST_F(mmap, free_takes_a_region_out_of_every_mapping)
{
	char *second = map_at(self, LENGTH, 0);
	char *part = map_at(self, PAGE, 8 * PAGE);

	ASSERT_NE(MAP_FAILED, second);
	ASSERT_NE(MAP_FAILED, part);
	memset(self->map, 1, LENGTH);
	memset(second, 2, LENGTH);
	part[0] = 3;
	ASSERT_EQ(0, free_region(self));
	EXPECT_EQ(SIGBUS, touch(self->map));
	EXPECT_EQ(SIGBUS, touch(self->map + LENGTH - 1));
	EXPECT_EQ(SIGBUS, touch_to_write(second + PAGE));
	EXPECT_EQ(SIGBUS, touch(part));
	munmap(second, LENGTH);
	munmap(part, PAGE);
}

TEST_F(mmap, a_page_that_was_never_touched_is_gone_after_free_too)
{
	ASSERT_EQ(0, free_region(self));
	EXPECT_EQ(SIGBUS, touch(self->map + 3 * PAGE));
}

TEST_F(mmap, a_child_does_not_inherit_regions)
{
	int status;
	pid_t child;

	self->map[0] = 1;
	child = fork();
	if (!child)
		_exit(touch(self->map));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(SIGSEGV, WEXITSTATUS(status));
	EXPECT_EQ(1, self->map[0]);
}

TEST_F(mmap, a_mapping_can_be_moved_and_cut_but_not_grown_or_doubled)
{
	char *moved, *room;

	memset(self->map, 7, LENGTH);
	EXPECT_EQ(MAP_FAILED, mremap(self->map, LENGTH, LENGTH + PAGE,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(self->map, 0, PAGE, MREMAP_MAYMOVE));
	ASSERT_EQ(0, munmap(self->map + PAGE, PAGE));
	EXPECT_EQ(7, self->map[0]);
	EXPECT_EQ(SIGSEGV, touch(self->map + PAGE));
	EXPECT_EQ(7, self->map[2 * PAGE]);

	room = mmap(NULL, HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	moved = mremap(self->map + HUGE_PAGE, HUGE_PAGE, HUGE_PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, room);
	ASSERT_EQ(room, moved);
	EXPECT_EQ(7, moved[HUGE_PAGE - 1]);
	ASSERT_EQ(0, free_region(self));
	EXPECT_EQ(SIGBUS, touch(moved));
	munmap(moved, HUGE_PAGE);
}

TEST_F(mmap, protection_can_be_taken_and_given_back)
{
	self->map[PAGE] = 4;
	ASSERT_EQ(0, mprotect(self->map + PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(self->map + PAGE));
	ASSERT_EQ(0, mprotect(self->map + PAGE, PAGE, PROT_READ));
	EXPECT_EQ(4, self->map[PAGE]);
	EXPECT_EQ(SIGSEGV, touch_to_write(self->map + PAGE));
	ASSERT_EQ(0, mprotect(self->map + PAGE, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, touch_to_write(self->map + PAGE));
}

TEST_F(mmap, no_advice_changes_which_pages_a_region_has)
{
	static const int advices[] = { MADV_DONTNEED, MADV_REMOVE, MADV_FREE,
				       MADV_COLD, MADV_PAGEOUT, MADV_MERGEABLE,
				       MADV_HUGEPAGE, MADV_NOHUGEPAGE,
				       MADV_DOFORK, MADV_WIPEONFORK,
				       25 /* MADV_COLLAPSE */ };
	struct safer_ring_query q;
	unsigned int i;
	__u64 at;

	memset(self->map, 6, LENGTH);
	for (i = 0; i < ARRAY_SIZE(advices); i++) {
		madvise(self->map, LENGTH, advices[i]);
		for (at = 0; at < LENGTH; at += PAGE)
			ASSERT_EQ(6, self->map[at]);
	}
	ASSERT_EQ(0, sr_query(self->dev, self->region.slot, 0, &q));
	EXPECT_EQ(q.folios, q.folios_busy);
}

TEST_F(mmap, a_hole_cannot_be_punched)
{
	EXPECT_EQ(-1, madvise(self->map, HUGE_PAGE, MADV_REMOVE));
	EXPECT_EQ(0, self->map[0]);
}

TEST_HARNESS_MAIN
