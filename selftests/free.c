// SPDX-License-Identifier: GPL-2.0
/*
 * FREE: stale handles, pins, waiting, and many at once.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "safer_ring_test.h"
#include "uring.h"

FIXTURE(free)
{
	struct sr_usage before;
	struct sr_control control;
	struct safer_ring_alloc region;
	char *map;
	int ring;
	int dev;
};

FIXTURE_SETUP(free)
{
	SR_REQUIRE_DEVICE();
	ASSERT_EQ(0, sr_usage(&self->before));
	self->dev = sr_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, sr_control_map(self->dev, &self->control));
	ASSERT_EQ(0, sr_alloc(self->dev, 1 << 20, &self->region));
	self->map = sr_map(self->dev, self->region.length,
			   self->region.mmap_offset);
	ASSERT_NE(MAP_FAILED, self->map);
	self->ring = uring_open(4);
	ASSERT_LE(0, self->ring);
}

FIXTURE_TEARDOWN(free)
{
	close(self->ring);
	munmap(self->map, self->region.length);
	sr_control_unmap(&self->control);
	close(self->dev);
	EXPECT_TRUE(sr_usage_returns_to(&self->before, 5000));
}

static int free_region(FIXTURE_DATA(free) *self, __u32 flags, __u32 timeout_ms)
{
	return sr_free(self->dev, self->region.slot, self->region.generation,
		       flags, timeout_ms, NULL);
}

static int pin(FIXTURE_DATA(free) *self)
{
	return uring_register_buffer(self->ring, self->map,
				     self->region.length);
}

/* The region is as good as before. */
static bool untouched(FIXTURE_DATA(free) *self)
{
	self->map[0]++;
	return sr_word(&self->control, self->region.slot) ==
	       self->region.generation;
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

TEST_F(free, a_stale_or_made_up_handle_is_refused)
{
	struct safer_ring_alloc *r = &self->region;

	EXPECT_EQ(-ESTALE, sr_free(self->dev, r->slot, 0, 0, 0, NULL));
	EXPECT_EQ(-ESTALE, sr_free(self->dev, r->slot, r->generation + 2, 0, 0,
				   NULL));
	EXPECT_EQ(-ESTALE, sr_free(self->dev, r->slot + 1, r->generation, 0, 0,
				   NULL));
	EXPECT_EQ(-ESTALE, sr_free(self->dev, UINT32_MAX, r->generation, 0, 0,
				   NULL));
	EXPECT_TRUE(untouched(self));
}

TEST_F(free, a_second_free_is_refused_also_after_the_slot_was_used_again)
{
	struct safer_ring_alloc a;

	ASSERT_EQ(0, free_region(self, 0, 0));
	EXPECT_EQ(-ESTALE, free_region(self, 0, 0));
	do {
		ASSERT_EQ(0, sr_alloc(self->dev, PAGE, &a));
		if (a.slot == self->region.slot)
			break;
		ASSERT_EQ(0, sr_free(self->dev, a.slot, a.generation, 0, 0,
				     NULL));
	} while (1);
	EXPECT_EQ(-ESTALE, free_region(self, 0, 0));
	EXPECT_EQ(a.generation, sr_word(&self->control, a.slot));
}

TEST_F(free, a_pinned_region_is_busy_and_stays_as_it_is)
{
	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(-EBUSY, free_region(self, 0, 0));
	EXPECT_TRUE(untouched(self));
}

TEST_F(free, force_frees_a_pinned_region_and_tells_what_stays)
{
	__u64 left = 0;

	ASSERT_EQ(0, pin(self));
	ASSERT_EQ(0, sr_free(self->dev, self->region.slot,
			     self->region.generation, SAFER_RING_FREE_FORCE, 0,
			     &left));
	EXPECT_EQ(self->region.length, left);
	EXPECT_NE(self->region.generation,
		  sr_word(&self->control, self->region.slot));
}

TEST_F(free, nothing_stays_of_a_region_that_nobody_uses)
{
	__u64 left = 1;

	memset(self->map, 1, self->region.length);
	ASSERT_EQ(0, sr_free(self->dev, self->region.slot,
			     self->region.generation, 0, 0, &left));
	EXPECT_EQ(0ULL, left);
}

TEST_F(free, waiting_ends_at_the_deadline_and_not_before)
{
	long long start = now_ms();

	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(-ETIMEDOUT, free_region(self, SAFER_RING_FREE_WAIT, 100));
	EXPECT_LE(100, now_ms() - start);
	EXPECT_TRUE(untouched(self));
}

TEST_F(free, waiting_for_no_time_at_all_is_a_look)
{
	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(-ETIMEDOUT, free_region(self, SAFER_RING_FREE_WAIT, 0));
	ASSERT_EQ(0, uring_unregister_buffers(self->ring));
	EXPECT_EQ(0, free_region(self, SAFER_RING_FREE_WAIT, 5000));
}

static void *unregister_later(void *ring)
{
	usleep(50000);
	uring_unregister_buffers(*(int *)ring);
	return NULL;
}

TEST_F(free, waiting_succeeds_when_another_thread_lets_go)
{
	pthread_t thread;

	ASSERT_EQ(0, pin(self));
	ASSERT_EQ(0, pthread_create(&thread, NULL, unregister_later,
				    &self->ring));
	EXPECT_EQ(0, free_region(self, SAFER_RING_FREE_WAIT, 10000));
	pthread_join(thread, NULL);
}

/* What lets go of the pins is work that this very thread has to do. */
TEST_F(free, waiting_succeeds_when_the_caller_itself_has_closed_the_ring)
{
	ASSERT_EQ(0, pin(self));
	close(self->ring);
	EXPECT_EQ(0, free_region(self, SAFER_RING_FREE_WAIT, 10000));
	self->ring = uring_open(4);
}

static void nothing(int sig)
{
}

TEST_F(free, waiting_is_interrupted_by_a_signal_and_tells_the_time_left)
{
	struct sigaction action = { .sa_handler = nothing };
	struct safer_ring_free f = { .size = sizeof(f),
				     .flags = SAFER_RING_FREE_WAIT,
				     .slot = self->region.slot,
				     .timeout_ms = 20000,
				     .generation = self->region.generation };

	ASSERT_EQ(0, pin(self));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ualarm(50000, 0);
	EXPECT_EQ(-EINTR, sr_ioctl(self->dev, SAFER_RING_FREE, &f));
	EXPECT_GT(20000U, f.timeout_ms);
	EXPECT_LT(10000U, f.timeout_ms);
	EXPECT_TRUE(untouched(self));
}

TEST_F(free, waiting_and_forcing_exclude_each_other)
{
	EXPECT_EQ(-EINVAL, free_region(self, SAFER_RING_FREE_WAIT |
				       SAFER_RING_FREE_FORCE, 10));
	EXPECT_TRUE(untouched(self));
}

TEST_F(free, a_timeout_without_waiting_is_refused)
{
	EXPECT_EQ(-EINVAL, free_region(self, 0, 1));
	EXPECT_EQ(-EINVAL, free_region(self, SAFER_RING_FREE_FORCE, 1));
	EXPECT_TRUE(untouched(self));
}

#define THREADS	4
#define ROUNDS	200

struct contest {
	pthread_barrier_t barrier;
	int dev;
	struct safer_ring_alloc region;
	int wins;
	int others;
};

static void *compete(void *arg)
{
	struct contest *c = arg;
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&c->barrier);
		ret = sr_free(c->dev, c->region.slot, c->region.generation, 0,
			      0, NULL);
		if (!ret)
			__atomic_fetch_add(&c->wins, 1, __ATOMIC_RELAXED);
		else if (ret != -ESTALE)
			__atomic_fetch_add(&c->others, 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&c->barrier);
	}
	return NULL;
}

TEST_F(free, of_many_threads_that_free_one_region_exactly_one_succeeds)
{
	struct contest c = { .dev = self->dev };
	pthread_t threads[THREADS];
	int i;

	pthread_barrier_init(&c.barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, compete, &c));
	for (i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(0, sr_alloc(self->dev, PAGE, &c.region));
		pthread_barrier_wait(&c.barrier);
		pthread_barrier_wait(&c.barrier);
		EXPECT_EQ(i + 1, c.wins);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, c.others);
}

TEST_HARNESS_MAIN
