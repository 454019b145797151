// SPDX-License-Identifier: GPL-2.0
/*
 * Rings that the program set up, and foreign event loops.
 */
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include "common.h"

#define DEPTH 8U

static struct io_uring uring;

static struct stage *up_with(unsigned int flags, unsigned int setup)
{
	struct stage *stage = stage_up(0, DEPTH, 0);
	struct saferring_ring_options options;

	assert_int_equal(io_uring_queue_init(DEPTH, &uring, setup), 0);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &stage->pool;
	options.pool_count = 1;
	options.flags = flags;
	options.name = "adopted";
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 0);
	return stage;
}

static int up(void **state)
{
	*state = up_with(0, 0);
	return 0;
}

static int up_beside(void **state)
{
	*state = up_with(SAFERRING_RING_BESIDE, 0);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static int down_beside(void **state)
{
	stage_down(*state);
	io_uring_queue_exit(&uring);
	return 0;
}

static struct saferring_ring_info info_of(const struct stage *stage)
{
	struct saferring_ring_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_ring_info(stage->ring, &info), 0);
	return info;
}

static void a_ring_that_was_given_over_works(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(100 * BUFFER_SIZE);
	struct saferring_completion c;
	unsigned int number;

	assert_int_equal(info_of(stage).depth, DEPTH);
	assert_non_null(strstr(info_of(stage).setup, "gave it over"));
	for (number = 0; number < 100; number++) {
		assert_int_equal(saferring_ring_read(stage->ring, fd,
						     get(stage->pool), 0,
						     BUFFER_SIZE,
						     number * BUFFER_SIZE, 1),
				 0);
		c = next_of(stage->ring);
		assert_int_equal(c.result, BUFFER_SIZE);
		assert_pattern(bytes_of(c.pool, c.buffer), number * BUFFER_SIZE,
			       BUFFER_SIZE);
		put(c.pool, c.buffer);
	}
	close(fd);
}

static void what_was_in_flight_is_handed_over(void **state)
{
	struct stage *stage = stage_up(0, DEPTH, 0);
	struct saferring_ring_options options;
	struct saferring_completion c;
	struct io_uring_sqe *sqe;
	char text[4] = "";
	int pipe[2];

	(void)state;
	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(io_uring_queue_init(DEPTH, &uring, 0), 0);
	sqe = io_uring_get_sqe(&uring);
	io_uring_prep_read(sqe, pipe[0], text, 4, 0);
	io_uring_sqe_set_data(sqe, text);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &stage->pool;
	options.pool_count = 1;
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(io_uring_submit(&uring), 1);
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 0);
	assert_int_equal(write(pipe[1], "abc", 4), 4);
	while (!saferring_ring_reap(stage->ring, &c, 1))
		usleep(1000);
	assert_int_equal(c.operation, SAFERRING_OPERATION_FOREIGN);
	assert_int_equal(c.user_data, (uintptr_t)text);
	assert_int_equal(c.result, 4);
	assert_string_equal(text, "abc");
	stage_down(stage);
	close(pipe[0]);
	close(pipe[1]);
}

static void an_adopted_ring_is_no_deeper_than_its_queue(void **state)
{
	struct stage *stage = stage_up(0, DEPTH, 0);
	struct saferring_ring_options options;

	(void)state;
	assert_int_equal(io_uring_queue_init(DEPTH, &uring, 0), 0);
	SAFERRING_OPTIONS_INIT(&options);
	options.pools = &stage->pool;
	options.pool_count = 1;
	options.depth = DEPTH + 1;
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	options.depth = DEPTH;
	options.preset = SAFERRING_PRESET_LOW_LATENCY;
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 -EINVAL);
	options.preset = 0;
	options.flags = SAFERRING_RING_BESIDE;
	assert_int_equal(saferring_ring_create(&options, &stage->ring),
			 -EINVAL);
	options.flags = 0;
	assert_int_equal(saferring_ring_adopt(&uring, &options, &stage->ring),
			 0);
	stage_down(stage);
}

/* ---- beside the program's own ---- */

