// SPDX-License-Identifier: GPL-2.0
/*
 * Ends that come at once: of rings, of processes in the middle of a call, of
 * owners whose regions others have, of descriptors that nobody will ever read.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "safer_ring_test.h"
#include "importer.h"
#include "touch.h"
#include "uring.h"

#define LENGTH	(2UL << 20)
#define ROUNDS	30

FIXTURE(death)
{
	struct sr_usage before;
	int dev;
};

FIXTURE_SETUP(death)
{
	SR_REQUIRE_DEVICE();
	sr_catch_faults();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(death)
{
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 10000));
}

/* A region that a ring reads into from @fd. Return: 0 or -errno. */
static int start_read(int dev, int fd, struct safer_ring_alloc *a, char **map,
		      struct uring *ring)
{
	int ret = sr_alloc(dev, LENGTH, a);

	if (ret)
		return ret;
	*map = sr_map(dev, LENGTH, a->mmap_offset);
	ret = uring_init(ring, 4) ?:
	      uring_register_buffer(ring->fd, *map, LENGTH);
	if (ret)
		return ret;
	uring_queue(ring, IORING_OP_READ_FIXED, fd, *map, PAGE, 0);
	return uring_enter(ring, 0);
}

/* Whether memory that comes next has nothing of what went before. */
static bool next_region_is_clean(int dev)
{
	struct safer_ring_alloc a;
	bool clean = true;
	size_t at;
	char *map;

	if (sr_alloc(dev, LENGTH, &a))
		return false;
	map = sr_map(dev, LENGTH, a.mmap_offset);
	for (at = 0; at < LENGTH && clean; at += 64)
		clean = !map[at];
	munmap(map, LENGTH);
	sr_free(dev, a.slot, a.generation, 0, 0, NULL);
	return clean;
}

TEST_F(death, a_ring_is_closed_and_its_memory_freed_at_once)
{
	struct safer_ring_alloc a;
	struct uring ring;
	int i, fds[2];
	char *map;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < ROUNDS; i++) {
		int ret;

		ASSERT_EQ(0, start_read(self->dev, fds[0], &a, &map, &ring));
		memset(map, 0xaa, LENGTH);
		uring_exit(&ring);
		/* Rings let go late, so it may be busy, or not. */
		ret = sr_free(self->dev, a.slot, a.generation, 0, 0, NULL);
		EXPECT_TRUE(!ret || ret == -EBUSY);
		if (ret)
			EXPECT_EQ(0, sr_free(self->dev, a.slot, a.generation,
					     SAFER_RING_FREE_FORCE, 0, NULL));
		EXPECT_TRUE(next_region_is_clean(self->dev));
		munmap(map, LENGTH);
	}
	close(fds[0]);
	close(fds[1]);
}

TEST_F(death, memory_is_freed_under_a_ring_that_is_closed_at_once)
{
	struct safer_ring_alloc a;
	struct uring ring;
	int i, fds[2];
	char *map;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, start_read(self->dev, fds[0], &a, &map, &ring));
		memset(map, 0xaa, LENGTH);
		ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation,
				     SAFER_RING_FREE_FORCE, 0, NULL));
		if (i & 1)
			EXPECT_EQ(4, write(fds[1], "late", 4));
		uring_exit(&ring);
		EXPECT_TRUE(next_region_is_clean(self->dev));
		munmap(map, LENGTH);
	}
	close(fds[0]);
	close(fds[1]);
}

/* --- processes that are killed */

/* Start @fn in a child, wait for its word, give it @us more, and kill it. */
static int kill_during(void (*fn)(int report), int us)
{
	int fds[2], status;
	pid_t child;
	char byte;

	if (pipe(fds))
		return -errno;
	child = fork();
	if (!child) {
		close(fds[0]);
		fn(fds[1]);
		_exit(1);
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1)
		us = 0;
	usleep(us);
	kill(child, SIGKILL);
	close(fds[0]);
	if (waitpid(child, &status, 0) != child)
		return -errno;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 :
								     -ECHILD;
}

static void report(int fd)
{
	if (write(fd, "x", 1) != 1)
		_exit(2);
}

static void wait_in_free(int fd)
{
	struct safer_ring_alloc a;
	int dev = sr_open(), ring = uring_open(4);
	char *map;

	if (sr_alloc(dev, LENGTH, &a))
		_exit(3);
	map = sr_map(dev, LENGTH, a.mmap_offset);
	if (uring_register_buffer(ring, map, LENGTH))
		_exit(4);
	report(fd);
	sr_free(dev, a.slot, a.generation, SAFER_RING_FREE_WAIT, 3600000,
		NULL);
}

