// SPDX-License-Identifier: GPL-2.0
/*
 * Many buffers at once, and pools that do more with a buffer than hand it out.
 */
#include "common.h"

#define COUNT 64U

static int up(void **state)
{
	*state = stage_up(COUNT, 8, 0);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static unsigned int available(struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return (unsigned int)stats.available;
}

static void as_many_are_got_as_there_are(void **state)
{
	struct stage *stage = *state;
	saferring_buffer all[COUNT + 1];
	bool seen[COUNT] = { false };
	unsigned int number;

	assert_int_equal(saferring_buffer_get_many(stage->pool, all, 0), 0);
	assert_int_equal(saferring_buffer_get_many(stage->pool, all, COUNT + 1),
			 COUNT);
	for (number = 0; number < COUNT; number++) {
		const size_t index =
			saferring_buffer_index(stage->pool, all[number]);

		assert_int_equal(saferring_buffer_valid(stage->pool,
							all[number]),
				 1);
		assert_false(seen[index]);
		seen[index] = true;
	}
	assert_int_equal(saferring_buffer_get_many(stage->pool, all + COUNT,
						   1),
			 -ENOBUFS);
	assert_error(-ENOBUFS, SAFERRING_REASON_EXHAUSTED);
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, 0), 0);
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
	assert_int_equal(available(stage), COUNT);
	for (number = 0; number < COUNT; number++)
		assert_int_equal(saferring_buffer_valid(stage->pool,
							all[number]),
				 0);
}

static void every_number_at_once_is_right(void **state)
{
	struct stage *stage = *state;
	saferring_buffer all[COUNT];
	unsigned int count, number, round;

	for (count = 1; count <= COUNT; count++) {
		for (round = 0; round < 3; round++) {
			assert_int_equal(saferring_buffer_get_many(stage->pool,
								   all, count),
					 count);
			for (number = 0; number < count; number++)
				memset(saferring_buffer_data(stage->pool,
							     all[number]),
				       (int)number, BUFFER_SIZE);
			for (number = 0; number < count; number++)
				assert_int_equal(*(unsigned char *)
					saferring_buffer_data(stage->pool,
							      all[number]),
						 number);
			assert_int_equal(saferring_buffer_put_many(stage->pool,
								   all, count),
					 count);
			assert_int_equal(available(stage), COUNT);
		}
	}
}

static void putting_stops_at_the_first_that_is_refused(void **state)
{
	struct stage *stage = *state;
	saferring_buffer all[COUNT];
	unsigned int bad;

	for (bad = 0; bad < 12; bad++) {
		const unsigned int before = reports;

		assert_int_equal(saferring_buffer_get_many(stage->pool, all,
							   12),
				 12);
		put(stage->pool, all[bad]);
		assert_int_equal(saferring_buffer_put_many(stage->pool, all,
							   12),
				 bad ? (int)bad : -ESTALE);
		assert_int_equal(reports, before + 1);
		assert_int_equal(last_report.reason,
				 SAFERRING_REASON_DOUBLE_PUT);
		assert_int_equal(last_report.handle, all[bad].word);
		assert_int_equal(available(stage), COUNT - 11 + bad);
		if (bad < 11)
			assert_int_equal(saferring_buffer_put_many(
						 stage->pool, all + bad + 1,
						 11 - bad),
					 11 - bad);
	}
	assert_int_equal(available(stage), COUNT);
}

static void one_handle_twice_in_a_call_is_refused(void **state)
{
	struct stage *stage = *state;
	saferring_buffer two[2] = { get(stage->pool) };
	const unsigned int before = reports;

	two[1] = two[0];
	assert_int_equal(saferring_buffer_put_many(stage->pool, two, 2), 1);
	assert_int_equal(reports, before + 1);
	assert_int_equal(available(stage), COUNT);
}

static void generations_end_in_bulk_as_well(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool_fast *fast = (void *)stage->pool;
	struct saferring_pool_stats stats = { .size = sizeof(stats) };
	saferring_buffer all[COUNT];
	unsigned int rounds = 0;
	int got;

	got = saferring_buffer_get_many(stage->pool, all, COUNT);
	assert_int_equal(got, COUNT);
	fast->limit_free = (all[0].word & ~(fast->step - 1)) + 5 * fast->step +
			   SAFERRING_TO_FREE;
	do {
		assert_int_equal(saferring_buffer_put_many(stage->pool, all,
							   (unsigned int)got),
				 got);
		got = saferring_buffer_get_many(stage->pool, all, COUNT);
		assert_in_range(++rounds, 1, 10);
	} while (got > 0);
	assert_int_equal(got, -ENOBUFS);
	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	assert_int_equal(stats.retired, COUNT);
}

