// SPDX-License-Identifier: GPL-2.0
/*
 * The engine that stands in for io_uring: its queues, and what is linked in them.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include "scenario.h"

SCENARIO(nothing_is_done_in_order)
{
	unsigned int number;

	for (number = 1; number <= DEPTH; number++)
		PREPARE(bench, number, io_uring_prep_nop);
	submit_and_wait(bench, DEPTH);
	for (number = 1; number <= DEPTH; number++)
		assert_int_equal(next(bench).user_data, number);
	assert_int_equal(ready(bench), 0);
}

/* ---- chains ---- */

SCENARIO(a_chain_is_done_in_order)
{
	const int fd = pattern_file(0);
	char data[8] = { 0 };
	int results[4];

	PREPARE(bench, 1, io_uring_prep_write, fd, "12345678", 8, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_fsync, fd, 0)->flags |= IOSQE_IO_LINK;
	PREPARE(bench, 3, io_uring_prep_read, fd, data, 8, 0);
	submit_and_wait(bench, 3);
	collect(bench, results, 3);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], 0);
	assert_int_equal(results[3], 8);
	assert_memory_equal(data, "12345678", 8);
	close(fd);
}

SCENARIO(an_error_ends_a_chain)
{
	const int fd = pattern_file(8);
	char data[16];
	int results[5];

	/* A short read is an error here. */
	PREPARE(bench, 1, io_uring_prep_read, fd, data, 16, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_nop)->flags |= IOSQE_IO_LINK;
	PREPARE(bench, 3, io_uring_prep_nop);
	PREPARE(bench, 4, io_uring_prep_nop);
	submit_and_wait(bench, 4);
	collect(bench, results, 4);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], -ECANCELED);
	assert_int_equal(results[3], -ECANCELED);
	assert_int_equal(results[4], 0);
	close(fd);
}

SCENARIO(a_hard_link_survives_an_error)
{
	const int fd = pattern_file(8);
	char data[16];
	int results[4];

	PREPARE(bench, 1, io_uring_prep_read, fd, data, 16, 0)->flags |=
		IOSQE_IO_HARDLINK;
	PREPARE(bench, 2, io_uring_prep_read, 9999, data, 8, 0)->flags |=
		IOSQE_IO_HARDLINK;
	PREPARE(bench, 3, io_uring_prep_nop);
	submit_and_wait(bench, 3);
	collect(bench, results, 3);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], -EBADF);
	assert_int_equal(results[3], 0);
	close(fd);
}

SCENARIO(a_linked_timeout_ends_what_takes_too_long)
{
	struct __kernel_timespec time = { .tv_nsec = 10000000 };
	int results[3], pair[2];
	char byte;

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], &byte, 1, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_link_timeout, &time, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], -ETIME);
	close_pair(pair);
}

SCENARIO(a_linked_timeout_ends_with_what_is_fast)
{
	struct __kernel_timespec time = { .tv_sec = 1000 };
	const int fd = pattern_file(8);
	int results[3];
	char data[8];

	PREPARE(bench, 1, io_uring_prep_read, fd, data, 8, 0)->flags |=
		IOSQE_IO_LINK;
	PREPARE(bench, 2, io_uring_prep_link_timeout, &time, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], 8);
	assert_int_equal(results[2], -ECANCELED);
	close(fd);
}

SCENARIO(a_long_chain_takes_no_deep_stack)
{
	int results[DEPTH + 1];
	unsigned int number;

	for (number = 1; number <= DEPTH; number++)
		PREPARE(bench, number, io_uring_prep_nop)->flags |=
			number < DEPTH ? IOSQE_IO_LINK : 0;
	submit_and_wait(bench, DEPTH);
	collect(bench, results, DEPTH);
	assert_int_equal(results[DEPTH], 0);
}

SCENARIO(what_drains_waits_for_all_before_and_holds_up_all_behind)
{
	uint64_t number;
	int pair[2];
	char byte;

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], &byte, 1, 0);
	PREPARE(bench, 2, io_uring_prep_nop)->flags |= IOSQE_IO_DRAIN;
	PREPARE(bench, 3, io_uring_prep_nop);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(next(bench).user_data, 1);
	/* In Linux 6.1 the two may pass each other on the last bit. */
	number = next(bench).user_data;
	assert_true(number == 2 || (number == 3 && !bench->engine));
	assert_int_equal(next(bench).user_data, 5 - number);
	close_pair(pair);
}

/* ---- completions ---- */

/* The completion queue has room for two thirds of these. */
SCENARIO(completions_without_room_are_not_lost)
{
	const unsigned int total = 3 * DEPTH;
	unsigned int number;

	for (number = 1; number <= total; number++) {
		PREPARE(bench, number, io_uring_prep_nop);
		if (number % DEPTH == 0)
			submit_and_wait(bench, 0);
	}
	for (number = 1; number <= total; number++)
		assert_int_equal(next(bench).user_data, number);
	assert_int_equal(ready(bench), 0);
}

