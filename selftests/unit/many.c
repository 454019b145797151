// SPDX-License-Identifier: GPL-2.0
/*
 * Many: operations that are queued by one call are those that as many calls
 * would have queued, and completions that are taken together are those that
 * came.
 */
#include <fcntl.h>
#include <sys/types.h>
#include "common.h"

#define DEPTH 16U
#define ROOM  (2 * DEPTH)

static int up(void **state)
{
	*state = stage_up(64, DEPTH, STAGE_RING);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static struct saferring_series series_of(int fd, size_t length)
{
	struct saferring_series series;

	SAFERRING_OPTIONS_INIT(&series);
	series.fd = fd;
	series.length = length;
	series.distance = length;
	series.user_data = 100;
	return series;
}

static void get_all(struct stage *stage, saferring_buffer *buffers,
		    unsigned int count)
{
	assert_int_equal(saferring_buffer_get_many(stage->pool, buffers, count),
			 count);
}

static void put_all(struct stage *stage, saferring_buffer *buffers,
		    unsigned int count)
{
	assert_int_equal(saferring_buffer_put_many(stage->pool, buffers, count),
			 count);
}

/* By user_data, which begins at 100: the engine completes in any order. */
static void reap_all(struct stage *stage, saferring_buffer *buffers,
		     unsigned int count, int32_t result)
{
	struct saferring_completion done[ROOM];
	unsigned int number;

	assert_int_equal(saferring_ring_wait(stage->ring, done, ROOM, count,
					     SAFERRING_FOREVER),
			 count);
	for (number = 0; number < count; number++) {
		assert_int_equal(done[number].result, result);
		assert_int_equal(done[number].flags, 0);
		assert_int_equal(done[number].extra, 0);
		assert_ptr_equal(done[number].pool, stage->pool);
		assert_in_range(done[number].user_data, 100, 100 + count - 1);
		buffers[done[number].user_data - 100] = done[number].buffer;
	}
}

static void each_buffer_gets_its_part_of_the_file(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(DEPTH * 1000 + 5);
	struct saferring_series series = series_of(fd, 1000);
	saferring_buffer buffers[DEPTH], before[DEPTH];
	unsigned int number;

	series.start = 24;
	series.offset = 5;
	get_all(stage, buffers, DEPTH);
	memcpy(before, buffers, sizeof(before));
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, DEPTH),
			 DEPTH);
	reap_all(stage, buffers, DEPTH, 1000);
	for (number = 0; number < DEPTH; number++) {
		assert_false(saferring_buffer_valid(stage->pool,
						    before[number]));
		assert_pattern(bytes_of(stage->pool, buffers[number]) + 24,
			       5 + number * 1000, 1000);
	}
	put_all(stage, buffers, DEPTH);
	close(fd);
}

static void what_is_written_is_what_is_read(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(0);
	struct saferring_series series = series_of(fd, 512);
	unsigned char data[512];
	saferring_buffer buffers[8];
	unsigned int number;

	get_all(stage, buffers, 8);
	for (number = 0; number < 8; number++)
		memset(bytes_of(stage->pool, buffers[number]), 'a' + (int)number,
		       BUFFER_SIZE);
	series.distance = 1024;
	assert_int_equal(saferring_ring_write_many(stage->ring, &series,
						   buffers, 8),
			 8);
	reap_all(stage, buffers, 8, 512);
	for (number = 0; number < 8; number++) {
		assert_int_equal(pread(fd, data, 512, (off_t)number * 1024),
				 512);
		assert_int_equal(data[0], 'a' + number);
		assert_int_equal(data[511], 'a' + number);
	}
	put_all(stage, buffers, 8);
	close(fd);
}

