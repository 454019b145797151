// SPDX-License-Identifier: GPL-2.0
/*
 * Control: operations without a buffer, cancelling, dropping, links, messages
 * between rings, SQEs of the program's own.
 */
#include <fcntl.h>
#include <liburing.h>
#include "common.h"

#define DEPTH 8U

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

static struct saferring_pool_stats pool_stats(const struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return stats;
}

static struct saferring_completion next(struct stage *stage)
{
	struct saferring_completion completion;

	assert_int_equal(saferring_ring_wait(stage->ring, &completion, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	return completion;
}

/* A read that does not end by itself. Returns its name. */
static uint64_t hang(struct stage *stage, int fd, uint64_t user_data)
{
	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, 8, -1, user_data),
			 0);
	return saferring_ring_last(stage->ring);
}

static void submit(struct stage *stage, int count)
{
	assert_int_equal(saferring_ring_submit(stage->ring), count);
}

static void an_operation_without_a_buffer_brings_none(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;

	assert_int_equal(saferring_ring_nop(stage->ring, 77), 0);
	c = next(stage);
	assert_int_equal(saferring_buffer_is_none(c.buffer), 1);
	assert_null(c.pool);
	assert_int_equal(c.user_data, 77);
	assert_int_equal(c.result, 0);
	assert_int_equal(c.flags, 0);
	assert_int_equal(c.operation, SAFERRING_OPERATION_NOP);
	assert_string_equal(saferring_operation_name(c.operation), "NOP");
	assert_string_equal(saferring_operation_name(9999), "?");
	assert_string_equal(saferring_operation_name(0), "?");
}

static void operations_without_a_buffer_count_against_the_depth(void **state)
{
	struct stage *stage = *state;
	unsigned int number;

	for (number = 0; number < DEPTH; number++)
		assert_int_equal(saferring_ring_nop(stage->ring, number), 0);
	assert_int_equal(saferring_ring_nop(stage->ring, number), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_DEPTH);
	for (number = 0; number < DEPTH; number++)
		assert_int_equal(next(stage).user_data, number);
	assert_int_equal(saferring_ring_nop(stage->ring, number), 0);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	assert_int_equal(next(stage).flags, SAFERRING_COMPLETION_WITHDRAWN);
}

static void a_cancelled_read_gives_its_buffer_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	unsigned int number;
	uint64_t name;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	name = hang(stage, pipe[0], 1);
	assert_int_equal(saferring_ring_find(stage->ring, 1), name);
	submit(stage, 1);
	assert_int_equal(pool_stats(stage).in_flight, 1);
	assert_int_equal(saferring_ring_cancel(stage->ring, name, 2), 0);
	assert_int_equal(pool_stats(stage).in_flight, 1);
	for (number = 0; number < 2; number++) {
		c = next(stage);
		if (c.user_data == 2) {
			assert_int_equal(c.operation,
					 SAFERRING_OPERATION_CANCEL);
			assert_int_equal(c.result, 0);
			continue;
		}
		assert_int_equal(c.user_data, 1);
		assert_int_equal(c.result, -ECANCELED);
		put(c.pool, c.buffer);
	}
	assert_int_equal(saferring_ring_find(stage->ring, 1), 0);
	close(pipe[0]);
	close(pipe[1]);
}

static void what_has_ended_cannot_be_cancelled_or_dropped(void **state)
{
	struct stage *stage = *state;
	uint64_t name;

	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	name = saferring_ring_last(stage->ring);
	next(stage);
	assert_int_equal(saferring_ring_cancel(stage->ring, name, 2), -ENOENT);
	assert_error(-ENOENT, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_ring_drop(stage->ring, name), -ENOENT);
	assert_int_equal(saferring_ring_cancel(stage->ring, 0, 2), -ENOENT);
	assert_int_equal(saferring_ring_drop(stage->ring, UINT64_MAX), -ENOENT);
	/* The record is in use again, and the old name is still no good. */
	assert_int_equal(saferring_ring_nop(stage->ring, 3), 0);
	assert_int_equal(saferring_ring_drop(stage->ring, name), -ENOENT);
	assert_int_equal(next(stage).user_data, 3);
	assert_int_equal(saferring_ring_last(stage->ring), 0);
}

static void all_on_a_file_are_cancelled_and_no_others(void **state)
{
	struct stage *stage = *state;
	int one[2], two[2], result, number;
	struct saferring_completion c;

	assert_int_equal(pipe2(one, O_CLOEXEC), 0);
	assert_int_equal(pipe2(two, O_CLOEXEC), 0);
	hang(stage, one[0], 1);
	hang(stage, one[0], 1);
	hang(stage, two[0], 2);
	submit(stage, 3);
	result = saferring_ring_cancel_file(stage->ring, one[0], 9);
	if (result == -EOPNOTSUPP)
		SKIP("%s", saferring_error_last()->what);
	assert_int_equal(result, 0);
	for (number = 0; number < 3; number++) {
		c = next(stage);
		if (c.user_data == 9) {
			assert_int_equal(c.result, 2);
			continue;
		}
		assert_int_equal(c.user_data, 1);
		assert_int_equal(c.result, -ECANCELED);
		put(c.pool, c.buffer);
	}
	assert_int_equal(pool_stats(stage).in_flight, 1);
	assert_int_equal(saferring_ring_cancel_all(stage->ring, 10), 0);
	for (number = 0; number < 2; number++) {
		c = next(stage);
		if (c.user_data == 2)
			put(c.pool, c.buffer);
	}
	close(one[0]);
	close(one[1]);
	close(two[0]);
	close(two[1]);
}

