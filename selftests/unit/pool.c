// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: shapes, limits, exhaustion, generations, lifetimes.
 */
#include "common.h"

static int up(void **state)
{
	*state = stage_up(64, 8, STAGE_RING);
	return 0;
}

static int up_uncached(void **state)
{
	*state = stage_up(64, 8, STAGE_UNCACHED);
	return 0;
}

static int down(void **state)
{
	stage_down(*state);
	return 0;
}

static struct saferring_pool_stats stats_of(const struct stage *stage)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(stage->pool, &stats), 0);
	return stats;
}

static void every_buffer_can_be_got_once_and_no_more(void **state)
{
	struct stage *stage = *state;
	saferring_buffer all[64], one_more;
	bool seen[64] = { false };
	unsigned int number;

	for (number = 0; number < 64; number++) {
		all[number] = get(stage->pool);
		assert_false(seen[saferring_buffer_index(stage->pool,
							 all[number])]);
		seen[saferring_buffer_index(stage->pool, all[number])] = true;
	}
	assert_int_equal(saferring_buffer_get(stage->pool, &one_more),
			 -ENOBUFS);
	assert_error(-ENOBUFS, SAFERRING_REASON_EXHAUSTED);
	assert_int_equal(saferring_buffer_is_none(one_more), 1);
	assert_int_equal(saferring_error_last()->limit, 64);
	assert_non_null(strstr(saferring_error_last()->what, "64 held"));
	assert_int_equal(stats_of(stage).exhausted, 1);
	assert_int_equal(stats_of(stage).held, 64);
	for (number = 0; number < 64; number++)
		put(stage->pool, all[number]);
	assert_int_equal(stats_of(stage).available, 64);
	assert_int_equal(stats_of(stage).transfers, 64);
}

/* Whichever way a buffer was got, and whether a get found one. */
static void every_get_is_a_hit_or_a_miss(void **state)
{
	struct stage *stage = *state;
	const struct saferring_pool_stats before = stats_of(stage);
	saferring_buffer held[64], one_more;
	unsigned int round, number, gets = 0;
	struct saferring_pool_stats stats;

	for (round = 0; round < 500; round++) {
		const unsigned int count = 1 + round * 11 % 40;

		for (number = 0; number < count; number++)
			held[number] = get(stage->pool);
		for (number = 0; number < count; number++)
			put(stage->pool, held[number]);
		assert_int_equal(saferring_buffer_get_many(stage->pool, held,
							   count),
				 count);
		assert_int_equal(saferring_buffer_put_many(stage->pool, held,
							   count),
				 count);
		gets += 2 * count;
		stats = stats_of(stage);
		assert_int_equal(stats.hits - before.hits + stats.misses -
					 before.misses,
				 gets);
	}
	if (depth_of(stage->pool) == SAFERRING_DEPTH_FAST)
		assert_true(stats.hits > stats.misses);
	for (number = 0; number < 64; number++)
		held[number] = get(stage->pool);
	assert_int_equal(saferring_buffer_get(stage->pool, &one_more),
			 -ENOBUFS);
	stats = stats_of(stage);
	assert_int_equal(stats.hits + stats.misses - before.hits -
				 before.misses,
			 gets + 65);
	for (number = 0; number < 64; number++)
		put(stage->pool, held[number]);
}

static void flushing_shares_what_the_cache_held(void **state)
{
	struct stage *stage = *state;

	if (depth_of(stage->pool) != SAFERRING_DEPTH_FAST)
		SKIP("a pool with a depth has no caches");
	put(stage->pool, get(stage->pool));
	assert_true(stats_of(stage).cached > 0);
	assert_true(stats_of(stage).cached <= 16);
	saferring_pool_flush(stage->pool);
	assert_int_equal(stats_of(stage).cached, 0);
	assert_int_equal(stats_of(stage).available, 64);
	put(stage->pool, get(stage->pool));
}