SCENARIO(success_can_be_left_untold)
{
	char byte;

	PREPARE(bench, 1, io_uring_prep_nop)->flags |= IOSQE_CQE_SKIP_SUCCESS;
	PREPARE(bench, 2, io_uring_prep_read, 9999, &byte, 1, 0)->flags |=
		IOSQE_CQE_SKIP_SUCCESS;
	PREPARE(bench, 3, io_uring_prep_nop);
	submit_and_wait(bench, 2);
	assert_int_equal(ready(bench), 2);
	assert_int_equal(next(bench).user_data + next(bench).user_data, 5);
}

SCENARIO(the_descriptor_of_a_ring_is_readable_while_something_has_ended)
{
	struct pollfd poll_fd = { .fd = bench->uring.ring_fd,
				  .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	PREPARE(bench, 1, io_uring_prep_nop);
	submit_and_wait(bench, 0);
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	next(bench);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
}

/* ---- of the engine alone ---- */

static void waiting_ends_in_time(void **state)
{
	struct io_uring uring;
	struct sr_engine *engine;

	(void)state;
	assert_int_equal(sr_engine_open(&engine, &uring, 4, 0), 0);
	errno = 77;
	assert_int_equal(sr_engine_enter(engine, 1, 1000000), -ETIME);
	assert_int_equal(sr_engine_enter(engine, 1, 0), -ETIME);
	assert_int_equal(errno, 77);
	sr_engine_close(engine);
}

/* Whoever has the number of a descriptor later is left alone. */
static void a_descriptor_that_became_another_ones_is_refused(void **state)
{
	struct bench bench = { .engine = NULL };
	int pair[2], other[2];
	char byte;

	(void)state;
	assert_int_equal(sr_engine_open(&bench.engine, &bench.uring, 4, 0), 0);
	make_pair(pair);
	make_pair(other);
	PREPARE(&bench, 1, io_uring_prep_recv, pair[0], &byte, 1, 0);
	submit_and_wait(&bench, 0);
	assert_int_equal(dup2(other[0], pair[0]), pair[0]);
	assert_int_equal(write(other[1], "xy", 2), 2);
	/* The peer's end: a poller that waits for the first one is woken. */
	close(pair[1]);
	assert_int_equal(result_of(&bench), -EBADF);
	PREPARE(&bench, 1, io_uring_prep_recv, pair[0], &byte, 1, 0);
	assert_int_equal(result_of(&bench), 1);
	close(pair[0]);
	close_pair(other);
	sr_engine_close(bench.engine);
}

static void another_file_is_not_read_for_one_that_was_closed_at_once(void **state)
{
	const int other = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct bench bench = { .engine = NULL };
	unsigned char data[512];
	unsigned int round;
	int fd, result;

	(void)state;
	assert_int_equal(sr_engine_open(&bench.engine, &bench.uring, 4, 0), 0);
	for (round = 0; round < 200; round++) {
		fd = pattern_file(sizeof(data));
		PREPARE(&bench, 1, io_uring_prep_read, fd, data, sizeof(data),
			0);
		submit_and_wait(&bench, 0);
		assert_int_equal(dup2(other, fd), fd);
		result = result_of(&bench);
		if (result == sizeof(data))
			assert_pattern(data, 0, sizeof(data));
		else
			assert_int_equal(result, -EBADF);
		close(fd);
	}
	close(other);
	sr_engine_close(bench.engine);
}

static void what_it_does_not_know_is_refused(void **state)
{
	struct bench bench = { .engine = NULL };

	(void)state;
	assert_int_equal(sr_engine_open(&bench.engine, &bench.uring, 4,
					0), 0);
	PREPARE(&bench, 1, io_uring_prep_recv, 0, NULL, 0, 0)->flags |=
		IOSQE_BUFFER_SELECT;
	assert_int_equal(result_of(&bench), -ENOBUFS);
	PREPARE(&bench, 1, io_uring_prep_recv, 0, NULL, 0, 0)->flags |=
		IOSQE_FIXED_FILE;
	assert_int_equal(result_of(&bench), -EBADF);
	assert_true(sr_engine_supports(IORING_OP_READ));
	assert_true(sr_engine_supports(IORING_OP_LINK_TIMEOUT));
	assert_false(sr_engine_supports(IORING_OP_URING_CMD));
	assert_false(sr_engine_supports(250));
	sr_engine_close(bench.engine);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(nothing_is_done_in_order),
		T(a_chain_is_done_in_order),
		T(an_error_ends_a_chain),
		T(a_hard_link_survives_an_error),
		T(a_linked_timeout_ends_what_takes_too_long),
		T(a_linked_timeout_ends_with_what_is_fast),
		T(a_long_chain_takes_no_deep_stack),
		T(what_drains_waits_for_all_before_and_holds_up_all_behind),
		T(completions_without_room_are_not_lost),
		T(success_can_be_left_untold),
		T(the_descriptor_of_a_ring_is_readable_while_something_has_ended),
		T(waiting_ends_in_time),
		T(a_descriptor_that_became_another_ones_is_refused),
		T(another_file_is_not_read_for_one_that_was_closed_at_once),
		T(what_it_does_not_know_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