/* The program's loop: its own are counted, the library's handed on. */
static unsigned int loop(struct stage *stage, unsigned int wanted,
			 struct saferring_completion *completions,
			 unsigned int max, unsigned int *own)
{
	unsigned int count = 0;
	struct io_uring_cqe *cqe;
	int result;

	*own = 0;
	while (count + *own < wanted) {
		assert_int_equal(io_uring_wait_cqe(&uring, &cqe), 0);
		result = saferring_ring_complete(stage->ring, cqe,
						 &completions[count],
						 max - count);
		if (result == -ENOENT)
			++*own;
		else
			assert_true(result >= 0);
		count += result > 0 ? (unsigned int)result : 0;
		io_uring_cqe_seen(&uring, cqe);
	}
	return count;
}

static void own_entries_and_the_librarys_share_a_ring(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(4 * BUFFER_SIZE);
	struct saferring_completion c[4];
	struct io_uring_sqe *sqe;
	unsigned int number, own;

	for (number = 0; number < 4; number++) {
		/* Even these do not look like the library's. */
		const uint64_t data[] = { 0, 1, (uintptr_t)&uring,
					  (1ULL << 63) - 1 };

		sqe = io_uring_get_sqe(&uring);
		io_uring_prep_nop(sqe);
		sqe->user_data = data[number];
		assert_int_equal(saferring_ring_read(stage->ring, fd,
						     get(stage->pool), 0,
						     BUFFER_SIZE,
						     number * BUFFER_SIZE,
						     number),
				 0);
	}
	assert_int_equal(info_of(stage).in_flight, 4);
	assert_int_equal(saferring_ring_destroy(stage->ring, 0), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(io_uring_submit(&uring), 8);
	assert_int_equal(loop(stage, 8, c, 4, &own), 4);
	assert_int_equal(own, 4);
	for (number = 0; number < 4; number++) {
		assert_int_equal(c[number].result, BUFFER_SIZE);
		assert_pattern(bytes_of(c[number].pool, c[number].buffer),
			       c[number].user_data * BUFFER_SIZE, BUFFER_SIZE);
		put(c[number].pool, c[number].buffer);
	}
	close(fd);
}

static void a_full_queue_of_the_programs_refuses(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c[2];
	unsigned int number, own;

	for (number = 0; number < DEPTH - 1; number++)
		io_uring_prep_nop(io_uring_get_sqe(&uring));
	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	assert_int_equal(saferring_ring_nop(stage->ring, 2), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_DEPTH);
	assert_int_equal(io_uring_submit(&uring), DEPTH);
	assert_int_equal(saferring_ring_nop(stage->ring, 2), 0);
	assert_int_equal(io_uring_submit(&uring), 1);
	assert_int_equal(loop(stage, DEPTH + 1, c, 2, &own), 2);
	assert_int_equal(own, DEPTH - 1);
}

static void links_and_drops_work_beside(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;
	struct io_uring_cqe *cqe;
	unsigned int own;
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK),
			 -ENOENT);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 8, -1, 1),
			 0);
	assert_int_equal(saferring_ring_modify(stage->ring, SAFERRING_LINK), 0);
	io_uring_prep_nop(io_uring_get_sqe(&uring));
	assert_int_equal(io_uring_submit(&uring), 2);
	assert_int_equal(saferring_ring_drop(stage->ring,
					     saferring_ring_find(stage->ring,
								 1)),
			 0);
	assert_int_equal(io_uring_submit(&uring), 1);
	assert_int_equal(loop(stage, 1, &c, 1, &own), 0);
	assert_int_equal(own, 1);
	while (info_of(stage).in_flight) {
		assert_int_equal(io_uring_wait_cqe(&uring, &cqe), 0);
		assert_int_equal(saferring_ring_complete(stage->ring, cqe, &c,
							 1),
				 0);
		io_uring_cqe_seen(&uring, cqe);
	}
	/* The drop's own completion may be there still. */
	while (!io_uring_peek_cqe(&uring, &cqe)) {
		assert_int_equal(saferring_ring_complete(stage->ring, cqe, &c,
							 1),
				 0);
		io_uring_cqe_seen(&uring, cqe);
	}
	assert_all_back(stage->pool);
	close(pipe[0]);
	close(pipe[1]);
}

