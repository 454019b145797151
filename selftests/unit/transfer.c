// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes: the right bytes in the right place, of every length.
 */
#include <fcntl.h>
#include "reading.h"

static int up(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING);
	return 0;
}

static int up_unfixed(void **state)
{
	*state = stage_up(0, DEPTH, STAGE_RING | STAGE_UNFIXED);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static void a_file_is_read_whole_at_depth_32(void **state)
{
	struct stage *stage = *state;
	const size_t blocks = 3000;
	const int fd = pattern_file(blocks * BUFFER_SIZE);
	struct saferring_ring_stats stats;

	read_all(stage, fd, blocks);
	stats = stats_of(stage);
	assert_int_equal(stats.reads, blocks);
	assert_int_equal(stats.bytes_read, blocks * BUFFER_SIZE);
	assert_int_equal(stats.submitted, blocks);
	assert_int_equal(stats.completed, blocks);
	assert_int_equal(stats.errors + stats.short_results, 0);
	close(fd);
}

static void fixed_buffers_are_used_unless_avoided(void **state)
{
	struct stage *stage = *state;
	const struct saferring_ring_info info = info_of(stage);

	if (!info.fixed && (on_threads() ||
			    strstr(info.reason, "RLIMIT_MEMLOCK")))
		SKIP("%s", info.reason);
	assert_int_equal(info.fixed, 1);
	assert_int_equal(info.fixed_buffers, 1);
	assert_int_equal(info.fixed_bytes, REGION_SIZE);
	assert_string_equal(info.reason, "");
	assert_string_equal(info.name, "main");
	assert_int_equal(info.depth, DEPTH);
}

static void a_ring_without_fixed_buffers_does_the_same(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(100 * BUFFER_SIZE);

	assert_int_equal(info_of(stage).fixed, 0);
	assert_string_not_equal(info_of(stage).reason, "");
	read_all(stage, fd, 100);
	close(fd);
}

static void fill_buffer(struct stage *stage, saferring_buffer buffer,
			size_t offset)
{
	unsigned char *data = saferring_buffer_data(stage->pool, buffer);
	size_t place;

	assert_non_null(data);
	for (place = 0; place < BUFFER_SIZE; place++)
		data[place] = pattern(offset + place);
}

static void what_is_written_is_in_the_file(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completions[DEPTH];
	const int fd = pattern_file(0);
	unsigned char back[BUFFER_SIZE];
	unsigned int block, number;

	for (block = 0; block < DEPTH; block++) {
		const saferring_buffer buffer = get(stage->pool);

		fill_buffer(stage, buffer, block * BUFFER_SIZE);
		assert_int_equal(saferring_ring_write(stage->ring, fd, buffer,
						      0, BUFFER_SIZE,
						      block * BUFFER_SIZE,
						      block),
				 0);
	}
	assert_int_equal(wait_for(stage, completions, DEPTH, DEPTH), DEPTH);
	for (number = 0; number < DEPTH; number++) {
		assert_int_equal(completions[number].result, BUFFER_SIZE);
		assert_int_equal(completions[number].operation,
				 SAFERRING_OPERATION_WRITE);
		put(stage->pool, completions[number].buffer);
	}
	for (block = 0; block < DEPTH; block++) {
		assert_int_equal(pread(fd, back, BUFFER_SIZE,
				       block * BUFFER_SIZE),
				 BUFFER_SIZE);
		assert_pattern(back, block * BUFFER_SIZE, BUFFER_SIZE);
	}
	assert_int_equal(stats_of(stage).bytes_written, DEPTH * BUFFER_SIZE);
	close(fd);
}

static void a_part_of_a_buffer_is_read_and_the_rest_untouched(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(BUFFER_SIZE);
	const saferring_buffer buffer = get(stage->pool);
	struct saferring_completion completion;
	unsigned char *data = saferring_buffer_data(stage->pool, buffer);

	memset(data, 0xee, BUFFER_SIZE);
	assert_int_equal(saferring_ring_read(stage->ring, fd, buffer, 100, 50,
					     7, 0),
			 0);
	wait_for(stage, &completion, 1, 1);
	data = saferring_buffer_data(stage->pool, completion.buffer);
	assert_pattern(data + 100, 7, 50);
	assert_int_equal(data[99], 0xee);
	assert_int_equal(data[150], 0xee);
	put(stage->pool, completion.buffer);
	close(fd);
}

static void a_read_across_the_end_of_the_file_is_short(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(1000);
	struct saferring_completion completion;

	read_at(stage, fd, 0);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, 1000);
	assert_int_equal(completion.length, BUFFER_SIZE);
	assert_int_equal(completion.flags, SAFERRING_COMPLETION_SHORT);
	assert_pattern(saferring_buffer_data(stage->pool, completion.buffer),
		       0, 1000);
	put(stage->pool, completion.buffer);
	assert_int_equal(stats_of(stage).short_results, 1);
	close(fd);
}

static void a_read_at_the_end_of_the_file_gives_zero(void **state)
{
	struct stage *stage = *state;
	const int fd = pattern_file(BUFFER_SIZE);
	struct saferring_completion completion;

	read_at(stage, fd, 1);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, 0);
	assert_int_equal(completion.flags, SAFERRING_COMPLETION_SHORT);
	put(stage->pool, completion.buffer);
	close(fd);
}

static void a_bad_descriptor_fails_and_gives_the_buffer_back(void **state)
{
	struct stage *stage = *state;
	struct saferring_completion completion;

	read_at(stage, 9999, 0);
	wait_for(stage, &completion, 1, 1);
	assert_int_equal(completion.result, -EBADF);
	assert_int_equal(saferring_buffer_valid(stage->pool, completion.buffer),
			 1);
	put(stage->pool, completion.buffer);
	assert_int_equal(stats_of(stage).errors, 1);
}