TEST_F(death, a_process_killed_while_it_waits_in_free_leaves_nothing)
{
	EXPECT_EQ(0, kill_during(wait_in_free, 50000));
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static void allocate_without_end(int fd)
{
	struct safer_ring_alloc a;
	int dev = sr_open();

	report(fd);
	for (;;) {
		if (sr_alloc(dev, 128 << 20, &a))
			_exit(3);
		sr_free(dev, a.slot, a.generation, 0, 0, NULL);
	}
}

TEST_F_TIMEOUT(death, a_process_killed_in_an_allocation_leaves_nothing, 120)
{
	int i;

	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, kill_during(allocate_without_end, 3000 + i * 7000));
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static void *work(void *arg)
{
	int dev = *(int *)arg;

	for (;;) {
		struct safer_ring_alloc a;
		char *map;

		if (sr_alloc(dev, LENGTH, &a))
			continue;
		map = sr_map(dev, LENGTH, a.mmap_offset);
		map[0] = 1;
		sr_free(dev, a.slot, a.generation, SAFER_RING_FREE_FORCE, 0,
			NULL);
		munmap(map, LENGTH);
	}
	return NULL;
}

static void work_in_threads(int fd)
{
	int i, dev = sr_open();
	pthread_t thread;

	for (i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, work, &dev))
			_exit(3);
	report(fd);
	work(&dev);
}

TEST_F(death, a_process_killed_with_threads_in_every_command_leaves_nothing)
{
	int i;

	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, kill_during(work_in_threads, 5000 + i * 4000));
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static void register_fresh_map(int fd)
{
	int dev = sr_open(), ring = uring_open(4);
	char *map = sr_map(dev, LENGTH, 0);

	if (map == MAP_FAILED || uring_register_buffer(ring, map, LENGTH))
		_exit(3);
	report(fd);
	for (;;)
		pause();
}

TEST_F(death, a_process_killed_with_a_fresh_region_registered_leaves_nothing)
{
	EXPECT_EQ(0, kill_during(register_fresh_map, 0));
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static void attach_device(int fd)
{
	struct safer_ring_export e = { .size = sizeof(e) };
	int dev = sr_open(), importer = open(SR_IMPORTER, O_RDWR);
	struct safer_ring_alloc a;

	if (sr_alloc(dev, LENGTH, &a))
		_exit(3);
	e.slot = a.slot;
	e.generation = a.generation;
	if (sr_ioctl(dev, SAFER_RING_DMABUF, &e) ||
	    ioctl(importer, SAFER_RING_IMPORTER_ATTACH, e.fd))
		_exit(4);
	report(fd);
	for (;;)
		pause();
}

TEST_F(death, a_process_killed_with_a_device_attached_leaves_nothing)
{
	int ret = sr_importer_load();

	if (ret)
		SKIP(return, "%s: %s", SR_IMPORTER_FILE, strerror(-ret));
	EXPECT_EQ(0, kill_during(attach_device, 0));
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
	sr_importer_unload();
}

/* --- owners */

/* Allocates, writes, sends a descriptor of it, and waits for the end. */
static void own(int post)
{
	struct safer_ring_export e = { .size = sizeof(e) };
	struct safer_ring_alloc a;
	int dev = sr_open();
	char byte = 0, *map;

	if (sr_alloc(dev, LENGTH, &a))
		_exit(1);
	map = sr_map(dev, LENGTH, a.mmap_offset);
	map[0] = 42;
	e.slot = a.slot;
	e.generation = a.generation;
	if (sr_ioctl(dev, SAFER_RING_EXPORT, &e) ||
	    sr_send_fd(post, e.fd, &byte, 1))
		_exit(2);
	for (;;)
		pause();
}

/**
 * struct import - a region of somebody else's
 * @owner: the process
 * @fd: its descriptor
 * @answer: what IMPORT said
 * @control: the control area of the importing file
 * @map: where it is mapped
 */
struct import {
	pid_t owner;
	int fd;
	struct safer_ring_import answer;
	struct sr_control control;
	char *map;
};

static int import_from_child(int dev, struct import *i)
{
	int post[2], ret;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, post))
		return -errno;
	i->owner = fork();
	if (!i->owner) {
		close(post[0]);
		own(post[1]);
	}
	close(post[1]);
	i->fd = sr_receive_fd(post[0], &byte, 1);
	close(post[0]);
	if (i->fd < 0)
		return -EBADF;
	i->answer = (struct safer_ring_import){ .size = sizeof(i->answer),
						.fd = i->fd };
	ret = sr_ioctl(dev, SAFER_RING_IMPORT, &i->answer) ?:
	      sr_control_map(dev, &i->control);
	if (ret)
		return ret;
	i->map = sr_map(dev, LENGTH, i->answer.mmap_offset);
	return i->map == MAP_FAILED ? -errno : 0;
}

