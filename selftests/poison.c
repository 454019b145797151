// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the hardware has called broken: whoever has it may lose it, but
 * nobody may get it afterwards. The error is told to the kernel as a machine
 * check would. The page is lost until the machine boots again, so this is done
 * only where SAFER_RING_MODULE says that the module may be unloaded as well.
 */
#include <linux/kernel-page-flags.h>

#include "safer_ring_test.h"
#include "frames.h"
#include "module.h"
#include "touch.h"

#define FLAGS	"/proc/kpageflags"
/* What is allocated to find the page again. */
#define HUNTED	(16UL << 20)

#ifndef MADV_HWPOISON
#define MADV_HWPOISON	100
#endif

FIXTURE(poison)
{
	struct sr_usage before;
	struct safer_ring_info info;
	int flags;
	int dev;
};

FIXTURE_SETUP(poison)
{
	SR_REQUIRE_DEVICE();
	self->dev = -1;
	self->flags = -1;
	ASSERT_EQ(0, sr_usage(&self->before));
	if (!sr_module_file())
		SKIP(return, "SAFER_RING_MODULE does not name the module's file");
	self->flags = open(FLAGS, O_RDONLY | O_CLOEXEC);
	if (self->flags < 0)
		SKIP(return, FLAGS ": %s", strerror(errno));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(poison)
{
	close(self->dev);
	close(self->flags);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static bool is_poisoned(int flags, __u64 frame)
{
	__u64 bits = 0;

	return pread(flags, &bits, sizeof(bits), frame * sizeof(bits)) ==
		       sizeof(bits) &&
	       bits & (1ULL << KPF_HWPOISON);
}

/* A region of pages of one order, on node 0, where the cache is the same. */
static int alloc_of(int dev, __u64 length, __u32 order,
		    struct safer_ring_alloc *a)
{
	*a = sr_request(length);
	a->node = 0;
	a->order_min = order;
	a->order_max = order;
	return sr_ioctl(dev, SAFER_RING_ALLOC, a);
}

/* Return: 0 or -errno. */
static int break_at(char *at)
{
	/* Whoever has the page may be told at once. */
	if (sigsetjmp(sr_on_fault, 1))
		return 0;
	return madvise(at, PAGE, MADV_HWPOISON) ? -errno : 0;
}

/*
 * In a process of its own, which the kernel may kill for it: have a page of a
 * region, and not its first, break. What it was is told by @to. Mapped afresh, it
 * is not to be had, but the others are.
 */
static void break_page(__u32 order, int to)
{
	size_t length = PAGE << order, at = length - PAGE;
	int dev = sr_open(), ret;
	struct safer_ring_alloc a;
	__u64 *frames;
	char *map;

	sr_catch_faults();
	if (alloc_of(dev, length, order, &a))
		_exit(ENOMEM);
	map = sr_map(dev, length, a.mmap_offset);
	if (map == MAP_FAILED)
		_exit(ENXIO);
	memset(map, 5, length);
	frames = sr_frames(map, length);
	if (!frames || write(to, &frames[at / PAGE], sizeof(*frames)) !=
			       sizeof(*frames))
		_exit(EIO);
	ret = break_at(map + at);
	if (ret == -EPERM || ret == -EINVAL)
		_exit(-ret);
	map = sr_map(dev, length, a.mmap_offset);
	if (map == MAP_FAILED)
		_exit(ENXIO);
	if (sr_touch(map + at) != SIGBUS)
		_exit(EBADE);
	/* With this one the whole may be mapped. */
	_exit(at && sr_touch(map) ? EFAULT : 0);
}

/* The frame that broke, or 0 and why not in @why. */
static __u64 break_one(__u32 order, int *why)
{
	int ends[2], status;
	__u64 frame = 0;
	pid_t pid;

	*why = EIO;
	if (pipe(ends))
		return 0;
	pid = fork();
	if (!pid)
		break_page(order, ends[1]);
	close(ends[1]);
	if (read(ends[0], &frame, sizeof(frame)) != sizeof(frame))
		frame = 0;
	close(ends[0]);
	if (waitpid(pid, &status, 0) != pid)
		return 0;
	*why = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	return *why ? 0 : frame;
}

/* How many broken pages a large new region has. */
static size_t hunt(FIXTURE_DATA(poison) *self, __u32 order)
{
	struct safer_ring_alloc a;
	size_t i, found = 0;
	__u64 *frames;
	char *map;

	if (alloc_of(self->dev, HUNTED, order, &a))
		return -1;
	map = sr_map(self->dev, HUNTED, a.mmap_offset);
	if (map == MAP_FAILED)
		return -1;
	memset(map, 0xee, HUNTED);
	frames = sr_frames(map, HUNTED);
	for (i = 0; frames && i < HUNTED / PAGE; i++)
		found += is_poisoned(self->flags, frames[i]);
	munmap(map, HUNTED);
	sr_free(self->dev, a.slot, a.generation, 0, 0, NULL);
	return frames ? found : (size_t)-1;
}

/* A page of @order breaks, and @wait seconds later it must not be found. */
static void break_and_hunt(struct __test_metadata *_metadata,
			   FIXTURE_DATA(poison) *self, __u32 order,
			   unsigned int wait)
{
	__u64 frame;
	int why;

	if (!(self->info.page_orders & (1ULL << order)))
		SKIP(return, "this backend has single pages only");
	frame = break_one(order, &why);
	if (why == EINVAL || why == EPERM)
		SKIP(return, "MADV_HWPOISON: %s", strerror(why));
	ASSERT_EQ(0, why);
	ASSERT_NE(0ULL, frame);
	/* Otherwise nothing has been tried. */
	ASSERT_TRUE(is_poisoned(self->flags, frame));
	sleep(wait);
	EXPECT_EQ(0UL, hunt(self, order));
}

TEST_F(poison, a_broken_page_is_not_handed_out_again)
{
	break_and_hunt(_metadata, self, 0, 0);
}

TEST_F(poison, a_page_that_broke_in_a_few_is_not_handed_out_again)
{
	break_and_hunt(_metadata, self, 4, 0);
}

TEST_F(poison, a_page_that_broke_in_a_huge_one_is_not_handed_out_again)
{
	break_and_hunt(_metadata, self, 9, 0);
}

/* When the cache has given it back. */
TEST_F(poison, a_page_that_broke_in_a_huge_one_is_not_handed_out_later)
{
	break_and_hunt(_metadata, self, 9, 3);
}

TEST_HARNESS_MAIN
