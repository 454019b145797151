// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that end when something happens, or when time is up.
 */
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include "common.h"

#define DEPTH 16U
#define MS    1000000ULL

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING);
	return 0;
}

static int down(void **state)
{
	struct stage *stage = *state;

	assert_all_back(stage->pool);
	stage_down(stage);
	return 0;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static unsigned int errors_of(const struct stage *stage)
{
	struct saferring_ring_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	return (unsigned int)stats.errors;
}

static void readiness_is_waited_for(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	QUEUE(saferring_ring_poll(stage->ring, pipe[0], POLLIN, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_reap(stage->ring, &c, 1), 0);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	expect(stage->ring, 1, POLLIN);
	close(pipe[0]);
	close(pipe[1]);
}

static void every_readiness_is_a_completion(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	unsigned int number;
	int pipe[2];
	char byte;

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	QUEUE(saferring_ring_poll_multishot(stage->ring, pipe[0], POLLIN, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	for (number = 0; number < 3; number++) {
		assert_int_equal(write(pipe[1], "x", 1), 1);
		c = next_of(stage->ring);
		assert_int_equal(c.result, POLLIN);
		assert_int_equal(c.flags, SAFERRING_COMPLETION_MORE);
		assert_int_equal(read(pipe[0], &byte, 1), 1);
	}
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_find(stage->ring,
								 1)),
			 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	close(pipe[0]);
	close(pipe[1]);
}

/* More completions are waited for than there are operations. */
static void a_multishot_operation_is_waited_for_more_than_once(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c[2];
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	QUEUE(saferring_ring_poll_multishot(stage->ring, pipe[0], POLLIN, 1));
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	assert_int_equal(saferring_ring_wait(stage->ring, c, 2, 2, 200 * MS),
			 1);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	close(pipe[0]);
	close(pipe[1]);
}

static void a_timeout_is_no_error(void **state)
{
	struct stage *stage = *state;
	const uint64_t start = now_ns(CLOCK_MONOTONIC);

	QUEUE(saferring_ring_timeout(stage->ring, 20 * MS, 0, 0, 1));
	expect(stage->ring, 1, -ETIME);
	assert_true(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
	assert_int_equal(errors_of(stage), 0);
}

static void a_timeout_ends_at_a_point_in_time(void **state)
{
	struct stage *stage = *state;
	const uint64_t end = now_ns(CLOCK_MONOTONIC) + 20 * MS;

	QUEUE(saferring_ring_timeout(stage->ring, end, 0,
				     SAFERRING_TIMEOUT_ABSOLUTE, 1));
	expect(stage->ring, 1, -ETIME);
	assert_true(now_ns(CLOCK_MONOTONIC) >= end);
	QUEUE(saferring_ring_timeout(stage->ring,
				     now_ns(CLOCK_REALTIME) - 20 * MS, 0,
				     SAFERRING_TIMEOUT_ABSOLUTE |
					     SAFERRING_TIMEOUT_REAL,
				     2));
	expect(stage->ring, 2, -ETIME);
}

static void a_timeout_ends_early_after_enough_completions(void **state)
{
	struct stage *stage = *state;
	unsigned int number, early = 0;

	QUEUE(saferring_ring_timeout(stage->ring, 60000 * MS, 2, 0, 1));
	assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
	assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
	for (number = 0; number < 3; number++) {
		const struct saferring_completion c = next_of(stage->ring);

		assert_int_equal(c.result, 0);
		early += c.user_data == 1;
	}
	assert_int_equal(early, 1);
}

static void unknown_clocks_are_refused(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(saferring_ring_timeout(stage->ring, 1, 0,
						SAFERRING_TIMEOUT_BOOT |
							SAFERRING_TIMEOUT_REAL,
						1),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_ring_timeout(stage->ring, 1, 0, 8, 1),
			 -EINVAL);
	QUEUE(saferring_ring_timeout(stage->ring, 1, 0, SAFERRING_TIMEOUT_BOOT,
				     1));
	expect(stage->ring, 1, -ETIME);
}

/* The read is cancelled, its buffer comes back, and the time was the reason. */
static void a_linked_timeout_cancels_what_takes_too_long(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	unsigned int number;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_link_timeout(stage->ring, 1, 0, 1),
			 -ENOENT);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 1),
			 0);
	QUEUE(saferring_ring_link_timeout(stage->ring, 20 * MS, 0, 2));
	for (number = 0; number < 2; number++) {
		c = next_of(stage->ring);
		if (c.user_data == 1) {
			assert_true(c.result == -ECANCELED ||
				    c.result == -EINTR);
			put(c.pool, c.buffer);
		} else {
			assert_int_equal(c.result, -ETIME);
		}
	}
	close(pipe[0]);
	close(pipe[1]);
}

static void a_linked_timeout_is_cancelled_by_an_early_end(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(8);
	struct saferring_completion c;
	unsigned int number;

	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, 8, 0, 1),
			 0);
	QUEUE(saferring_ring_link_timeout(stage->ring, 60000 * MS, 0, 2));
	for (number = 0; number < 2; number++) {
		c = next_of(stage->ring);
		assert_int_equal(c.result, c.user_data == 1 ? 8 : -ECANCELED);
		if (c.pool)
			put(c.pool, c.buffer);
	}
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(readiness_is_waited_for),
		T(every_readiness_is_a_completion),
		T(a_multishot_operation_is_waited_for_more_than_once),
		T(a_timeout_is_no_error),
		T(a_timeout_ends_at_a_point_in_time),
		T(a_timeout_ends_early_after_enough_completions),
		T(unknown_clocks_are_refused),
		T(a_linked_timeout_cancels_what_takes_too_long),
		T(a_linked_timeout_is_cancelled_by_an_early_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
