// SPDX-License-Identifier: GPL-2.0
/*
 * Depths: how they are chosen, and that they disturb nobody who does it right.
 * What they find is in selftests/misuse.
 */
#include <fcntl.h>
#include "common.h"

#define ODD_SIZE 4000U

static int reset(void **state)
{
	(void)state;
	unsetenv("SAFERRING_CHECK");
	catch_reports();
	return 0;
}

static int create(struct saferring_region *region, size_t buffer_size,
		  int depth, struct saferring_pool **pool)
{
	struct saferring_pool_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = buffer_size;
	options.depth = depth;
	options.name = "deep";
	*pool = NULL;
	return saferring_pool_create(&region, 1, &options, pool);
}

static struct saferring_pool_info info_of(const struct saferring_pool *pool)
{
	struct saferring_pool_info info = { .size = sizeof(info) };

	assert_int_equal(saferring_pool_info(pool, &info), 0);
	return info;
}

static void depths_are_accepted_within_their_limits_only(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	struct saferring_pool *pool;
	int depth;

	(void)state;
	for (depth = SAFERRING_DEPTH_DEFAULT; depth <= SAFERRING_DEPTH_TRAP;
	     depth++) {
		assert_int_equal(create(region, BUFFER_SIZE, depth, &pool), 0);
		assert_int_equal(info_of(pool).depth, depth ? depth : 1);
		put(pool, get(pool));
		assert_int_equal(saferring_pool_destroy(pool), 0);
	}
	assert_int_equal(create(region, BUFFER_SIZE, SAFERRING_DEPTH_TRAP + 1,
				&pool),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_int_equal(create(region, BUFFER_SIZE, -1, &pool), -EINVAL);
	assert_null(pool);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void the_environment_overrides_the_program(void **state)
{
	static const char *const names[] = { NULL, "fast", "full", "trap" };
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	struct saferring_pool *pool;
	int asked, set;

	(void)state;
	for (set = SAFERRING_DEPTH_FAST; set <= SAFERRING_DEPTH_TRAP; set++) {
		setenv("SAFERRING_CHECK", names[set], 1);
		for (asked = 0; asked <= SAFERRING_DEPTH_TRAP; asked++) {
			assert_int_equal(create(region, BUFFER_SIZE, asked,
						&pool),
					 0);
			assert_int_equal(info_of(pool).depth, set);
			assert_int_equal(saferring_pool_destroy(pool), 0);
		}
	}
	setenv("SAFERRING_CHECK", "deep", 1);
	assert_int_equal(create(region, BUFFER_SIZE, 0, &pool), -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_non_null(strstr(saferring_error_last()->what, "deep"));
	assert_non_null(strstr(saferring_error_last()->cure, "trap"));
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_pool_tells_what_of_its_depth_it_has(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	struct saferring_pool *pool;

	(void)state;
	assert_int_equal(create(region, ODD_SIZE, SAFERRING_DEPTH_FULL, &pool),
			 0);
	assert_int_equal(info_of(pool).guarded, 4096 - ODD_SIZE);
	assert_int_equal(info_of(pool).distance, 4096);
	assert_string_equal(info_of(pool).trap, "");
	assert_string_equal(info_of(pool).reason, "");
	assert_int_equal(saferring_pool_destroy(pool), 0);

	assert_int_equal(create(region, 4096, SAFERRING_DEPTH_FULL, &pool), 0);
	assert_int_equal(info_of(pool).guarded, 0);
	assert_non_null(strstr(info_of(pool).reason, "no gap"));
	assert_int_equal(saferring_pool_destroy(pool), 0);

	assert_int_equal(create(region, ODD_SIZE, SAFERRING_DEPTH_TRAP, &pool),
			 0);
	if (strcmp(info_of(pool).trap, "asan") &&
	    strcmp(info_of(pool).trap, "valgrind")) {
		assert_string_equal(info_of(pool).trap, "");
		assert_non_null(strstr(info_of(pool).reason, "whole pages"));
	}
	assert_int_equal(saferring_pool_destroy(pool), 0);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

/* Data goes both ways, with nothing lost and nothing reported. */
static void copy_file(struct saferring_pool *pool, size_t size)
{
	struct saferring_ring *ring = make_ring(pool, 8, 0);
	struct saferring_completion done;
	const int from = pattern_file(size), to = pattern_file(1);
	unsigned char *bytes = malloc(size);

	assert_non_null(bytes);
	assert_int_equal(saferring_ring_read(ring, from, get(pool), 0, size, 0,
					     0),
			 0);
	assert_int_equal(saferring_ring_wait(ring, &done, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(done.result, size);
	assert_pattern(saferring_buffer_data(pool, done.buffer), 0, size);
	assert_int_equal(saferring_ring_write(ring, to, done.buffer, 0, size,
					      0, 0),
			 0);
	assert_int_equal(saferring_ring_wait(ring, &done, 1, 1,
					     SAFERRING_FOREVER),
			 1);
	assert_int_equal(done.result, size);
	put(pool, done.buffer);
	assert_int_equal(pread(to, bytes, size, 0), size);
	assert_pattern(bytes, 0, size);
	free(bytes);
	close(from);
	close(to);
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
}

static void every_depth_is_silent_if_all_is_right(void **state)
{
	static const size_t sizes[] = { 512, ODD_SIZE, 4096, 65536, 100000 };
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	const unsigned int before = reports;
	struct saferring_pool *pool;
	size_t number;
	int depth, round;

	(void)state;
	for (depth = SAFERRING_DEPTH_FAST; depth <= SAFERRING_DEPTH_TRAP;
	     depth++) {
		for (number = 0; number < sizeof(sizes) / sizeof(*sizes);
		     number++) {
			assert_int_equal(create(region, sizes[number], depth,
						&pool),
					 0);
			for (round = 0; round < 3; round++)
				copy_file(pool, sizes[number]);
			assert_int_equal(saferring_pool_destroy(pool), 0);
		}
	}
	assert_int_equal(reports, before);
	/* Nothing of it stays when the pool is gone. */
	memset(saferring_region_address(region), 1, REGION_SIZE);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void the_text_of_traces_has_all_three_and_is_cut_to_its_room(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	char text[6144], cut[64];
	struct saferring_pool *pool;
	saferring_buffer buffer;
	int length;

	(void)state;
	assert_int_equal(create(region, BUFFER_SIZE, SAFERRING_DEPTH_FULL,
				&pool),
			 0);
	buffer = get(pool);
	put(pool, buffer);
	assert_int_equal(saferring_buffer_put(pool, buffer), -ESTALE);
	length = saferring_error_traces(saferring_error_last(), text,
					sizeof(text));
	assert_in_range(length, 1, sizeof(text) - 1);
	assert_int_equal(strlen(text), length);
	assert_true(!strncmp(text, "here, done by thread ", 21));
	assert_non_null(strstr(text, "\nnow, put by thread "));
	assert_non_null(strstr(text, "\nbefore, got by thread "));
	assert_non_null(strstr(text, "\n  #0 0x"));
	memset(cut, 'x', sizeof(cut));
	assert_int_equal(saferring_error_traces(saferring_error_last(), cut,
						32),
			 length);
	assert_int_equal(strlen(cut), 31);
	assert_int_equal(strncmp(cut, text, 31), 0);
	assert_int_equal(cut[32], 'x');
	assert_int_equal(saferring_error_traces(saferring_error_last(), cut, 0),
			 length);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	drop_region(region);
	assert_int_equal(saferring_device_close(device), 0);
}

static void a_range_lies_in_its_buffer_or_is_refused(void **state)
{
	struct stage *stage = stage_up(0, 8, 0);
	const saferring_buffer buffer = get(stage->pool);
	unsigned char *data = saferring_buffer_data(stage->pool, buffer);
	const unsigned int before = reports;

	(void)state;
#define RANGE(start, length)                                                   \
	saferring_buffer_range(stage->pool, buffer, start, length)
	assert_ptr_equal(RANGE(0, BUFFER_SIZE), data);
	assert_ptr_equal(RANGE(100, BUFFER_SIZE - 100), data + 100);
	assert_ptr_equal(RANGE(BUFFER_SIZE, 0), data + BUFFER_SIZE);
	assert_null(RANGE(0, BUFFER_SIZE + 1));
	assert_error(-ERANGE, SAFERRING_REASON_BOUNDS);
	assert_int_equal(saferring_error_last()->needed, BUFFER_SIZE + 1);
	assert_int_equal(saferring_error_last()->limit, BUFFER_SIZE);
	assert_null(RANGE(1, BUFFER_SIZE));
	assert_null(RANGE(BUFFER_SIZE + 1, 0));
	assert_null(RANGE(1, SIZE_MAX));
	assert_null(RANGE(SIZE_MAX, 1));
	assert_int_equal(reports, before);
	put(stage->pool, buffer);
	assert_null(RANGE(0, 1));
	assert_misuse(-ESTALE, SAFERRING_REASON_USE_AFTER_PUT, before);
#undef RANGE
	stage_down(stage);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, reset)
	const struct CMUnitTest tests[] = {
		T(depths_are_accepted_within_their_limits_only),
		T(the_environment_overrides_the_program),
		T(a_pool_tells_what_of_its_depth_it_has),
		T(every_depth_is_silent_if_all_is_right),
		T(the_text_of_traces_has_all_three_and_is_cut_to_its_room),
		T(a_range_lies_in_its_buffer_or_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