static void parts_without_room_are_reaped_later(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(16);
	struct saferring_range ranges[2];
	struct saferring_completion c;
	struct io_uring_cqe *cqe;

	ranges[0] = (struct saferring_range){ get(stage->pool), 0, 8 };
	ranges[1] = (struct saferring_range){ get(stage->pool), 0, 8 };
	assert_int_equal(saferring_ring_readv(stage->ring, fd, ranges, 2, 0, 1),
			 0);
	assert_int_equal(io_uring_submit_and_wait(&uring, 1), 1);
	assert_int_equal(io_uring_wait_cqe(&uring, &cqe), 0);
	assert_int_equal(saferring_ring_complete(stage->ring, cqe, &c, 1), 1);
	io_uring_cqe_seen(&uring, cqe);
	put(c.pool, c.buffer);
	assert_int_equal(saferring_ring_reap(stage->ring, &c, 1), 1);
	put(c.pool, c.buffer);
	close(fd);
}

static void what_the_program_does_itself_is_refused(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion c;

	assert_int_equal(saferring_ring_submit(stage->ring), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(saferring_ring_wait(stage->ring, &c, 1, 1, 0),
			 -EINVAL);
	assert_int_equal(saferring_ring_withdraw(stage->ring), -EINVAL);
}

static void complete_is_for_rings_beside_only(void **state)
{
	struct stage *stage = *state;
	const struct io_uring_cqe cqe = { .user_data = 1 };
	struct saferring_completion c;

	assert_int_equal(saferring_ring_complete(stage->ring, &cqe, &c, 1),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
}

/* ---- event loops ---- */

static void an_eventfd_counts_completions(void **state)
{
	struct stage *stage = *state;
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t count = 0;

	assert_int_equal(saferring_ring_eventfd(stage->ring, -1), -ENXIO);
	assert_int_equal(saferring_ring_eventfd(stage->ring, fd), 0);
	assert_int_equal(saferring_ring_eventfd(stage->ring, fd), -EBUSY);
	assert_int_equal(saferring_ring_nop(stage->ring, 1), 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(eventfd_read(fd, &count), 0);
	assert_true(count >= 1);
	expect(stage->ring, 1, 0);
	assert_int_equal(saferring_ring_eventfd(stage->ring, -1), 0);
	close(fd);
}

static void the_ring_is_readable_when_there_are_completions(void **state)
{
	struct stage *stage = *state;
	struct pollfd poll_one = { .fd = info_of(stage).fd, .events = POLLIN };
	int pipe[2];

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_int_equal(saferring_ring_read(stage->ring, pipe[0],
					     get(stage->pool), 0, 1, -1, 1),
			 0);
	assert_int_equal(saferring_ring_submit(stage->ring), 1);
	assert_int_equal(poll(&poll_one, 1, 0), 0);
	assert_int_equal(write(pipe[1], "x", 1), 1);
	assert_int_equal(poll(&poll_one, 1, 10000), 1);
	expect(stage->ring, 1, 1);
	close(pipe[0]);
	close(pipe[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define B(name) cmocka_unit_test_setup_teardown(name, up_beside, down_beside)
	const struct CMUnitTest tests[] = {
		T(a_ring_that_was_given_over_works),
		cmocka_unit_test(what_was_in_flight_is_handed_over),
		cmocka_unit_test(an_adopted_ring_is_no_deeper_than_its_queue),
		B(own_entries_and_the_librarys_share_a_ring),
		B(a_full_queue_of_the_programs_refuses),
		B(links_and_drops_work_beside),
		B(parts_without_room_are_reaped_later),
		B(what_the_program_does_itself_is_refused),
		T(complete_is_for_rings_beside_only),
		T(an_eventfd_counts_completions),
		T(the_ring_is_readable_when_there_are_completions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