static struct saferring_pool *make(struct stage *stage, unsigned int flags)
{
	struct saferring_pool_options options;

	assert_int_equal(saferring_pool_destroy(stage->pool), 0);
	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	options.count = COUNT;
	options.flags = flags;
	assert_int_equal(saferring_pool_create(&stage->region, 1, &options,
					       &stage->pool),
			 0);
	return stage->pool;
}

static bool is_clear(const unsigned char *bytes)
{
	return !*bytes && !memcmp(bytes, bytes + 1, BUFFER_SIZE - 1);
}

static void cleared_buffers_are_clear(void **state)
{
	struct stage *stage = *state;
	const unsigned int flags[] = { SAFERRING_POOL_CLEAR_GET,
				       SAFERRING_POOL_CLEAR_PUT };
	unsigned int number;

	for (number = 0; number < 2; number++) {
		struct saferring_pool *pool = make(stage, flags[number]);
		const saferring_buffer first = get(pool);
		unsigned char *data = saferring_buffer_data(pool, first);
		const size_t index = saferring_buffer_index(pool, first);
		saferring_buffer again;

		memset(data, 0xff, BUFFER_SIZE);
		put(pool, first);
		if (flags[number] == SAFERRING_POOL_CLEAR_PUT &&
		    depth_of(pool) == SAFERRING_DEPTH_FAST)
			assert_true(is_clear(data));
		again = get(pool);
		assert_int_equal(saferring_buffer_index(pool, again), index);
		if (flags[number] == SAFERRING_POOL_CLEAR_GET ||
		    depth_of(pool) == SAFERRING_DEPTH_FAST)
			assert_true(is_clear(saferring_buffer_data(pool,
								   again)));
		put(pool, again);
	}
}

static void exhaustion_is_told_once_a_time_to_who_wants_it(void **state)
{
	struct stage *stage = *state;
	struct saferring_pool *pool =
		make(stage, SAFERRING_POOL_TELL_EXHAUSTED);
	const unsigned int before = reports;
	saferring_buffer all[COUNT], one_more;
	int round;

	for (round = 1; round <= 3; round++) {
		assert_int_equal(saferring_buffer_get_many(pool, all, COUNT),
				 COUNT);
		assert_int_equal(saferring_buffer_get(pool, &one_more),
				 -ENOBUFS);
		assert_int_equal(saferring_buffer_get(pool, &one_more),
				 -ENOBUFS);
		assert_int_equal(reports, before + (unsigned int)round);
		assert_int_equal(last_report.reason,
				 SAFERRING_REASON_EXHAUSTED);
		assert_int_equal(saferring_buffer_put_many(pool, all, COUNT),
				 COUNT);
		saferring_pool_flush(pool);
	}
	make(stage, 0);
	assert_int_equal(saferring_buffer_get_many(stage->pool, all, COUNT),
			 COUNT);
	assert_int_equal(saferring_buffer_get(stage->pool, &one_more),
			 -ENOBUFS);
	assert_int_equal(reports, before + 3);
	assert_int_equal(saferring_buffer_put_many(stage->pool, all, COUNT),
			 COUNT);
}

static void unknown_flags_make_no_pool(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct saferring_pool_options options;
	struct saferring_pool *pool = NULL;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	options.flags = 1U << 31;
	assert_int_equal(saferring_pool_create(&region, 1, &options, &pool),
			 -EINVAL);
	assert_error(-EINVAL, SAFERRING_REASON_ARGUMENT);
	assert_null(pool);
	drop_region(region);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(as_many_are_got_as_there_are),
		T(every_number_at_once_is_right),
		T(putting_stops_at_the_first_that_is_refused),
		T(one_handle_twice_in_a_call_is_refused),
		T(generations_end_in_bulk_as_well),
		T(cleared_buffers_are_clear),
		T(exhaustion_is_told_once_a_time_to_who_wants_it),
		T(unknown_flags_make_no_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