/* The queue's end and the stack of records lie elsewhere every time. */
static void any_number_of_times_around_the_queue(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(DEPTH * 64);
	struct saferring_series series = series_of(fd, 64);
	saferring_buffer buffers[DEPTH];
	unsigned int round, count, number;

	get_all(stage, buffers, DEPTH);
	for (round = 0; round < 1000; round++) {
		count = 1 + round * 7 % DEPTH;
		assert_int_equal(saferring_ring_read_many(stage->ring, &series,
							  buffers, count),
				 count);
		reap_all(stage, buffers, count, 64);
		for (number = 0; number < count; number++)
			assert_pattern(bytes_of(stage->pool, buffers[number]),
				       number * 64, 64);
	}
	put_all(stage, buffers, DEPTH);
	close(fd);
}

static void a_stale_handle_in_the_middle_stops_it(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(8 * 64);
	struct saferring_series series = series_of(fd, 64);
	saferring_buffer buffers[8], stale, spared;
	unsigned int number, before = reports;

	get_all(stage, buffers, 8);
	stale = get(stage->pool);
	put(stage->pool, stale);
	catch_reports();
	spared = buffers[5];
	buffers[5] = stale;
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, 8),
			 5);
	assert_misuse(-ESTALE, SAFERRING_REASON_USE_AFTER_PUT, before);
	put(stage->pool, spared);
	for (number = 6; number < 8; number++)
		put(stage->pool, buffers[number]);
	reap_all(stage, buffers, 5, 64);
	put_all(stage, buffers, 5);
	ignore_reports();
	close(fd);
}

static void a_handle_that_is_there_twice_is_taken_once(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(8 * 64);
	struct saferring_series series = series_of(fd, 64);
	saferring_buffer buffers[3];
	unsigned int before = reports;

	get_all(stage, buffers, 2);
	buffers[2] = buffers[0];
	catch_reports();
	assert_int_equal(saferring_ring_write_many(stage->ring, &series,
						   buffers, 3),
			 2);
	assert_misuse(-ESTALE, SAFERRING_REASON_DOUBLE_SUBMIT, before);
	ignore_reports();
	assert_int_equal(saferring_ring_withdraw(stage->ring), 2);
	expect(stage->ring, 100, -ECANCELED);
	expect(stage->ring, 101, -ECANCELED);
	close(fd);
}

static void the_first_one_tells_its_own_error(void **state)
{
	struct stage *stage = *state;
	struct saferring_series series = series_of(-1, 64);
	saferring_buffer buffers[2];

	get_all(stage, buffers, 2);
	series.start = BUFFER_SIZE - 63;
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, 2),
			 -ERANGE);
	assert_error(-ERANGE, SAFERRING_REASON_BOUNDS);
	series.start = 0;
	series.length = 0;
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, 2),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	series.length = (size_t)UINT32_MAX + 65;
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, 2),
			 -ERANGE);
	put_all(stage, buffers, 2);
}

static void arguments_are_checked(void **state)
{
	struct stage *stage = *state;
	struct {
		struct saferring_series series;
		uint64_t more;
	} longer = { .series = series_of(-1, 64) };
	saferring_buffer buffer = get(stage->pool);

	assert_int_equal(saferring_ring_read_many(stage->ring, &longer.series,
						  &buffer, 0),
			 -EINVAL);
	assert_int_equal(saferring_ring_nop_many(stage->ring, 0, 1), -EINVAL);
	longer.series.size = sizeof(longer);
	longer.more = 1;
	assert_int_equal(saferring_ring_write_many(stage->ring, &longer.series,
						   &buffer, 1),
			 -EINVAL);
	put(stage->pool, buffer);
}

static void a_full_ring_takes_what_it_has_room_for(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(ROOM * 64);
	struct saferring_series series = series_of(fd, 64);
	saferring_buffer buffers[ROOM];

	get_all(stage, buffers, ROOM);
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, ROOM),
			 DEPTH);
	assert_error(-EBUSY, SAFERRING_REASON_DEPTH);
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers + DEPTH, 1),
			 -EBUSY);
	assert_int_equal(saferring_ring_nop_many(stage->ring, 1, 0), -EBUSY);
	reap_all(stage, buffers, DEPTH, 64);
	put_all(stage, buffers, ROOM);
	close(fd);
}

