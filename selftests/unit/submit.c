// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring_enter() that fails or takes a part only: no entry may stay queued
 * whose buffer is gone, and none may be lost.
 */
#include <fcntl.h>
#include <liburing.h>
#include "common.h"
#include "wrap.h"

/* What the next submission is to answer, or 0 for the truth. */
static int answer;
static unsigned int tried;

/* How many entries the next submissions are not to take. */
static unsigned int keep_back;

static int submit_a_part(struct io_uring *uring)
{
	int result;

	uring->sq.sqe_tail -= keep_back;
	result = __real_io_uring_submit(uring);
	uring->sq.sqe_tail += keep_back;
	return result;
}

int __wrap_io_uring_submit(struct io_uring *uring)
{
	tried++;
	if (keep_back)
		return submit_a_part(uring);
	return answer ? answer : __real_io_uring_submit(uring);
}

static struct saferring_ring_info info_of(const struct stage *stage)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	return info;
}

static void queue_reads(struct stage *stage, int fd, unsigned int count)
{
	unsigned int number;

	for (number = 0; number < count; number++)
		assert_int_equal(saferring_ring_read(stage->ring, fd,
						     get(stage->pool), 0,
						     BUFFER_SIZE,
						     number * BUFFER_SIZE,
						     number),
				 0);
}

static void reap_reads(struct stage *stage, unsigned int count)
{
	struct saferring_completion completions[8];
	unsigned int number;

	assert_int_equal(saferring_ring_wait(stage->ring, completions, 8,
					     count, SAFERRING_FOREVER),
			 count);
	for (number = 0; number < count; number++) {
		assert_int_equal(completions[number].result, BUFFER_SIZE);
		put(stage->pool, completions[number].buffer);
	}
}

