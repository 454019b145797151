// SPDX-License-Identifier: GPL-2.0
/*
 * Signals that come at any time, and whose handlers return: calls are
 * interrupted only where they say so, and nothing is lost by it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include "common.h"

#define DEPTH 8U
#define BLOCKS 64U

static unsigned int rained;

static void count(int number)
{
	(void)number;
	__atomic_add_fetch(&rained, 1, __ATOMIC_RELAXED);
}

static unsigned int signals(void)
{
	return __atomic_load_n(&rained, __ATOMIC_RELAXED);
}

static void rain(suseconds_t every_us)
{
	const struct itimerval timer = {
		.it_interval = { .tv_usec = every_us },
		.it_value = { .tv_usec = every_us },
	};

	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static int up(void **state)
{
	/* Without SA_RESTART: each system call that can be is interrupted. */
	const struct sigaction action = { .sa_handler = count };

	*state = stage_up(DEPTH, DEPTH, STAGE_RING);
	rained = 0;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	rain(2000);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	/* A test that is skipped is faster than the first of them. */
	while (!signals())
		usleep(1000);
	rain(0);
	/* One may be on its way. */
	signal(SIGALRM, SIG_IGN);
	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

/* The next completion, however many signals come before. */
static struct saferring_completion next_one(struct stage *stage)
{
	struct saferring_completion completion;
	int result;

	do
		result = saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER);
	while (result == -EINTR);
	assert_int_equal(result, 1);
	return completion;
}

static void what_is_read_under_signals_is_right(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(BLOCKS * BUFFER_SIZE);
	struct saferring_completion completion;
	unsigned int queued = 0, done = 0;
	saferring_buffer buffer;

	while (done < 3000 || signals() < 20) {
		while (!saferring_buffer_get(stage->pool, &buffer)) {
			const uint64_t offset = queued % BLOCKS * BUFFER_SIZE;

			assert_int_equal(saferring_ring_read(stage->ring, fd,
							     buffer, 0,
							     BUFFER_SIZE,
							     offset, offset),
					 0);
			queued++;
		}
		completion = next_one(stage);
		assert_int_equal(completion.result, BUFFER_SIZE);
		assert_pattern(bytes_of(stage->pool, completion.buffer),
			       completion.user_data, BUFFER_SIZE);
		put(stage->pool, completion.buffer);
		done++;
	}
	for (; done < queued; done++)
		put(stage->pool, next_one(stage).buffer);
	close(fd);
}

static void an_interrupted_wait_says_so_and_has_lost_nothing(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	unsigned int round;
	int pair[2], result;

	if (getenv("UNIT_WRAPPER") && !on_threads())
		SKIP("the wrapper holds signals up in io_uring_enter(2)");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
	for (round = 0; round < 50; round++) {
		assert_int_equal(saferring_ring_read(stage->ring, pair[0],
						     get(stage->pool), 0, 1, -1,
						     round),
				 0);
		result = saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER);
		assert_int_equal(result, -EINTR);
		assert_error(-EINTR, SAFERRING_REASON_SYSTEM);
		assert_int_equal(write(pair[1], "x", 1), 1);
		completion = next_one(stage);
		assert_int_equal(completion.user_data, round);
		assert_int_equal(completion.result, 1);
		put(stage->pool, completion.buffer);
	}
	close(pair[0]);
	close(pair[1]);
}

static void waiting_for_a_buffer_is_not_cut_short(void **state)
{
	struct stage *stage = *state;
	saferring_buffer buffers[DEPTH], none;
	struct timespec from, to;
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		buffers[number] = get(stage->pool);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(saferring_buffer_get_wait(stage->pool, &none,
						   30000000),
			 -ETIME);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec -
			    from.tv_nsec >=
		    30000000);
	for (number = 0; number < DEPTH; number++)
		put(stage->pool, buffers[number]);
}

static void a_ring_that_ends_under_signals_keeps_no_buffer(void **state)
{
	struct stage *stage = *state;
	unsigned int round, number;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair),
			 0);
	for (round = 0; round < 20 || signals() < 3; round++) {
		for (number = 0; number < DEPTH; number++)
			assert_int_equal(saferring_ring_read(stage->ring,
							     pair[0],
							     get(stage->pool),
							     0, 1, -1, 0),
					 0);
		assert_int_equal(saferring_ring_submit(stage->ring), DEPTH);
		assert_int_equal(saferring_ring_destroy(stage->ring,
							DESTROY_MS),
				 0);
		stage->ring = make_ring(stage->pool, DEPTH, 0);
		assert_all_back(stage->pool);
	}
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(what_is_read_under_signals_is_right),
		T(an_interrupted_wait_says_so_and_has_lost_nothing),
		T(waiting_for_a_buffer_is_not_cut_short),
		T(a_ring_that_ends_under_signals_keeps_no_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
