// SPDX-License-Identifier: GPL-2.0
/*
 * Rings: limits on both sides, waiting, withdrawing, the end of a ring.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include "reading.h"

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static void operations_beyond_the_depth_are_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[DEPTH];
	const int fd = pattern_file(BUFFER_SIZE);
	saferring_buffer one_more;
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		read_at(stage, fd, 0);
	one_more = get(stage->pool);
	assert_int_equal(saferring_ring_read(stage->ring, fd, one_more, 0, 1,
					     0, 0),
			 -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_DEPTH);
	assert_int_equal(saferring_error_last()->limit, DEPTH);
	assert_int_equal(saferring_buffer_valid(stage->pool, one_more), 1);
	put(stage->pool, one_more);
	assert_int_equal(wait_for(stage, completions, DEPTH, DEPTH), DEPTH);
	for (number = 0; number < DEPTH; number++)
		put(stage->pool, completions[number].buffer);
	close(fd);
}

static void completions_are_handed_out_in_pieces_without_loss(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	const int fd = pattern_file(BUFFER_SIZE);
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), DEPTH);
	for (number = 0; number < DEPTH; number++) {
		wait_for(stage, &completion, 1, 1);
		put(stage->pool, completion.buffer);
	}
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1), 0);
	close(fd);
}

static void nothing_queued_makes_no_system_call(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_submit(stage->ring), 0);
	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 1), 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	assert_int_equal(stats_of(stage).enters, 0);
}

static void a_wait_ends_when_its_time_is_up(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	struct timespec from, to;
	int pipe[2];
	long ms;

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     30000000),
			 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ms = (to.tv_sec - from.tv_sec) * 1000 +
	     (to.tv_nsec - from.tv_nsec) / 1000000;
	assert_in_range(ms, 29, 5000);
	assert_int_equal(info_of(stage).in_flight, 1);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, 1);
	put(stage->pool, completion.buffer);
	close(pipe[0]);
	close(pipe[1]);
}

/* Whoever looks for completions again and again takes a processor for it. */
static void a_wait_sleeps(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	struct timespec before, after;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     300000000),
			 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_true((after.tv_sec - before.tv_sec) * 1000000000 +
			    after.tv_nsec - before.tv_nsec <
		    60000000);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	wait_for(stage, &completion, 1, 1);
	put(stage->pool, completion.buffer);
	close(pipe[0]);
	close(pipe[1]);
}

static void a_wait_of_no_time_does_not_wait(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 0),
			 0);
	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1, 0),
			 0);
	assert_int_equal(info_of(stage).in_flight, 1);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	wait_for(stage, &completion, 1, 1);
	put(stage->pool, completion.buffer);
	close(pipe[0]);
	close(pipe[1]);
}

static void withdrawn_operations_give_their_buffers_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[DEPTH];
	const int fd = pattern_file(4 * BUFFER_SIZE);
	unsigned int number;

	read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	wait_for(stage, completions, 1, 1);
	put(stage->pool, completions[0].buffer);
	for (number = 1; number < 4; number++)
		read_at(stage, fd, number);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 3);
	assert_int_equal(info_of(stage).queued, 0);
	assert_int_equal(saferring_ring_reap(stage->ring, completions, DEPTH),
			 3);
	for (number = 0; number < 3; number++) {
		assert_int_equal(completions[number].result, -ECANCELED);
		assert_int_equal(completions[number].flags,
				 SAFERRING_COMPLETION_WITHDRAWN);
		assert_int_equal(completions[number].user_data, number + 1);
		put(stage->pool, completions[number].buffer);
	}
	assert_int_equal(stats_of(stage).withdrawn, 3);
	assert_int_equal(stats_of(stage).submitted, 1);
	/* The ring goes on as if nothing had been. */
	read_all(stage, fd, 4);
	close(fd);
}

static void withdrawn_and_real_completions_mix(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[2];
	const int fd = pattern_file(2 * BUFFER_SIZE);

	read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	read_at(stage, fd, 1);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	assert_int_equal(wait_for(stage, completions, 2, 2), 2);
	assert_int_equal(completions[0].result, -ECANCELED);
	assert_int_equal(completions[1].result, BUFFER_SIZE);
	put(stage->pool, completions[0].buffer);
	put(stage->pool, completions[1].buffer);
	close(fd);
}

