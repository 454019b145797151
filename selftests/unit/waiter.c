// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for a buffer: in turn, asleep, and not for longer than asked.
 */
#include <pthread.h>
#include <time.h>
#include "common.h"

#define COUNT	8U
#define WAITERS 6
#define MS	1000000ULL

/* A thread that waits, and in which turn it was served. */
struct waiter {
	struct stage *stage;
	pthread_t thread;
	uint64_t timeout;
	int result;
	unsigned int turn;
	saferring_buffer buffer;
};

static unsigned int turns;

static void *wait_for_buffer(void *argument)
{
	struct waiter *waiter = argument;

	waiter->result = saferring_buffer_get_wait(waiter->stage->pool,
						   &waiter->buffer,
						   waiter->timeout);
	waiter->turn = __atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
	return NULL;
}

static struct saferring_pool_stats stats_of(struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return stats;
}

static void start(struct waiter *waiter, struct stage *stage, uint64_t timeout)
{
	const uint64_t before = stats_of(stage).waiting;

	*waiter = (struct waiter){ .stage = stage, .timeout = timeout };
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_buffer,
					waiter),
			 0);
	while (stats_of(stage).waiting == before)
		usleep(1000);
}

static void take_all(struct stage *stage, saferring_buffer all[COUNT])
{
	assert_int_equal(saferring_buffer_get_many(stage->pool, all, COUNT),
			 COUNT);
}

static struct stage *stage_with(unsigned int flags)
{
	turns = 0;
	return stage_up(COUNT, 8, flags);
}

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000 * MS + (uint64_t)time.tv_nsec;
}

static void a_waiter_gets_what_is_put(void **state)
{
	const unsigned int flags[] = { 0, STAGE_UNCACHED };
	unsigned int number;

	(void)state;
	for (number = 0; number < 2; number++) {
		struct stage *stage = stage_with(flags[number]);
		saferring_buffer all[COUNT];
		struct waiter waiter;

		take_all(stage, all);
		start(&waiter, stage, SAFERRING_FOREVER);
		put(stage->pool, all[3]);
		pthread_join(waiter.thread, NULL);
		assert_int_equal(waiter.result, 0);
		assert_int_equal(saferring_buffer_index(stage->pool,
							waiter.buffer),
				 saferring_buffer_index(stage->pool, all[3]));
		assert_int_equal(saferring_buffer_valid(stage->pool,
							waiter.buffer),
				 1);
		all[3] = waiter.buffer;
		assert_int_equal(saferring_buffer_put_many(stage->pool, all,
							   COUNT),
				 COUNT);
		assert_int_equal(stats_of(stage).waits, 1);
		assert_int_equal(stats_of(stage).waiting, 0);
		stage_down(stage);
	}
}

static void waiters_are_served_in_the_order_of_their_coming(void **state)
{
	struct stage *stage = stage_with(0);
	saferring_buffer all[COUNT], stolen;
	struct waiter waiters[WAITERS];
	int number;

	(void)state;
	take_all(stage, all);
	for (number = 0; number < WAITERS; number++)
		start(&waiters[number], stage, SAFERRING_FOREVER);
	for (number = 0; number < WAITERS; number++) {
		put(stage->pool, all[number]);
		/* Nobody gets it before those who wait. */
		assert_int_equal(saferring_buffer_get(stage->pool, &stolen),
				 -ENOBUFS);
		pthread_join(waiters[number].thread, NULL);
		assert_int_equal(waiters[number].result, 0);
		assert_int_equal(waiters[number].turn, number + 1);
		all[number] = waiters[number].buffer;
	}
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	stage_down(stage);
}

static void waiting_ends_in_time_and_not_before(void **state)
{
	struct stage *stage = stage_with(0);
	saferring_buffer all[COUNT], buffer;
	const uint64_t start = now(CLOCK_MONOTONIC);
	uint64_t took;

	(void)state;
	take_all(stage, all);
	assert_int_equal(saferring_buffer_get_wait(stage->pool, &buffer,
						   50 * MS),
			 -ETIME);
	took = now(CLOCK_MONOTONIC) - start;
	assert_error(-ETIME, SAFERRING_REASON_EXHAUSTED);
	assert_true(saferring_buffer_is_none(buffer));
	assert_true(took >= 50 * MS);
	assert_true(took < 5000 * MS);
	assert_int_equal(stats_of(stage).waiting, 0);
	assert_int_equal(saferring_buffer_get_wait(stage->pool, &buffer, 0),
			 -ENOBUFS);
	put(stage->pool, all[0]);
	assert_int_equal(saferring_buffer_get_wait(stage->pool, &all[0], 0),
			 0);
	put(stage->pool, all[0]);
	assert_int_equal(saferring_buffer_get_wait(stage->pool, &all[0],
						   UINT64_MAX - 1),
			 0);
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	stage_down(stage);
}

static void a_waiter_sleeps(void **state)
{
	struct stage *stage = stage_with(0);
	saferring_buffer all[COUNT], buffer;
	uint64_t used;

	(void)state;
	take_all(stage, all);
	used = now(CLOCK_THREAD_CPUTIME_ID);
	assert_int_equal(saferring_buffer_get_wait(stage->pool, &buffer,
						   300 * MS),
			 -ETIME);
	used = now(CLOCK_THREAD_CPUTIME_ID) - used;
	assert_true(used < 30 * MS);
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	stage_down(stage);
}