static void end_owner(struct import *i)
{
	kill(i->owner, SIGKILL);
	waitpid(i->owner, NULL, 0);
}

static void end_import(struct import *i)
{
	sr_control_unmap(&i->control);
	munmap(i->map, LENGTH);
	close(i->fd);
}

TEST_F(death, importers_see_that_the_owner_was_killed)
{
	struct safer_ring_query q;
	struct import i = { 0 };

	ASSERT_EQ(0, import_from_child(self->dev, &i));
	EXPECT_EQ(42, i.map[0]);
	EXPECT_EQ(i.answer.generation, sr_word(&i.control, i.answer.slot));
	end_owner(&i);
	EXPECT_EQ(i.answer.generation + 1, sr_word(&i.control, i.answer.slot));
	EXPECT_EQ(SIGBUS, sr_touch(i.map));
	EXPECT_EQ(-ESTALE, sr_query(self->dev, i.answer.slot,
				    i.answer.generation, &q));
	EXPECT_EQ(-ESTALE, sr_ioctl(self->dev, SAFER_RING_IMPORT, &i.answer));
	EXPECT_EQ(MAP_FAILED, sr_map(i.fd, PAGE, 0));
	EXPECT_EQ(ENXIO, errno);
	end_import(&i);
}

TEST_F(death, io_of_an_importer_ends_after_the_owner_was_killed)
{
	struct import i = { 0 };
	struct uring ring;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, import_from_child(self->dev, &i));
	ASSERT_EQ(0, uring_init(&ring, 4));
	ASSERT_EQ(0, uring_register_buffer(ring.fd, i.map, LENGTH));
	uring_queue(&ring, IORING_OP_READ_FIXED, fds[0], i.map, PAGE, 0);
	ASSERT_EQ(0, uring_enter(&ring, 0));
	end_owner(&i);
	EXPECT_EQ(SIGBUS, sr_touch(i.map));
	EXPECT_LE((long long)PAGE, sr_stat("quarantine_bytes"));
	EXPECT_TRUE(next_region_is_clean(self->dev));
	EXPECT_EQ(4, write(fds[1], "late", 4));
	EXPECT_EQ(0, uring_enter(&ring, 1));
	EXPECT_TRUE(next_region_is_clean(self->dev));
	uring_exit(&ring);
	end_import(&i);
	close(fds[0]);
	close(fds[1]);
}

/* A socket that has itself in its queue is found by the kernel's collector. */
TEST_F(death, a_descriptor_in_a_socket_that_nobody_reads_keeps_no_memory)
{
	struct safer_ring_export e = { .size = sizeof(e) };
	struct safer_ring_alloc a;
	char byte = 0;
	int post[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, post));
	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &a));
	e.slot = a.slot;
	e.generation = a.generation;
	ASSERT_EQ(0, sr_ioctl(self->dev, SAFER_RING_EXPORT, &e));
	ASSERT_EQ(0, sr_send_fd(post[0], e.fd, &byte, 1));
	ASSERT_EQ(0, sr_send_fd(post[0], self->dev, &byte, 1));
	ASSERT_EQ(0, sr_send_fd(post[0], post[0], &byte, 1));
	ASSERT_EQ(0, sr_send_fd(post[0], post[1], &byte, 1));
	close(e.fd);
	close(self->dev);
	EXPECT_EQ(self->before.regions + 1, sr_stat("regions"));
	close(post[0]);
	close(post[1]);
	/* The next socket that closes starts the collector. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, post));
	close(post[0]);
	close(post[1]);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
	self->dev = sr_open();
}

TEST_F(death, a_process_without_descriptors_left_loses_nothing_by_export)
{
	struct safer_ring_export e = { .size = sizeof(e) };
	struct rlimit few = { 0 };
	struct safer_ring_alloc a;
	struct safer_ring_query q;
	struct rlimit old;

	ASSERT_EQ(0, sr_alloc(self->dev, LENGTH, &a));
	e.slot = a.slot;
	e.generation = a.generation;
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	few.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_EQ(-EMFILE, sr_ioctl(self->dev, SAFER_RING_EXPORT, &e));
	EXPECT_EQ(-EMFILE, sr_ioctl(self->dev, SAFER_RING_DMABUF, &e));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(0, sr_query(self->dev, a.slot, a.generation, &q));
}

TEST_HARNESS_MAIN
