// SPDX-License-Identifier: GPL-2.0
/*
 * Many threads on one pool: no buffer is ever held twice, none is lost. To be
 * run under the thread sanitizer as well.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include "common.h"

#define THREADS 4
#define ROUNDS	20000
#define BUFFERS 64U

/* Owners by index of buffer; 0 for none. Atomic, so that a clash is seen. */
static unsigned int owner[BUFFERS];

static void take(struct saferring_pool *pool, saferring_buffer buffer,
		 unsigned int me)
{
	const size_t index = saferring_buffer_index(pool, buffer);

	if (__atomic_exchange_n(&owner[index], me, __ATOMIC_RELAXED))
		abort();
	memset(saferring_buffer_data(pool, buffer), (int)me, 64);
}

static void leave(struct saferring_pool *pool, saferring_buffer buffer,
		  unsigned int me)
{
	const size_t index = saferring_buffer_index(pool, buffer);
	const unsigned char *data = saferring_buffer_data(pool, buffer);

	if (!data || data[0] != me || data[63] != me)
		abort();
	if (__atomic_exchange_n(&owner[index], 0, __ATOMIC_RELAXED) != me)
		abort();
	if (saferring_buffer_put(pool, buffer))
		abort();
}

struct worker {
	struct saferring_pool *pool;
	pthread_t thread;
	unsigned int number;
	unsigned long got;
};

static void *get_and_put(void *argument)
{
	struct worker *worker = argument;
	saferring_buffer held[8];
	unsigned int round, count = 0;

	for (round = 0; round < ROUNDS; round++) {
		if (count < 1 + round % 8 &&
		    !saferring_buffer_get(worker->pool, &held[count])) {
			take(worker->pool, held[count], worker->number);
			worker->got++;
			count++;
		} else if (count) {
			leave(worker->pool, held[--count], worker->number);
		} else {
			sched_yield();
		}
	}
	while (count)
		leave(worker->pool, held[--count], worker->number);
	return NULL;
}

static void run(struct saferring_pool *pool, void *(*function)(void *))
{
	struct worker workers[THREADS];
	unsigned int number;

	memset(owner, 0, sizeof(owner));
	for (number = 0; number < THREADS; number++) {
		workers[number].pool = pool;
		workers[number].number = number + 1;
		workers[number].got = 0;
		assert_int_equal(pthread_create(&workers[number].thread, NULL,
						function, &workers[number]),
				 0);
	}
	for (number = 0; number < THREADS; number++) {
		assert_int_equal(pthread_join(workers[number].thread, NULL), 0);
		assert_true(workers[number].got > 0);
	}
}

static void assert_all_back_well(struct saferring_pool *pool)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(pool, &stats), 0);
	assert_int_equal(stats.available, BUFFERS);
	assert_int_equal(stats.held, 0);
	assert_int_equal(stats.misuses, 0);
}

static void threads_share_a_pool(void **state)
{
	struct stage *stage = stage_up(BUFFERS, 8, 0);
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	(void)state;
	run(stage->pool, get_and_put);
	assert_all_back_well(stage->pool);
	/* The threads have ended, and their caches with them. */
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.cached, 0);
	stage_down(stage);
}

static void threads_share_a_pool_without_caches(void **state)
{
	struct stage *stage = stage_up(BUFFERS, 8, STAGE_UNCACHED);

	(void)state;
	run(stage->pool, get_and_put);
	assert_all_back_well(stage->pool);
	stage_down(stage);
}

/* ---- one thread gets, another puts ---- */

struct channel {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	saferring_buffer buffer[4];
	unsigned int count;
	bool closed;
	struct saferring_pool *pool;
};

static void *put_all(void *argument)
{
	struct channel *channel = argument;
	saferring_buffer buffer;

	for (;;) {
		pthread_mutex_lock(&channel->lock);
		while (!channel->count && !channel->closed)
			pthread_cond_wait(&channel->changed, &channel->lock);
		if (!channel->count) {
			pthread_mutex_unlock(&channel->lock);
			return NULL;
		}
		buffer = channel->buffer[--channel->count];
		pthread_cond_signal(&channel->changed);
		pthread_mutex_unlock(&channel->lock);
		leave(channel->pool, buffer, 1);
	}
}