static void registered_files_serve_as_well(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(4 * 64);
	struct saferring_series series = series_of(SAFERRING_FILE(0), 64);
	saferring_buffer buffers[4];
	unsigned int number;

	assert_int_equal(saferring_files_create(stage->ring, 1), 0);
	assert_int_equal(saferring_files_set(stage->ring, 0, fd), 0);
	get_all(stage, buffers, 4);
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, 4),
			 4);
	reap_all(stage, buffers, 4, 64);
	for (number = 0; number < 4; number++)
		assert_pattern(bytes_of(stage->pool, buffers[number]),
			       number * 64, 64);
	put_all(stage, buffers, 4);
	close(fd);
}

/* A pool of two regions, and one of another shape beside it. */
static void buffers_of_several_pools_go_together(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(9 * 64);
	struct saferring_series series = series_of(fd, 64);
	struct saferring_region *regions[2];
	struct saferring_pool_options how;
	struct saferring_pool *pools[2];
	struct saferring_ring_options what;
	struct saferring_completion done[9];
	saferring_buffer buffers[9];
	struct saferring_ring *ring;
	unsigned int number;

	SAFERRING_OPTIONS_INIT(&how);
	how.buffer_size = 65536;
	for (number = 0; number < 2; number++)
		regions[number] = make_region(stage->device, REGION_SIZE);
	assert_int_equal(saferring_pool_create(regions, 2, &how, &pools[0]), 0);
	pools[1] = stage->pool;
	SAFERRING_OPTIONS_INIT(&what);
	what.pools = pools;
	what.pool_count = 2;
	assert_int_equal(saferring_ring_create(&what, &ring), 0);
	for (number = 0; number < 9; number++)
		buffers[number] = get(pools[number / 2 % 2]);
	assert_int_equal(saferring_ring_read_many(ring, &series, buffers, 9),
			 9);
	assert_int_equal(saferring_ring_wait(ring, done, 9, 9,
					     SAFERRING_FOREVER),
			 9);
	for (number = 0; number < 9; number++) {
		const uint64_t which = done[number].user_data - 100;

		assert_int_equal(done[number].result, 64);
		assert_ptr_equal(done[number].pool, pools[which / 2 % 2]);
		assert_pattern(bytes_of(done[number].pool,
					done[number].buffer),
			       which * 64, 64);
		put(done[number].pool, done[number].buffer);
	}
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	assert_int_equal(saferring_pool_destroy(pools[0]), 0);
	for (number = 0; number < 2; number++)
		drop_region(regions[number]);
	close(fd);
}

static void nops_complete_each(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion done[DEPTH];
	bool seen[DEPTH];
	unsigned int round, number;

	for (round = 0; round < 10; round++) {
		const unsigned int count = DEPTH - round;

		memset(seen, 0, sizeof(seen));
		assert_int_equal(saferring_ring_nop_many(stage->ring, count, 7),
				 count);
		assert_int_equal(saferring_ring_wait(stage->ring, done, DEPTH,
						     count, SAFERRING_FOREVER),
				 count);
		for (number = 0; number < count; number++) {
			assert_in_range(done[number].user_data, 7,
					7 + count - 1);
			assert_false(seen[done[number].user_data - 7]);
			seen[done[number].user_data - 7] = true;
			assert_int_equal(done[number].result, 0);
			assert_null(done[number].pool);
			assert_true(saferring_buffer_is_none(
				done[number].buffer));
			assert_int_equal(done[number].operation,
					 SAFERRING_OPERATION_NOP);
		}
	}
	assert_int_equal(saferring_ring_nop_many(stage->ring, ROOM, 7), DEPTH);
	assert_int_equal(saferring_ring_wait(stage->ring, done, DEPTH, DEPTH,
					     SAFERRING_FOREVER),
			 DEPTH);
}