static void a_pool_without_caches_keeps_none(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);

	assert_int_equal(stats_of(stage).cached, 0);
	put(stage->pool, buffer);
	assert_int_equal(stats_of(stage).cached, 0);
	assert_int_equal(saferring_buffer_put(stage->pool, buffer), -ESTALE);
}

static int create(struct stage *stage, size_t count, size_t buffer_size,
		  int cache)
{
	struct saferring_pool_options options;
	struct saferring_pool *pool = NULL;
	int result;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = buffer_size;
	options.count = count;
	options.cache = cache;
	result = saferring_pool_create(&stage->region, 1, &options, &pool);
	if (!result) {
		put(pool, get(pool));
		assert_int_equal(saferring_pool_destroy(pool), 0);
	} else {
		assert_null(pool);
	}
	return result;
}

static void shapes_are_accepted_within_their_limits_only(void **state)
{
	struct stage *stage = *state;
	const size_t per_region = REGION_SIZE / BUFFER_SIZE;

	/* The stage's own pool is in the way. */
	assert_int_equal(create(stage, 1, BUFFER_SIZE, 0), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	assert_int_equal(saferring_pool_destroy(stage->pool), 0);
	stage->ring = NULL;
	stage->pool = NULL;

	assert_int_equal(create(stage, per_region, BUFFER_SIZE, 0), 0);
	assert_int_equal(create(stage, per_region + 1, BUFFER_SIZE, 0),
			 -EINVAL);
	assert_int_equal(create(stage, 1, BUFFER_SIZE, 0), 0);
	assert_int_equal(create(stage, 1, SAFERRING_BUFFER_SIZE_MIN, 0), 0);
	assert_int_equal(create(stage, 1, SAFERRING_BUFFER_SIZE_MIN - 1, 0),
			 -EINVAL);
	assert_int_equal(create(stage, 1, REGION_SIZE, 0), 0);
	assert_int_equal(create(stage, 0, REGION_SIZE + 1, 0), -EINVAL);
	assert_int_equal(create(stage, 1,
				(size_t)SAFERRING_BUFFER_SIZE_MAX + 1, 0),
			 -EINVAL);
	assert_int_equal(create(stage, 0, SIZE_MAX, 0), -EINVAL);
	assert_int_equal(create(stage, SIZE_MAX, BUFFER_SIZE, 0), -EINVAL);
	assert_int_equal(create(stage, 0, 0, 0), -EINVAL);
	assert_int_equal(create(stage, 8, BUFFER_SIZE, SAFERRING_CACHE_MAX), 0);
	assert_int_equal(create(stage, 8, BUFFER_SIZE, SAFERRING_CACHE_MAX + 1),
			 -EINVAL);
	assert_int_equal(create(stage, 8, BUFFER_SIZE, -1), 0);
	assert_int_equal(create(stage, 8, BUFFER_SIZE, -2), -EINVAL);
	/* Not a power of two: the distance is one. */
	assert_int_equal(create(stage, REGION_SIZE / 8192, 5000, 0), 0);
	assert_int_equal(create(stage, REGION_SIZE / 8192 + 1, 5000, 0),
			 -EINVAL);
}

static void regions_of_unequal_length_make_no_pool(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *regions[2] = {
		make_region(stage->device, REGION_SIZE),
		make_region(stage->device, 2 * REGION_SIZE),
	};
	struct saferring_pool_options options;
	struct saferring_pool *pool;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	assert_int_equal(saferring_pool_create(regions, 2, &options, &pool),
			 -EINVAL);
	assert_int_equal(saferring_pool_create(regions, 0, &options, &pool),
			 -EINVAL);
	drop_region(regions[0]);
	drop_region(regions[1]);
}

static void options_of_a_later_library_are_accepted_if_zero(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct {
		struct saferring_pool_options known;
		uint64_t later;
	} options;
	struct saferring_pool *pool;

	memset(&options, 0, sizeof(options));
	options.known.size = sizeof(options);
	options.known.buffer_size = BUFFER_SIZE;
	assert_int_equal(saferring_pool_create(&region, 1, &options.known,
					       &pool),
			 0);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	options.later = 1;
	assert_int_equal(saferring_pool_create(&region, 1, &options.known,
					       &pool),
			 -EINVAL);
	drop_region(region);
}

static void a_pool_with_buffers_out_stays(void **state)
{
	struct stage *stage = *state;
	const saferring_buffer buffer = get(stage->pool);

	assert_int_equal(saferring_pool_destroy(stage->pool), -EBUSY);
	assert_non_null(strstr(saferring_error_last()->what, "rings"));
	assert_int_equal(saferring_ring_destroy(stage->ring, DESTROY_MS), 0);
	stage->ring = NULL;
	assert_int_equal(saferring_pool_destroy(stage->pool), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_int_equal(saferring_error_last()->needed, 1);
	assert_non_null(strstr(saferring_error_last()->what, "1 held"));
	assert_int_equal(saferring_buffer_valid(stage->pool, buffer), 1);
	put(stage->pool, buffer);
}

static void a_region_in_a_pool_stays(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(saferring_region_destroy(stage->region, 0, 0), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	assert_non_null(strstr(saferring_error_last()->what, "input"));
	assert_int_equal(saferring_device_close(stage->device), -EBUSY);
	assert_error(-EBUSY, SAFERRING_REASON_BUSY);
	put(stage->pool, get(stage->pool));
}

/* How many regions can be had at once, as far as it matters. */
static unsigned int regions_at_once(void)
{
	struct saferring_device *device = open_device();
	struct saferring_region_options options;
	struct saferring_region *regions[SAFERRING_POOLS_MAX + 1];
	unsigned int count = 0, number;

	SAFERRING_OPTIONS_INIT(&options);
	options.length = BUFFER_SIZE;
	while (count <= SAFERRING_POOLS_MAX &&
	       !saferring_region_create(device, &options, &regions[count]))
		count++;
	for (number = 0; number < count; number++)
		drop_region(regions[number]);
	assert_int_equal(saferring_device_close(device), 0);
	return count;
}

static void a_process_has_so_many_pools_and_no_more(void **state)
{
	struct saferring_device *device;
	struct saferring_region *regions[SAFERRING_POOLS_MAX + 1];
	struct saferring_pool *pools[SAFERRING_POOLS_MAX];
	struct saferring_pool_options options;
	struct saferring_pool *one_more;
	unsigned int number;

	(void)state;
	if (regions_at_once() <= SAFERRING_POOLS_MAX)
		SKIP("fewer than %d regions can be had at once here",
		     SAFERRING_POOLS_MAX + 1);
	device = open_device();
	for (number = 0; number <= SAFERRING_POOLS_MAX; number++)
		regions[number] = make_region(device, BUFFER_SIZE);
	for (number = 0; number < SAFERRING_POOLS_MAX; number++)
		pools[number] = make_pool(regions[number], 1, 1, NULL);
	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = BUFFER_SIZE;
	assert_int_equal(saferring_pool_create(&regions[number], 1, &options,
					       &one_more),
			 -ENFILE);
	assert_int_equal(saferring_error_last()->limit, SAFERRING_POOLS_MAX);
	/* With or without a slot for caches, they all work. */
	for (number = 0; number < SAFERRING_POOLS_MAX; number++) {
		const saferring_buffer buffer = get(pools[number]);

		put(pools[number], buffer);
		assert_int_equal(saferring_buffer_valid(pools[number], buffer),
				 0);
		assert_int_equal(saferring_pool_destroy(pools[number]), 0);
	}
	for (number = 0; number <= SAFERRING_POOLS_MAX; number++)
		drop_region(regions[number]);
	assert_int_equal(saferring_device_close(device), 0);
}

/*
 * Bring the last generation near, which would else take years. This is the one
 * place where a test reaches into the library's own.
 */
static void leave_generations(struct saferring_pool *pool, uint64_t count)
{
	struct saferring_pool_fast *fast = (void *)pool;
	const saferring_buffer now = get(pool);

	fast->limit_free = (now.word & ~(fast->step - 1)) +
			   count * fast->step + SAFERRING_TO_FREE;
	put(pool, now);
}

static void a_buffer_is_retired_before_its_generations_wrap(void **state)
{
	struct stage *stage = stage_up(4, 8, STAGE_RING);
	saferring_buffer buffer, last = SAFERRING_BUFFER_NONE;
	unsigned int rounds = 0;

	(void)state;
	leave_generations(stage->pool, 10);
	while (!saferring_buffer_get(stage->pool, &buffer)) {
		assert_true(buffer.word != last.word);
		last = buffer;
		rounds++;
		assert_in_range(rounds, 1, 1000);
		put(stage->pool, buffer);
		assert_int_equal(saferring_buffer_valid(stage->pool, buffer),
				 0);
	}
	assert_error(-ENOBUFS, SAFERRING_REASON_EXHAUSTED);
	assert_int_equal(stats_of(stage).retired, 4);
	assert_true(rounds >= 4 * 9);
	assert_int_equal(saferring_buffer_put(stage->pool, last), -ESTALE);
	assert_error(-ESTALE, SAFERRING_REASON_RETIRED);
	stage_down(stage);
}

static void a_completion_always_has_a_generation_left(void **state)
{
	struct stage *stage = stage_up(1, 8, STAGE_RING);
	const int fd = pattern_file(BUFFER_SIZE);
	struct saferring_completion completion;
	int rounds = 0, result;

	(void)state;
	leave_generations(stage->pool, 10);
	completion.buffer = get(stage->pool);
	for (;;) {
		result = saferring_ring_read(stage->ring, fd,
					     completion.buffer, 0, BUFFER_SIZE,
					     0, 0);
		if (result)
			break;
		assert_in_range(++rounds, 1, 10);
		assert_int_equal(saferring_ring_wait(stage->ring, &completion,
						     1, 1, SAFERRING_FOREVER),
				 1);
		assert_pattern(saferring_buffer_data(stage->pool,
						     completion.buffer),
			       0, BUFFER_SIZE);
	}
	assert_int_equal(result, -ESTALE);
	assert_error(-ESTALE, SAFERRING_REASON_RETIRED);
	put(stage->pool, completion.buffer);
	assert_int_equal(stats_of(stage).retired, 1);
	close(fd);
	stage_down(stage);
}

static void names_are_given_or_made(void **state)
{
	struct stage *stage = *state;
	struct saferring_region *region =
		make_region(stage->device, REGION_SIZE);
	struct saferring_pool *pool = make_pool(region, 1, 0, NULL);

	assert_string_equal(saferring_pool_name(stage->pool), "input");
	assert_memory_equal(saferring_pool_name(pool), "pool ", 5);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	pool = make_pool(region, 1, 0,
			 "a name that is longer than what is kept of it");
	assert_int_equal(strlen(saferring_pool_name(pool)), 31);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	drop_region(region);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(every_buffer_can_be_got_once_and_no_more),
		T(every_get_is_a_hit_or_a_miss),
		T(flushing_shares_what_the_cache_held),
		cmocka_unit_test_setup_teardown(a_pool_without_caches_keeps_none,
						up_uncached, down),
		T(shapes_are_accepted_within_their_limits_only),
		T(regions_of_unequal_length_make_no_pool),
		T(options_of_a_later_library_are_accepted_if_zero),
		T(a_pool_with_buffers_out_stays),
		T(a_region_in_a_pool_stays),
		cmocka_unit_test(a_process_has_so_many_pools_and_no_more),
		cmocka_unit_test(a_buffer_is_retired_before_its_generations_wrap),
		cmocka_unit_test(a_completion_always_has_a_generation_left),
		T(names_are_given_or_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