static int up(void **state)
{
	answer = 0;
	keep_back = 0;
	*state = stage_up(0, 8, STAGE_RING);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static void a_failed_submit_keeps_everything_queued(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(4 * BUFFER_SIZE);

	queue_reads(stage, fd, 4);
	answer = -EAGAIN;
	assert_int_equal(saferring_ring_submit(stage->ring), -EAGAIN);
	assert_error(-EAGAIN, SAFERRING_REASON_SYSTEM);
	assert_int_equal(info_of(stage).queued, 4);
	assert_int_equal(info_of(stage).in_flight, 0);
	answer = 0;
	assert_int_equal(saferring_ring_submit(stage->ring), 4);
	reap_reads(stage, 4);
	close(fd);
}

static void withdrawing_after_a_failed_submit_leaves_no_entry(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[8];
	const int fd = pattern_file(4 * BUFFER_SIZE);
	unsigned int number;

	queue_reads(stage, fd, 4);
	answer = -ENOMEM;
	assert_int_equal(saferring_ring_submit(stage->ring), -ENOMEM);
	answer = 0;
	assert_int_equal(saferring_ring_withdraw(stage->ring), 4);
	assert_int_equal(saferring_ring_reap(stage->ring, completions, 8), 4);
	for (number = 0; number < 4; number++) {
		assert_int_equal(completions[number].result, -ECANCELED);
		put(stage->pool, completions[number].buffer);
	}
	tried = 0;
	assert_int_equal(saferring_ring_submit(stage->ring), 0);
	assert_int_equal(tried, 0);
	queue_reads(stage, fd, 1);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	reap_reads(stage, 1);
	close(fd);
}

/*
 * As it is when the call fails after liburing has shown the entries to the
 * kernel: they lie before the kernel's tail already.
 */
static void entries_shown_to_the_kernel_are_withdrawn_too(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[8];
	const int fd = pattern_file(4 * BUFFER_SIZE);
	const struct saferring_ring_info info = info_of(stage);
	int saved, status;

	queue_reads(stage, fd, 2);
	/* With its descriptor closed io_uring_enter() fails with EBADF. */
	saved = dup(info.fd);
	assert_true(saved >= 0);
	assert_int_equal(close(info.fd), 0);
	status = saferring_ring_submit(stage->ring);
	assert_int_equal(dup2(saved, info.fd), info.fd);
	close(saved);
	assert_int_equal(status, -EBADF);
	assert_int_equal(info_of(stage).queued, 2);

	assert_int_equal(saferring_ring_withdraw(stage->ring), 2);
	assert_int_equal(saferring_ring_reap(stage->ring, completions, 8), 2);
	put(stage->pool, completions[0].buffer);
	put(stage->pool, completions[1].buffer);
	queue_reads(stage, fd, 3);
	assert_int_equal(saferring_ring_submit(stage->ring), 3);
	reap_reads(stage, 3);
	close(fd);
}

/* What was cut off would run without that which it waits for. */
static void the_rest_of_a_chain_that_was_cut_is_cancelled(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(4 * BUFFER_SIZE);
	unsigned int number;

	for (number = 0; number < 4; number++) {
		assert_int_equal(saferring_ring_read(stage->ring, fd,
						     get(stage->pool), 0,
						     BUFFER_SIZE, 0, number),
				 0);
		if (number < 2)
			assert_int_equal(saferring_ring_modify(stage->ring,
							       SAFERRING_LINK),
					 0);
	}
	keep_back = 3;
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	keep_back = 0;
	assert_int_equal(info_of(stage).queued, 3);
	assert_int_equal(saferring_ring_submit(stage->ring), 3);
	for (number = 0; number < 4; number++) {
		const struct saferring_completion c = next_of(stage->ring);
		const bool cut = c.user_data == 1 || c.user_data == 2;

		assert_int_equal(c.result, cut ? -ECANCELED :
							     (int)BUFFER_SIZE);
		put(c.pool, c.buffer);
	}
	close(fd);
}

/* The request to cancel is queued with them, and goes with the next. */
static void a_drop_survives_a_failed_submit(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(4 * BUFFER_SIZE);
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 99),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_find(stage->ring,
								 99)),
			 0);
	queue_reads(stage, fd, 2);
	answer = -EAGAIN;
	assert_int_equal(saferring_ring_submit(stage->ring), -EAGAIN);
	assert_int_equal(info_of(stage).queued, 2);
	answer = 0;
	queue_reads(stage, fd, 1);
	keep_back = 2;
	assert_int_equal(saferring_ring_submit(stage->ring), 2);
	keep_back = 0;
	assert_int_equal(info_of(stage).queued, 1);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	reap_reads(stage, 3);
	while (info_of(stage).in_flight) {
		struct saferring_completion c;

		assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1,
						     1000000),
				 0);
	}
	assert_all_back(stage->pool);
	close(pipe[0]);
	close(pipe[1]);
	close(fd);
}

static void entries_that_were_not_taken_go_next_time(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(4 * BUFFER_SIZE);

	queue_reads(stage, fd, 4);
	keep_back = 3;
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(info_of(stage).queued, 3);
	assert_int_equal(info_of(stage).in_flight, 1);
	keep_back = 0;
	assert_int_equal(saferring_ring_submit(stage->ring), 3);
	reap_reads(stage, 4);
	close(fd);
}

static void destroying_after_a_failed_submit_returns_the_buffers(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	const int fd = pattern_file(4 * BUFFER_SIZE);

	queue_reads(stage, fd, 4);
	answer = -EAGAIN;
	assert_int_equal(saferring_ring_submit(stage->ring), -EAGAIN);
	assert_int_equal(saferring_ring_destroy(stage->ring, 0), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.available, stats.buffers);
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(a_failed_submit_keeps_everything_queued),
		T(withdrawing_after_a_failed_submit_leaves_no_entry),
		T(entries_shown_to_the_kernel_are_withdrawn_too),
		T(the_rest_of_a_chain_that_was_cut_is_cancelled),
		T(a_drop_survives_a_failed_submit),
		T(entries_that_were_not_taken_go_next_time),
		T(destroying_after_a_failed_submit_returns_the_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