/* Nothing is heard of it, and its buffer is in the pool again. */
static void assert_dropped(struct stage *stage)
{
	struct saferring_completion c;

	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 0);
	assert_int_equal(pool_stats(stage).available,
			 pool_stats(stage).buffers);
}

static void a_dropped_operation_in_flight_is_never_heard_of(void **state)
{
	struct stage *stage = *state;
	uint64_t name;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	name = hang(stage, pipe[0], 1);
	submit(stage, 1);
	assert_int_equal(saferring_ring_drop(stage->ring, name), 0);
	assert_int_equal(saferring_ring_drop(stage->ring, name), -ENOENT);
	assert_int_equal(pool_stats(stage).in_flight, 1);
	assert_dropped(stage);
	close(pipe[0]);
	close(pipe[1]);
}

static void a_dropped_operation_that_is_queued_is_not_started(void **state)
{
	struct stage *stage = *state;
	char byte;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(saferring_ring_write(stage->ring, pipe[1],
					      get(stage->pool), 0, 1, -1, 1),
			 0);
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_last(stage->ring)),
			 0);
	assert_dropped(stage);
	assert_int_equal(read(pipe[0], &byte, 1), -1);
	close(pipe[0]);
	close(pipe[1]);
}

static void a_dropped_operation_that_was_withdrawn_is_not_heard_of(void **state)
{
	struct stage *stage = *state;
	uint64_t name;

	name = hang(stage, 0, 1);
	assert_int_equal(saferring_ring_withdraw(stage->ring), 1);
	assert_int_equal(saferring_ring_drop(stage->ring, name), 0);
	assert_dropped(stage);
}

/* Everything that is queued then starts, to make room for the cancellation. */
static void dropping_works_with_a_full_queue(void **state)
{
	struct stage *stage = *state;
	unsigned int number;
	uint64_t name;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	name = hang(stage, pipe[0], 1);
	submit(stage, 1);
	for (number = 1; number < DEPTH; number++)
		assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
	assert_int_equal(saferring_ring_drop(stage->ring, name), 0);
	for (number = 1; number < DEPTH; number++)
		assert_int_equal(next(stage).user_data, 2);
	assert_dropped(stage);
	close(pipe[0]);
	close(pipe[1]);
}

static void a_link_is_broken_by_a_failure(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	const int fd = pattern_file(0);

	assert_int_equal(saferring_ring_read(stage->ring, -1, get(stage->pool),
					     0, 1, 0, 1),
			 0);
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK), 0);
	assert_int_equal(saferring_ring_write(stage->ring, fd, get(stage->pool),
					      0, 1, 0, 2),
			 0);
	c = next(stage);
	assert_int_equal(c.user_data, 1);
	assert_int_equal(c.result, -EBADF);
	put(c.pool, c.buffer);
	c = next(stage);
	assert_int_equal(c.user_data, 2);
	assert_int_equal(c.result, -ECANCELED);
	put(c.pool, c.buffer);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}

static void a_cancellation_is_no_part_of_the_programs_chain(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	int one[2], two[2];
	uint64_t name;

	assert_int_equal(pipe2(one, O_CLOEXEC), 0);
	assert_int_equal(pipe2(two, O_CLOEXEC), 0);
	name = hang(stage, one[0], 1);
	submit(stage, 1);
	/* What is queued last is linked to what the program queues later. */
	hang(stage, two[0], 2);
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK), 0);
	assert_int_equal(saferring_ring_drop(stage->ring, name), 0);
	submit(stage, 1);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1, 200000000),
			 0);
	assert_int_equal(pool_stats(stage).in_flight, 1);
	assert_int_equal(write(two[1], "12345678", 8), 8);
	expect(stage->ring, 2, 8);
	close(one[0]);
	close(one[1]);
	close(two[0]);
	close(two[1]);
}

static void what_is_linked_to_a_dropped_operation_is_cancelled(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(1);
	struct saferring_completion c;

	assert_int_equal(saferring_ring_read(stage->ring, fd, get(stage->pool),
					     0, 1, 0, 1),
			 0);
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK), 0);
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_last(stage->ring)),
			 0);
	assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
	c = next(stage);
	assert_int_equal(c.user_data, 2);
	assert_int_equal(c.result, -ECANCELED);
	assert_dropped(stage);
	close(fd);
}

