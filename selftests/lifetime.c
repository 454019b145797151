// SPDX-License-Identifier: GPL-2.0
/*
 * Who keeps what alive: descriptors, mappings, processes and the module.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "safer_ring_test.h"
#include "uring.h"

FIXTURE(lifetime)
{
	struct sr_usage before;
	int dev;
};

FIXTURE_SETUP(lifetime)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(lifetime)
{
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static long long regions(FIXTURE_DATA(lifetime) *self)
{
	return sr_stat("regions") - self->before.regions;
}

TEST_F(lifetime, closing_the_descriptor_frees_every_region)
{
	struct safer_ring_alloc a;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	EXPECT_EQ(10, regions(self));
	close(self->dev);
	EXPECT_EQ(0, regions(self));
	self->dev = sr_open();
}

TEST_F(lifetime, a_mapping_of_the_control_area_keeps_the_file_and_its_regions)
{
	struct sr_control control = { 0 };
	struct safer_ring_alloc a;

	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	ASSERT_EQ(0, sr_control_map(self->dev, &control));
	close(self->dev);
	EXPECT_EQ(1, regions(self));
	EXPECT_EQ(a.generation, sr_word(&control, a.slot));
	sr_control_unmap(&control);
	EXPECT_EQ(0, regions(self));
	self->dev = sr_open();
}

TEST_F(lifetime, a_mapping_of_a_region_does_not_keep_it)
{
	struct safer_ring_alloc a;
	char *map;

	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	map = sr_map(self->dev, PAGE, a.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	close(self->dev);
	EXPECT_EQ(0, regions(self));
	munmap(map, PAGE);
	self->dev = sr_open();
}

TEST_F(lifetime, a_child_shares_the_table_until_the_last_of_both_has_closed)
{
	struct safer_ring_alloc a, b;
	int fds[2], status;
	pid_t child;

	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	ASSERT_EQ(0, pipe(fds));
	child = fork();
	if (!child) {
		int ret = sr_alloc(self->dev, PAGE, &b);

		ret |= write(fds[1], &b, sizeof(b)) != sizeof(b);
		/* The parent's region is ours to free as well. */
		ret |= sr_free(self->dev, a.slot, a.generation, 0, 0, NULL);
		_exit(ret != 0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ((ssize_t)sizeof(b), read(fds[0], &b, sizeof(b)));
	EXPECT_EQ(1, regions(self));
	EXPECT_EQ(0, sr_free(self->dev, b.slot, b.generation, 0, 0, NULL));
	EXPECT_EQ(-ESTALE, sr_free(self->dev, a.slot, a.generation, 0, 0,
				   NULL));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(lifetime, exec_closes_what_was_opened_so_and_takes_the_mappings)
{
	struct safer_ring_alloc a;
	int status;
	pid_t child = fork();

	if (!child) {
		int dev = sr_open();

		if (dev < 0 || sr_alloc(dev, PAGE, &a) ||
		    sr_map(dev, PAGE, a.mmap_offset) == MAP_FAILED ||
		    sr_map(dev, PAGE, 0) == MAP_FAILED)
			_exit(1);
		execl("/bin/true", "true", NULL);
		execl("/bin/busybox", "busybox", "true", NULL);
		_exit(2);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 2000));
}

/* A child that stops at @stage, to be killed there. */
static void live_until(int stage, int report)
{
	struct safer_ring_alloc a;
	struct sr_control control;
	struct uring ring;
	char *map = NULL;
	int dev = sr_open();

	if (stage > 0)
		sr_control_map(dev, &control);
	if (stage > 1)
		sr_alloc(dev, HUGE_PAGE, &a);
	if (stage > 2)
		map = sr_map(dev, HUGE_PAGE, a.mmap_offset);
	if (stage > 3)
		memset(map, 1, HUGE_PAGE);
	if (stage > 4 && !uring_init(&ring, 4))
		uring_register_buffer(ring.fd, map, HUGE_PAGE);
	if (stage > 5) {
		int fds[2];

		if (pipe(fds))
			_exit(1);
		uring_queue(&ring, IORING_OP_READ_FIXED, fds[0], map, PAGE, 0);
		uring_enter(&ring, 0);
	}
	if (stage > 6)
		sr_free(dev, a.slot, a.generation, SAFER_RING_FREE_FORCE, 0,
			NULL);
	if (write(report, "x", 1) != 1)
		_exit(1);
	pause();
}

TEST_F(lifetime, a_process_killed_at_any_stage_leaves_nothing)
{
	int stage, fds[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(fds));
	for (stage = 0; stage < 8; stage++) {
		child = fork();
		if (!child)
			live_until(stage, fds[1]);
		ASSERT_EQ(1, read(fds[0], &byte, 1));
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, NULL, 0));
		EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
	}
	close(fds[0]);
	close(fds[1]);
}

/* Return: the errno with which the module refuses to go, or 0 if it went. */
static int unload(void)
{
	return syscall(__NR_delete_module, "safer_ring", O_NONBLOCK) ? errno :
								       0;
}

static bool refused(int error)
{
	return error == EWOULDBLOCK || error == EBUSY;
}

TEST_F(lifetime, the_module_stays_while_the_device_is_open)
{
	if (geteuid())
		SKIP(return, "only root can ask for it");
	EXPECT_TRUE(refused(unload()));
}

TEST_F(lifetime, the_module_stays_while_a_fresh_region_is_mapped)
{
	char *map = sr_map(self->dev, PAGE, 0);

	if (geteuid())
		SKIP(return, "only root can ask for it");
	ASSERT_NE(MAP_FAILED, map);
	close(self->dev);
	EXPECT_TRUE(refused(unload()));
	map[0] = 1;
	munmap(map, PAGE);
	self->dev = sr_open();
}

TEST_F(lifetime, the_module_stays_while_a_dead_region_is_mapped)
{
	struct safer_ring_alloc a;
	char *map;

	if (geteuid())
		SKIP(return, "only root can ask for it");
	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	map = sr_map(self->dev, PAGE, a.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	close(self->dev);
	EXPECT_TRUE(refused(unload()));
	munmap(map, PAGE);
	self->dev = sr_open();
}

TEST_F(lifetime, the_module_stays_while_anything_is_in_quarantine)
{
	struct safer_ring_alloc a;
	int ring = uring_open(4);
	char *map;

	if (geteuid())
		SKIP(return, "only root can ask for it");
	ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
	map = sr_map(self->dev, PAGE, a.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, uring_register_buffer(ring, map, PAGE));
	munmap(map, PAGE);
	close(self->dev);
	EXPECT_EQ((long long)PAGE,
		  sr_stat("quarantine_bytes") - self->before.quarantine);
	EXPECT_TRUE(refused(unload()));
	close(ring);
	self->dev = sr_open();
}

TEST_HARNESS_MAIN