static void a_ring_is_refused_what_it_cannot_be(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool *twice[2] = { stage->pool, stage->pool };
	struct saferring_ring_options options;
	struct saferring_ring *ring = NULL;

	SAFERRING_OPTIONS_INIT(&options);
	options.pools = twice;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.pool_count = 2;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	assert_non_null(strstr(saferring_error_last()->what, "twice"));
	options.pool_count = 1;
	options.depth = SAFERRING_RING_DEPTH_MAX + 1;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.depth = 1;
	options.flags = 1U << 31;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.flags = SAFERRING_RING_REQUIRE_FIXED |
			SAFERRING_RING_AVOID_FIXED;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	options.flags = 0;
	options.size = 0;
	assert_int_equal(saferring_ring_create(&options, &ring), -EINVAL);
	assert_null(ring);
	options.size = sizeof(options);
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(saferring_ring_destroy(ring, 0), 0);
	options.depth = SAFERRING_RING_DEPTH_MAX;
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	assert_int_equal(saferring_ring_destroy(ring, 0), 0);
}

static void destroying_a_ring_cancels_what_is_in_flight(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	int pipe[2];
	unsigned int number;

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	for (number = 0; number < 8; number++)
		assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
						     get(stage->pool), 0, 8,
						     -1, 0),
				 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 8);
	/* And some that the kernel has not seen. */
	for (number = 0; number < 8; number++)
		assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
						     get(stage->pool), 0, 8,
						     -1, 0),
				 0);
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.in_flight, 16);
	assert_int_equal(saferring_pool_destroy(stage->pool), -EBUSY);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.in_flight, 0);
	assert_int_equal(stats.available, stats.buffers);
	close(pipe[0]);
	close(pipe[1]);
}

static void completions_not_reaped_go_back_with_the_ring(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	const int fd = pattern_file(BUFFER_SIZE);

	read_at(stage, fd, 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.available, stats.buffers);
	close(fd);
}

static void null_is_refused_or_ignored(void **state)
{
	/* Not by their names, or the compiler would refuse the null pointer. */
	int (*submit)(struct saferring_ring *ring) = saferring_ring_submit;
	int (*withdraw)(struct saferring_ring *ring) = saferring_ring_withdraw;
	int (*reap)(struct saferring_ring *ring,
		    struct saferring_completion *completions,
		    unsigned int max) = saferring_ring_reap;
	int (*queue)(struct saferring_ring *ring, int fd,
		     saferring_buffer buffer, size_t start, size_t length,
		     uint64_t offset, uint64_t user_data) = saferring_ring_read;
	struct saferring_completion completion;

	(void)state;
	assert_int_equal(queue(NULL, 0, SAFERRING_BUFFER_NONE, 0, 1, 0, 0),
			 -EINVAL);
	assert_int_equal(saferring_ring_destroy(NULL, 0), 0);
	assert_int_equal(submit(NULL), -EINVAL);
	assert_int_equal(withdraw(NULL), -EINVAL);
	assert_int_equal(reap(NULL, &completion, 1), -EINVAL);
}

static void no_room_for_completions_is_an_error(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_reap(stage->ring, &completion, 0),
			 -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(operations_beyond_the_depth_are_refused),
		T(completions_are_handed_out_in_pieces_without_loss),
		T(nothing_queued_makes_no_system_call),
		T(a_wait_ends_when_its_time_is_up),
		T(a_wait_sleeps),
		T(a_wait_of_no_time_does_not_wait),
		T(withdrawn_operations_give_their_buffers_back),
		T(withdrawn_and_real_completions_mix),
		T(a_ring_is_refused_what_it_cannot_be),
		T(destroying_a_ring_cancels_what_is_in_flight),
		T(completions_not_reaped_go_back_with_the_ring),
		cmocka_unit_test(null_is_refused_or_ignored),
		T(no_room_for_completions_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