static void modifying_wants_known_flags_and_something_queued(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK),
			 -ENOENT);
	assert_error(-ENOENT, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	assert_int_equal(saferring_ring_modify(stage->ring, 1U << 4), -EINVAL);
	assert_int_equal(saferring_ring_modify(stage->ring,
					       SAFERRING_DRAIN |
						       SAFERRING_ASYNC),
			 0);
	assert_int_equal(next(stage).result, 0);
}

static void a_message_arrives_as_a_foreign_completion(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_ring *other =
		make_ring(stage->pool, 4, SAFERRING_RING_FOREIGN);
	struct saferring_completion c;
	int result;

	assert_int_equal(saferring_ring_info(other, &info), 0);
	assert_int_equal(saferring_ring_message(stage->ring, info.fd,
						1ULL << 63, 0, 0),
			 -EINVAL);
	result = saferring_ring_message(stage->ring, info.fd,
					(1ULL << 63) - 1, 5, 1);
	if (result != -EOPNOTSUPP) {
		assert_int_equal(result, 0);
		assert_int_equal(next(stage).result, 0);
		assert_int_equal(saferring_ring_reap(other, &c, 1), 1);
		assert_int_equal(c.operation, SAFERRING_OPERATION_FOREIGN);
		assert_int_equal(c.user_data, (1ULL << 63) - 1);
		assert_int_equal(c.result, 5);
		assert_int_equal(saferring_buffer_is_none(c.buffer), 1);
	}
	assert_int_equal(saferring_ring_destroy(other, DESTROY_MS), 0);
	if (result == -EOPNOTSUPP)
		SKIP("%s", saferring_error_last()->what);
}

static void a_message_that_nobody_wants_is_reported(void **state)
{
	struct stage *stage = *state;
	struct saferring_ring_info info = { .size = sizeof(info) };
	struct saferring_completion c;
	unsigned int before;
	int result;

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	result = saferring_ring_message(stage->ring, info.fd, 4711, 5, 1);
	if (result == -EOPNOTSUPP)
		SKIP("%s", saferring_error_last()->what);
	before = reports;
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(saferring_ring_reap(stage->ring, &c, 1), 0);
	assert_int_equal(reports, before + 1);
	assert_int_equal(last_report.reason,
			 SAFERRING_REASON_FOREIGN_COMPLETION);
}

static void an_own_sqe_reads_into_a_tracked_buffer(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(BUFFER_SIZE);
	struct saferring_range range = { .start = 16, .length = 100 };
	struct saferring_completion c;
	struct io_uring_sqe sqe;
	unsigned int before;

	range.buffer = get(stage->pool);
	io_uring_prep_read(&sqe, fd, NULL, 0, 50);
	assert_int_equal(saferring_ring_raw(stage->ring, &sqe, &range, 1, 7),
			 0);
	before = reports;
	assert_misuse(saferring_buffer_put(stage->pool, range.buffer),
		      SAFERRING_REASON_PUT_IN_FLIGHT, before);
	c = next(stage);
	assert_int_equal(c.operation, SAFERRING_OPERATION_RAW);
	assert_int_equal(c.user_data, 7);
	assert_int_equal(c.result, 100);
	assert_pattern((char *)saferring_buffer_data(c.pool, c.buffer) + 16, 50,
		       100);
	put(c.pool, c.buffer);
	close(fd);
}

static void an_own_sqe_that_would_lose_buffers_is_refused(void **state)
{
	struct stage *stage = *state;
	struct io_uring_sqe sqe;

	io_uring_prep_nop(&sqe);
	sqe.flags = IOSQE_CQE_SKIP_SUCCESS;
	assert_int_equal(saferring_ring_raw(stage->ring, &sqe, NULL, 0, 0),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	sqe.flags = IOSQE_BUFFER_SELECT;
	assert_int_equal(saferring_ring_raw(stage->ring, &sqe, NULL, 0, 0),
			 -EINVAL);
	sqe.flags = 0;
	sqe.opcode = 255;
	assert_int_equal(saferring_ring_raw(stage->ring, &sqe, NULL, 0, 0),
			 -EOPNOTSUPP);
	assert_error(-EOPNOTSUPP, SAFERRING_REASON_UNSUPPORTED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(an_operation_without_a_buffer_brings_none),
		T(operations_without_a_buffer_count_against_the_depth),
		T(a_cancelled_read_gives_its_buffer_back),
		T(what_has_ended_cannot_be_cancelled_or_dropped),
		T(all_on_a_file_are_cancelled_and_no_others),
		T(a_dropped_operation_in_flight_is_never_heard_of),
		T(a_dropped_operation_that_is_queued_is_not_started),
		T(a_dropped_operation_that_was_withdrawn_is_not_heard_of),
		T(dropping_works_with_a_full_queue),
		T(a_link_is_broken_by_a_failure),
		T(a_cancellation_is_no_part_of_the_programs_chain),
		T(what_is_linked_to_a_dropped_operation_is_cancelled),
		T(modifying_wants_known_flags_and_something_queued),
		T(a_message_arrives_as_a_foreign_completion),
		T(a_message_that_nobody_wants_is_reported),
		T(an_own_sqe_reads_into_a_tracked_buffer),
		T(an_own_sqe_that_would_lose_buffers_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
