// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that end, by themselves or cancelled, wherever they are.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include "common.h"

#define BUFFERS 8U
#define DEPTH	8U

static int up(void **state)
{
	*state = stage_up(BUFFERS, DEPTH, STAGE_RING | STAGE_UNCACHED);
	return 0;
}

static int up_cached(void **state)
{
	*state = stage_up(BUFFERS, DEPTH, STAGE_RING);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

static void get_all(struct stage *stage, saferring_buffer *buffers)
{
	unsigned int number;

	for (number = 0; number < BUFFERS; number++)
		buffers[number] = get(stage->pool);
}

static void put_all(struct stage *stage, const saferring_buffer *buffers)
{
	unsigned int number;

	for (number = 0; number < BUFFERS; number++)
		put(stage->pool, buffers[number]);
}

static void *wait_and_put(void *argument)
{
	struct stage *stage = argument;
	saferring_buffer buffer;

	if (saferring_buffer_get_wait(stage->pool, &buffer, SAFERRING_FOREVER))
		abort();
	put(stage->pool, buffer);
	return NULL;
}

static unsigned int waiting(struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return stats.waiting;
}

static pthread_t start(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
	return thread;
}

static void a_cancelled_waiter_gives_its_place_up(void **state)
{
	struct stage *stage = *state;
	saferring_buffer buffers[BUFFERS];
	pthread_t first, second;
	void *result;

	get_all(stage, buffers);
	first = start(wait_and_put, stage);
	while (waiting(stage) < 1)
		sched_yield();
	second = start(wait_and_put, stage);
	while (waiting(stage) < 2)
		sched_yield();
	assert_int_equal(pthread_cancel(first), 0);
	assert_int_equal(pthread_join(first, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_int_equal(waiting(stage), 1);
	put_all(stage, buffers);
	assert_int_equal(pthread_join(second, &result), 0);
	assert_null(result);
}

/* The put and the cancellation race for the waiter. */
static void what_a_cancelled_waiter_was_given_is_not_lost(void **state)
{
	struct stage *stage = *state;
	saferring_buffer buffers[BUFFERS];
	unsigned int round;
	pthread_t thread;

	for (round = 0; round < 300; round++) {
		get_all(stage, buffers);
		thread = start(wait_and_put, stage);
		while (!waiting(stage))
			sched_yield();
		put(stage->pool, buffers[0]);
		assert_int_equal(pthread_cancel(thread), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(waiting(stage), 0);
		buffers[0] = get(stage->pool);
		put_all(stage, buffers);
	}
}

/* Something is always in flight, and something always comes. */
static void *work_for_ever(void *argument)
{
	struct stage *stage = argument;
	struct saferring_completion done[DEPTH];
	saferring_buffer buffer;
	int pair[2], count;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	for (;;) {
		pthread_testcancel();
		if (!saferring_buffer_get(stage->pool, &buffer) &&
		    saferring_ring_read(stage->ring, pair[0], buffer, 0, 1, -1,
					pair[1]))
			put(stage->pool, buffer);
		if (!saferring_buffer_get(stage->pool, &buffer) &&
		    saferring_ring_write(stage->ring, pair[1], buffer, 0, 1, -1,
					 pair[0]))
			put(stage->pool, buffer);
		count = saferring_ring_wait(stage->ring, done, DEPTH, 1,
					    1000000);
		while (count > 0)
			put(stage->pool, done[--count].buffer);
	}
	return NULL;
}

static void a_ring_survives_its_cancelled_thread(void **state)
{
	struct stage *stage = *state;
	unsigned int round;
	pthread_t thread;
	void *result;

	for (round = 0; round < 100; round++) {
		thread = start(work_for_ever, stage);
		nanosleep(&(struct timespec){ .tv_nsec = 1000 * round }, NULL);
		assert_int_equal(pthread_cancel(thread), 0);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_ptr_equal(result, PTHREAD_CANCELED);
		/* This thread takes it over, and it works. */
		assert_int_equal(saferring_ring_destroy(stage->ring,
							DESTROY_MS),
				 0);
		assert_all_back(stage->pool);
		stage->ring = make_ring(stage->pool, DEPTH, 0);
		assert_int_equal(saferring_ring_nop(stage->ring, 3), 0);
		expect(stage->ring, 3, 0);
	}
}

static void *make_and_destroy_for_ever(void *argument)
{
	struct stage *stage = argument;

	for (;;) {
		struct saferring_ring *ring = make_ring(stage->pool, DEPTH, 0);

		assert_int_equal(saferring_ring_nop(ring, 3), 0);
		expect(ring, 3, 0);
		assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
		pthread_testcancel();
	}
	return NULL;
}

/* No ring is left half made, or half gone: the pool would have a user then. */
static void cancelling_waits_until_a_ring_is_made_or_gone(void **state)
{
	struct stage *stage = *state;
	unsigned int round;
	pthread_t thread;

	for (round = 0; round < 50; round++) {
		thread = start(make_and_destroy_for_ever, stage);
		nanosleep(&(struct timespec){ .tv_nsec = 3000 * round }, NULL);
		assert_int_equal(pthread_cancel(thread), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_pool_destroy(stage->pool), 0);
	stage->pool = make_pool(stage->region, BUFFERS, -1, "input");
}

/* ---- what is left of a thread ---- */

static struct stage *put_into;

static void put_held(void *held)
{
	put(put_into->pool, *(saferring_buffer *)held);
}

/* Destructors run in the order of their keys: one before, one after the cache's. */
static void *end_with_two(void *argument)
{
	static __thread saferring_buffer held[2];
	pthread_key_t *keys = argument;
	unsigned int number;

	for (number = 0; number < 2; number++) {
		held[number] = get(put_into->pool);
		pthread_setspecific(keys[number], &held[number]);
	}
	return NULL;
}

static void buffers_put_by_destructors_come_back(void **state)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	pthread_key_t keys[2];

	put_into = *state;
	assert_int_equal(pthread_key_create(&keys[0], put_held), 0);
	put(put_into->pool, get(put_into->pool));
	assert_int_equal(pthread_key_create(&keys[1], put_held), 0);
	pthread_join(start(end_with_two, keys), NULL);
	saferring_pool_flush(put_into->pool);
	assert_int_equal(saferring_pool_stats(put_into->pool, &stats), 0);
	assert_int_equal(stats.cached, 0);
	assert_int_equal(stats.available, BUFFERS);
	pthread_key_delete(keys[0]);
	pthread_key_delete(keys[1]);
}

static void *leave_in_flight(void *argument)
{
	struct stage *stage = argument;
	static saferring_buffer held;

	held = get(stage->pool);
	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	return &held;
}

static void what_a_thread_left_is_taken_up_by_another(void **state)
{
	struct stage *stage = *state;
	void *held;

	pthread_join(start(leave_in_flight, stage), &held);
	expect(stage->ring, 1, 0);
	put(stage->pool, *(saferring_buffer *)held);
	saferring_pool_flush(stage->pool);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define C(name) cmocka_unit_test_setup_teardown(name, up_cached, down)
	const struct CMUnitTest tests[] = {
		T(a_cancelled_waiter_gives_its_place_up),
		T(what_a_cancelled_waiter_was_given_is_not_lost),
		T(a_ring_survives_its_cancelled_thread),
		T(cancelling_waits_until_a_ring_is_made_or_gone),
		C(buffers_put_by_destructors_come_back),
		C(what_a_thread_left_is_taken_up_by_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