/* One behind the other: whole, short, failed, and without a buffer. */
static void a_mixture_completes_as_it_came(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(1000);
	struct saferring_ring_stats stats = { .size = sizeof(stats) };
	struct saferring_completion done[DEPTH];
	unsigned int number;

	for (number = 0; number < 4; number++) {
		assert_int_equal(saferring_ring_read(stage->ring, fd,
						     get(stage->pool), 0, 100,
						     0, 0),
				 0);
		assert_int_equal(saferring_ring_read(stage->ring, fd,
						     get(stage->pool), 0, 100,
						     950, 1),
				 0);
		assert_int_equal(saferring_ring_read(stage->ring, -1,
						     get(stage->pool), 0, 100,
						     0, 2),
				 0);
		assert_int_equal(saferring_ring_nop(stage->ring, 3), 0);
	}
	assert_int_equal(saferring_ring_wait(stage->ring, done, DEPTH, DEPTH,
					     SAFERRING_FOREVER),
			 DEPTH);
	for (number = 0; number < DEPTH; number++) {
		static const int32_t results[] = { 100, 50, -EBADF, 0 };
		const uint64_t which = done[number].user_data;

		assert_int_equal(done[number].result, results[which]);
		assert_int_equal(done[number].flags,
				 which == 1 ? SAFERRING_COMPLETION_SHORT : 0);
		assert_int_equal(done[number].length, which == 3 ? 0 : 100);
		if (which < 3)
			put(stage->pool, done[number].buffer);
	}
	assert_int_equal(saferring_ring_stats(stage->ring, &stats), 0);
	assert_int_equal(stats.completed, DEPTH);
	assert_int_equal(stats.reads, 12);
	assert_int_equal(stats.bytes_read, 600);
	assert_int_equal(stats.short_results, 4);
	assert_int_equal(stats.errors, 4);
}

static void few_are_taken_at_a_time_where_there_is_little_room(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(DEPTH * 64);
	struct saferring_series series = series_of(fd, 64);
	saferring_buffer buffers[DEPTH];
	struct saferring_completion done[3];
	unsigned int number, left = DEPTH;

	get_all(stage, buffers, DEPTH);
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  buffers, DEPTH),
			 DEPTH);
	while (left) {
		const unsigned int most = left < 3 ? left : 3;

		assert_int_equal(saferring_ring_wait(stage->ring, done, 3, most,
						     SAFERRING_FOREVER),
				 most);
		left -= most;
		for (number = 0; number < most; number++)
			put(stage->pool, done[number].buffer);
	}
	assert_all_back(stage->pool);
	close(fd);
}

static void in_a_child(void *argument)
{
	struct stage *stage = argument;
	struct saferring_series series = series_of(0, 64);
	saferring_buffer buffer = { 1 };

	ignore_reports();
	assert_int_equal(saferring_ring_read_many(stage->ring, &series,
						  &buffer, 1),
			 -EOWNERDEAD);
	assert_int_equal(saferring_ring_nop_many(stage->ring, 2, 1),
			 -EOWNERDEAD);
}

static void a_child_of_fork_is_refused(void **state)
{
	in_child(in_a_child, *state);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(each_buffer_gets_its_part_of_the_file),
		T(what_is_written_is_what_is_read),
		T(any_number_of_times_around_the_queue),
		T(a_stale_handle_in_the_middle_stops_it),
		T(a_handle_that_is_there_twice_is_taken_once),
		T(the_first_one_tells_its_own_error),
		T(arguments_are_checked),
		T(a_full_ring_takes_what_it_has_room_for),
		T(registered_files_serve_as_well),
		T(buffers_of_several_pools_go_together),
		T(nops_complete_each),
		T(a_mixture_completes_as_it_came),
		T(few_are_taken_at_a_time_where_there_is_little_room),
		T(a_child_of_fork_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