static void send_one(struct channel *channel)
{
	saferring_buffer buffer;

	while (saferring_buffer_get(channel->pool, &buffer))
		sched_yield();
	take(channel->pool, buffer, 1);
	pthread_mutex_lock(&channel->lock);
	while (channel->count == 4)
		pthread_cond_wait(&channel->changed, &channel->lock);
	channel->buffer[channel->count++] = buffer;
	pthread_cond_signal(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

/*
 * The putting thread's cache takes a part of the buffers only, so the getting
 * thread never starves.
 */
static void buffers_put_by_another_thread_come_back(void **state)
{
	struct stage *stage = stage_up(BUFFERS, 8, 0);
	struct channel channel = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.pool = stage->pool,
	};
	pthread_t thread;
	unsigned int round;

	(void)state;
	memset(owner, 0, sizeof(owner));
	assert_int_equal(pthread_create(&thread, NULL, put_all, &channel), 0);
	for (round = 0; round < ROUNDS; round++)
		send_one(&channel);
	pthread_mutex_lock(&channel.lock);
	channel.closed = true;
	pthread_cond_signal(&channel.changed);
	pthread_mutex_unlock(&channel.lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_all_back_well(stage->pool);
	stage_down(stage);
}

/* ---- threads that come and go, rings of their own ---- */

static void *read_with_own_ring(void *argument)
{
	struct worker *worker = argument;
	struct saferring_ring *ring = make_ring(worker->pool, 8, 0);
	const int fd = pattern_file(8 * BUFFER_SIZE);
	struct saferring_completion completions[8];
	saferring_buffer buffer;
	int round, number, count, queued = 0;

	for (round = 0; round < 300; round++) {
		while (queued < 4 && !saferring_buffer_get(worker->pool,
							   &buffer)) {
			if (saferring_ring_read(ring, fd, buffer, 0,
						BUFFER_SIZE, 0, 0))
				abort();
			queued++;
		}
		count = saferring_ring_wait(ring, completions, 8, 1,
					    SAFERRING_FOREVER);
		if (count < 0)
			abort();
		for (number = 0; number < count; number++) {
			if (completions[number].result != BUFFER_SIZE)
				abort();
			worker->got++;
			if (saferring_buffer_put(worker->pool,
						 completions[number].buffer))
				abort();
		}
		queued -= count;
	}
	if (saferring_ring_destroy(ring, DESTROY_MS))
		abort();
	close(fd);
	return NULL;
}

static void threads_with_rings_share_a_pool(void **state)
{
	struct stage *stage = stage_up(BUFFERS, 8, 0);

	(void)state;
	run(stage->pool, read_with_own_ring);
	assert_all_back_well(stage->pool);
	stage_down(stage);
}

static void *touch_once(void *argument)
{
	struct worker *worker = argument;

	put(worker->pool, get(worker->pool));
	worker->got++;
	return NULL;
}

static void threads_that_come_and_go_lose_nothing(void **state)
{
	struct stage *stage = stage_up(BUFFERS, 8, 0);
	int round;

	(void)state;
	for (round = 0; round < 100; round++)
		run(stage->pool, touch_once);
	assert_all_back_well(stage->pool);
	stage_down(stage);
}

/* A thread keeps its cache from one pool to the next in the same slot. */
static void a_cache_outlives_its_pool_and_serves_the_next(void **state)
{
	int round;

	(void)state;
	for (round = 0; round < 10; round++) {
		struct stage *stage = stage_up(BUFFERS, 8, 0);

		put(stage->pool, get(stage->pool));
		run(stage->pool, touch_once);
		stage_down(stage);
	}
}

/* ---- two threads put one handle at the same instant ---- */

/*
 * What the second thread sees that has looked before the first one wrote. With
 * a depth there is no such moment.
 */
static void put_late(struct saferring_pool *pool, saferring_buffer buffer)
{
	const struct saferring_pool_fast *fast = (const void *)pool;
	uint64_t *tag = saferring_buffer_tag(fast, buffer.word);

	__atomic_store_n(tag, buffer.word, __ATOMIC_RELAXED);
	put(pool, buffer);
}

static void assert_each_once(struct saferring_pool *pool)
{
	saferring_buffer all[BUFFERS], one_more;
	bool seen[BUFFERS] = { false };
	size_t number, index;

	for (number = 0; number < BUFFERS; number++) {
		all[number] = get(pool);
		index = saferring_buffer_index(pool, all[number]);
		assert_false(seen[index]);
		seen[index] = true;
	}
	assert_int_equal(saferring_buffer_get(pool, &one_more), -ENOBUFS);
	for (number = 0; number < BUFFERS; number++)
		put(pool, all[number]);
}

static void two_puts_at_one_instant_hand_the_buffer_out_once(void **state)
{
	const unsigned int flags[] = { 0, STAGE_UNCACHED };
	unsigned int number;

	(void)state;
	for (number = 0; number < 2; number++) {
		struct stage *stage = stage_up(BUFFERS, 8, flags[number]);
		const unsigned int before = reports;
		const saferring_buffer buffer = get(stage->pool);

		if (depth_of(stage->pool) != SAFERRING_DEPTH_FAST) {
			put(stage->pool, buffer);
			stage_down(stage);
			SKIP("with a depth, one of the two is refused");
		}
		put(stage->pool, buffer);
		put_late(stage->pool, buffer);
		assert_each_once(stage->pool);
		/* A full store drops the second one without having to ask. */
		if (flags[number] != STAGE_UNCACHED) {
			assert_int_equal(reports, before + 1);
			assert_int_equal(last_report.reason,
					 SAFERRING_REASON_DOUBLE_PUT);
		}
		stage_down(stage);
	}
}

static void a_buffer_put_twice_does_not_overrun_the_store(void **state)
{
	struct stage *stage = stage_up(BUFFERS, 8, 0);
	saferring_buffer all[BUFFERS];
	size_t number;

	(void)state;
	if (depth_of(stage->pool) != SAFERRING_DEPTH_FAST) {
		stage_down(stage);
		SKIP("with a depth, one of the two is refused");
	}
	for (number = 0; number < BUFFERS; number++)
		all[number] = get(stage->pool);
	for (number = 0; number < BUFFERS; number++) {
		put(stage->pool, all[number]);
		put_late(stage->pool, all[number]);
	}
	saferring_pool_flush(stage->pool);
	assert_each_once(stage->pool);
	assert_int_equal(saferring_pool_destroy(stage->pool), 0);
	stage->pool = NULL;
	stage_down(stage);
}

struct rival {
	struct saferring_pool *pool;
	pthread_barrier_t start, end;
	saferring_buffer buffer;
	bool stop;
	unsigned int accepted;
};

static void *put_at_once(void *argument)
{
	struct rival *rival = argument;

	for (;;) {
		pthread_barrier_wait(&rival->start);
		if (rival->stop)
			return NULL;
		if (!saferring_buffer_put(rival->pool, rival->buffer))
			__atomic_add_fetch(&rival->accepted, 1,
					   __ATOMIC_RELAXED);
		pthread_barrier_wait(&rival->end);
	}
}

static void rivals_that_put_one_handle_never_double_a_buffer(void **state)
{
	struct stage *stage = stage_up(BUFFERS, 8, 0);
	struct rival rival = { .pool = stage->pool };
	pthread_t threads[2];
	int round;

	(void)state;
	ignore_reports();
	pthread_barrier_init(&rival.start, NULL, 3);
	pthread_barrier_init(&rival.end, NULL, 3);
	for (round = 0; round < 2; round++)
		assert_int_equal(pthread_create(&threads[round], NULL,
						put_at_once, &rival),
				 0);
	for (round = 0; round < 2000; round++) {
		rival.buffer = get(stage->pool);
		pthread_barrier_wait(&rival.start);
		pthread_barrier_wait(&rival.end);
	}
	rival.stop = true;
	pthread_barrier_wait(&rival.start);
	for (round = 0; round < 2; round++)
		pthread_join(threads[round], NULL);
	assert_true(rival.accepted >= 2000);
	if (depth_of(stage->pool) != SAFERRING_DEPTH_FAST)
		assert_int_equal(rival.accepted, 2000);
	assert_each_once(stage->pool);
	pthread_barrier_destroy(&rival.start);
	pthread_barrier_destroy(&rival.end);
	stage_down(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_a_pool),
		cmocka_unit_test(threads_share_a_pool_without_caches),
		cmocka_unit_test(buffers_put_by_another_thread_come_back),
		cmocka_unit_test(threads_with_rings_share_a_pool),
		cmocka_unit_test(threads_that_come_and_go_lose_nothing),
		cmocka_unit_test(a_cache_outlives_its_pool_and_serves_the_next),
		cmocka_unit_test(two_puts_at_one_instant_hand_the_buffer_out_once),
		cmocka_unit_test(a_buffer_put_twice_does_not_overrun_the_store),
		cmocka_unit_test(rivals_that_put_one_handle_never_double_a_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