static void what_a_thread_has_cached_comes_to_a_waiter(void **state)
{
	struct stage *stage = stage_with(0);
	saferring_buffer all[COUNT];
	struct waiter waiters[2];

	(void)state;
	take_all(stage, all);
	/* Into this thread's cache, where there is room for two. */
	put(stage->pool, all[0]);
	put(stage->pool, all[1]);
	if (stats_of(stage).cached != 2) {
		all[0] = get(stage->pool);
		all[1] = get(stage->pool);
		assert_int_equal(saferring_buffer_put_many(stage->pool, all,
							   COUNT),
				 COUNT);
		stage_down(stage);
		SKIP("a pool with a depth has no caches");
	}
	start(&waiters[0], stage, SAFERRING_FOREVER);
	start(&waiters[1], stage, SAFERRING_FOREVER);
	put(stage->pool, all[2]);
	pthread_join(waiters[0].thread, NULL);
	pthread_join(waiters[1].thread, NULL);
	all[0] = waiters[0].buffer;
	all[1] = waiters[1].buffer;
	all[2] = get(stage->pool);
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	stage_down(stage);
}

static void a_flush_serves_waiters(void **state)
{
	struct stage *stage = stage_with(0);
	saferring_buffer all[COUNT];
	struct waiter waiter;

	(void)state;
	take_all(stage, all);
	put(stage->pool, all[0]);
	if (!stats_of(stage).cached) {
		all[0] = get(stage->pool);
		assert_int_equal(saferring_buffer_put_many(stage->pool, all,
							   COUNT),
				 COUNT);
		stage_down(stage);
		SKIP("a pool with a depth has no caches");
	}
	start(&waiter, stage, SAFERRING_FOREVER);
	saferring_pool_flush(stage->pool);
	pthread_join(waiter.thread, NULL);
	all[0] = waiter.buffer;
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	stage_down(stage);
}

static void a_completion_of_a_ring_that_ends_serves_waiters(void **state)
{
	struct stage *stage = stage_with(STAGE_RING);
	saferring_buffer all[COUNT];
	struct waiter waiter;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	take_all(stage, all);
	assert_int_equal(saferring_ring_read(stage->ring, ends[0], all[0], 0,
					     1, (uint64_t)-1, 0),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	start(&waiter, stage, SAFERRING_FOREVER);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.result, 0);
	all[0] = waiter.buffer;
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	close(ends[0]);
	close(ends[1]);
	stage_down(stage);
}

static void a_pool_that_is_waited_on_stays(void **state)
{
	struct stage *stage = stage_with(0);
	saferring_buffer all[COUNT];
	struct waiter waiter;

	(void)state;
	take_all(stage, all);
	start(&waiter, stage, SAFERRING_FOREVER);
	assert_int_equal(saferring_pool_destroy(stage->pool), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	put(stage->pool, all[0]);
	pthread_join(waiter.thread, NULL);
	all[0] = waiter.buffer;
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	stage_down(stage);
}

static void waiting_ends_when_the_memory_goes(void **state)
{
	struct stage *stage = stage_with(0);
	saferring_buffer all[COUNT];
	struct waiter waiter;

	(void)state;
	take_all(stage, all);
	start(&waiter, stage, SAFERRING_FOREVER);
	assert_int_equal(saferring_region_revoke(stage->region), 0);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.result, -ESTALE);
	stage_down(stage);
}

struct worker {
	struct stage *stage;
	pthread_t thread;
	unsigned int got;
};

#define ROUNDS 400U

static void *get_use_put(void *argument)
{
	struct worker *worker = argument;
	struct saferring_pool *pool = worker->stage->pool;
	saferring_buffer buffer;
	unsigned char *data;

	while (worker->got < ROUNDS) {
		if (saferring_buffer_get_wait(pool, &buffer, 20000 * MS))
			return NULL;
		data = saferring_buffer_data(pool, buffer);
		if (!data)
			return NULL;
		memset(data, (int)worker->got, 256);
		if (data[255] != (unsigned char)worker->got)
			return NULL;
		if (saferring_buffer_put(pool, buffer))
			return NULL;
		worker->got++;
	}
	return NULL;
}

static void more_threads_than_buffers_all_get_their_turn(void **state)
{
	const unsigned int flags[] = { 0, STAGE_UNCACHED };
	struct worker workers[3 * COUNT];
	unsigned int number, kind;

	(void)state;
	for (kind = 0; kind < 2; kind++) {
		struct stage *stage = stage_with(flags[kind]);
		const unsigned int before = reports;

		for (number = 0; number < 3 * COUNT; number++) {
			workers[number] = (struct worker){ .stage = stage };
			assert_int_equal(pthread_create(&workers[number].thread,
							NULL, get_use_put,
							&workers[number]),
					 0);
		}
		for (number = 0; number < 3 * COUNT; number++) {
			pthread_join(workers[number].thread, NULL);
			assert_int_equal(workers[number].got, ROUNDS);
		}
		assert_int_equal(stats_of(stage).available, COUNT);
		assert_int_equal(stats_of(stage).waiting, 0);
		assert_int_equal(reports, before);
		stage_down(stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiter_gets_what_is_put),
		cmocka_unit_test(waiters_are_served_in_the_order_of_their_coming),
		cmocka_unit_test(waiting_ends_in_time_and_not_before),
		cmocka_unit_test(a_waiter_sleeps),
		cmocka_unit_test(what_a_thread_has_cached_comes_to_a_waiter),
		cmocka_unit_test(a_flush_serves_waiters),
		cmocka_unit_test(a_completion_of_a_ring_that_ends_serves_waiters),
		cmocka_unit_test(a_pool_that_is_waited_on_stays),
		cmocka_unit_test(waiting_ends_when_the_memory_goes),
		cmocka_unit_test(more_threads_than_buffers_all_get_their_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