static void a_range_is_accepted_up_to_the_last_byte_and_no_further(void **state)
{
	static const struct {
		size_t start, length;
		int result;
	} cases[] = {
		{ 0, BUFFER_SIZE, 0 },
		{ 0, 1, 0 },
		{ BUFFER_SIZE - 1, 1, 0 },
		{ 1, BUFFER_SIZE - 1, 0 },
		{ 0, BUFFER_SIZE + 1, -ERANGE },
		{ BUFFER_SIZE, 1, -ERANGE },
		{ 1, BUFFER_SIZE, -ERANGE },
		{ SIZE_MAX, 1, -ERANGE },
		{ 1, SIZE_MAX, -ERANGE },
		{ SIZE_MAX, SIZE_MAX, -ERANGE },
		{ 0, (size_t)1 << 32, -ERANGE },
		{ 0, 0, -EINVAL },
		{ BUFFER_SIZE, 0, -EINVAL },
	};
	struct stage *stage = *state;
	const int fd = pattern_file(BUFFER_SIZE);
	size_t number;

	for (number = 0; number < sizeof(cases) / sizeof(*cases); number++) {
		const saferring_buffer buffer = get(stage->pool);
		struct saferring_completion completion = { .buffer = buffer };

		assert_int_equal(saferring_ring_read(stage->ring, fd, buffer,
						     cases[number].start,
						     cases[number].length, 0,
						     0),
				 cases[number].result);
		if (!cases[number].result)
			wait_for(stage, &completion, 1, 1);
		else
			assert_int_equal(saferring_error_last()->limit,
					 BUFFER_SIZE);
		put(stage->pool, completion.buffer);
	}
	assert_int_equal(stats_of(stage).refused, 9);
	close(fd);
}

static void rings_of_many_regions_find_the_right_memory(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *regions[3];
	struct saferring_pool_options pool_options;
	struct saferring_ring_options ring_options;
	struct stage stage = { .device = device };
	const int fd = pattern_file(1536 * BUFFER_SIZE);
	unsigned int number;

	(void)state;
	for (number = 0; number < 3; number++)
		regions[number] = make_region(device, REGION_SIZE);
	SAFERRING_OPTIONS_INIT(&pool_options);
	pool_options.buffer_size = BUFFER_SIZE;
	assert_int_equal(saferring_pool_create(regions, 3, &pool_options,
					       &stage.pool),
			 0);
	SAFERRING_OPTIONS_INIT(&ring_options);
	ring_options.pools = &stage.pool;
	ring_options.pool_count = 1;
	ring_options.depth = 1536;
	assert_int_equal(saferring_ring_create(&ring_options, &stage.ring), 0);
	/* All buffers are in use at once, so those of every region are. */
	for (number = 0; number < 1536; number++)
		read_at(&stage, fd, number);
	for (number = 0; number < 1536; number++) {
		struct saferring_completion c;

		wait_for(&stage, &c, 1, 1);
		assert_int_equal(c.result, BUFFER_SIZE);
		assert_pattern(saferring_buffer_data(c.pool, c.buffer),
			       c.user_data * BUFFER_SIZE, BUFFER_SIZE);
		put(c.pool, c.buffer);
	}
	assert_int_equal(saferring_ring_destroy(stage.ring, DESTROY_MS), 0);
	assert_int_equal(saferring_pool_destroy(stage.pool), 0);
	for (number = 0; number < 3; number++)
		drop_region(regions[number]);
	assert_int_equal(saferring_device_close(device), 0);
	close(fd);
}

static void a_ring_can_use_several_pools(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct saferring_pool *pools[2] = {
		stage->pool, make_pool(region, 0, 0, "second")
	};
	struct saferring_ring_options options;
	struct saferring_completion completion;
	struct saferring_ring *ring;
	const int fd = pattern_file(2 * BUFFER_SIZE);
	unsigned int number;

	SAFERRING_OPTIONS_INIT(&options);
	options.pools = pools;
	options.pool_count = 2;
	assert_int_equal(saferring_ring_create(&options, &ring), 0);
	for (number = 0; number < 2; number++) {
		assert_int_equal(saferring_ring_read(ring, fd,
						     get(pools[number]), 0,
						     BUFFER_SIZE,
						     number * BUFFER_SIZE, 0),
				 0);
		assert_int_equal(saferring_ring_wait(ring, &completion, 1, 1,
						     SAFERRING_FOREVER),
				 1);
		assert_ptr_equal(completion.pool, pools[number]);
		assert_pattern(saferring_buffer_data(pools[number],
						     completion.buffer),
			       number * BUFFER_SIZE, BUFFER_SIZE);
		put(pools[number], completion.buffer);
	}
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	assert_int_equal(saferring_pool_destroy(pools[1]), 0);
	drop_region(region);
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define U(name) cmocka_unit_test_setup_teardown(name, up_unfixed, down)
	const struct CMUnitTest tests[] = {
		T(a_file_is_read_whole_at_depth_32),
		T(fixed_buffers_are_used_unless_avoided),
		U(a_ring_without_fixed_buffers_does_the_same),
		T(what_is_written_is_in_the_file),
		T(a_part_of_a_buffer_is_read_and_the_rest_untouched),
		T(a_read_across_the_end_of_the_file_is_short),
		T(a_read_at_the_end_of_the_file_gives_zero),
		T(a_bad_descriptor_fails_and_gives_the_buffer_back),
		T(a_range_is_accepted_up_to_the_last_byte_and_no_further),
		cmocka_unit_test(rings_of_many_regions_find_the_right_memory),
		T(a_ring_can_use_several_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
