// SPDX-License-Identifier: GPL-2.0
/*
 * Polling, timeouts and cancelling, by the engine that stands in for io_uring.
 */
#include <poll.h>
#include "scenario.h"

SCENARIO(poll_tells_what_is_ready)
{
	int pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_poll_add, pair[0], POLLIN | POLLOUT);
	assert_int_equal(result_of(bench), POLLOUT);
	PREPARE(bench, 1, io_uring_prep_poll_add, pair[0], POLLIN);
	submit_and_wait(bench, 0);
	assert_int_equal(ready(bench), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(result_of(bench), POLLIN);
	close_pair(pair);
}

SCENARIO(poll_can_be_removed)
{
	int results[3], pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_poll_add, pair[0], POLLIN);
	submit_and_wait(bench, 0);
	PREPARE(bench, 2, io_uring_prep_poll_remove, 1);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 0);
	PREPARE(bench, 1, io_uring_prep_poll_remove, 1);
	assert_int_equal(result_of(bench), -ENOENT);
	close_pair(pair);
}

SCENARIO(a_poll_that_goes_on_tells_each_event_once)
{
	struct completion cqe;
	unsigned int round;
	char byte;
	int pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_poll_multishot, pair[0], POLLIN);
	submit_and_wait(bench, 0);
	for (round = 0; round < 3; round++) {
		assert_int_equal(write(pair[1], "x", 1), 1);
		cqe = next(bench);
		assert_int_equal(cqe.res, POLLIN);
		assert_true(cqe.flags & IORING_CQE_F_MORE);
		assert_int_equal(read(pair[0], &byte, 1), 1);
		assert_int_equal(ready(bench), 0);
	}
	PREPARE(bench, 2, io_uring_prep_cancel64, 1, 0);
	submit_and_wait(bench, 2);
	next(bench);
	next(bench);
	close_pair(pair);
}

SCENARIO(a_timeout_comes_when_it_is_due)
{
	struct __kernel_timespec time = { .tv_nsec = 20000000 };
	const uint64_t start = sr_now_ns();

	PREPARE(bench, 1, io_uring_prep_timeout, &time, 0, 0);
	assert_int_equal(result_of(bench), -ETIME);
	assert_true(sr_now_ns() - start >= 20000000);
}

SCENARIO(a_timeout_can_be_removed)
{
	struct __kernel_timespec time = { .tv_sec = 1000 };
	int results[3];

	PREPARE(bench, 1, io_uring_prep_timeout, &time, 0, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 2, io_uring_prep_timeout_remove, 1, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 0);
}

SCENARIO(what_waits_can_be_cancelled)
{
	char byte[2];
	int results[3], pair[2];

	make_pair(pair);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], byte, 1, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 2, io_uring_prep_cancel64, 1, 0);
	submit_and_wait(bench, 2);
	collect(bench, results, 2);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 0);
	PREPARE(bench, 1, io_uring_prep_cancel64, 77, 0);
	assert_int_equal(result_of(bench), -ENOENT);
	/* Nothing is taken from the socket by one that was cancelled. */
	assert_int_equal(write(pair[1], "z", 1), 1);
	assert_int_equal(read(pair[0], byte, 1), 1);
	close_pair(pair);
}

SCENARIO(all_that_waits_can_be_cancelled)
{
	char byte[4];
	int results[5], pair[2];
	unsigned int number;

	make_pair(pair);
	for (number = 1; number <= 3; number++)
		PREPARE(bench, number, io_uring_prep_read, pair[0],
			byte + number, 1, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 4, io_uring_prep_cancel64, 0, IORING_ASYNC_CANCEL_ANY);
	submit_and_wait(bench, 4);
	collect(bench, results, 4);
	for (number = 1; number <= 3; number++)
		assert_int_equal(results[number], -ECANCELED);
	assert_int_equal(results[4], 3);
	close_pair(pair);
}

SCENARIO(what_waits_for_a_descriptor_can_be_cancelled)
{
	char byte[3];
	int results[4], pair[2], other[2];

	make_pair(pair);
	make_pair(other);
	PREPARE(bench, 1, io_uring_prep_read, pair[0], byte, 1, 0);
	PREPARE(bench, 2, io_uring_prep_read, other[0], byte + 1, 1, 0);
	submit_and_wait(bench, 0);
	PREPARE(bench, 3, io_uring_prep_cancel_fd, pair[0], 0);
	submit_and_wait(bench, 2);
	assert_int_equal(ready(bench), 2);
	assert_int_equal(write(other[1], "y", 1), 1);
	collect(bench, results, 3);
	assert_int_equal(results[1], -ECANCELED);
	assert_int_equal(results[2], 1);
	assert_int_equal(results[3], 0);
	close_pair(pair);
	close_pair(other);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(poll_tells_what_is_ready),
		T(poll_can_be_removed),
		T(a_poll_that_goes_on_tells_each_event_once),
		T(a_timeout_comes_when_it_is_due),
		T(a_timeout_can_be_removed),
		T(what_waits_can_be_cancelled),
		T(all_that_waits_can_be_cancelled),
		T(what_waits_for_a_descriptor_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
