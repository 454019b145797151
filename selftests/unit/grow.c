// SPDX-License-Identifier: GPL-2.0
/*
 * Pools that grow: by themselves or by hand, up to their bound, while rings and
 * threads use them.
 */
#include <pthread.h>
#include "common.h"

#define PER_REGION (REGION_SIZE / 65536)
#define MOST	   3U
#define ALL	   (MOST * PER_REGION)

static int create(struct saferring_region *region, unsigned int flags,
		  size_t count, size_t regions_max,
		  struct saferring_pool **pool)
{
	struct saferring_pool_options options;

	SAFERRING_OPTIONS_INIT(&options);
	options.buffer_size = 65536;
	options.flags = flags;
	options.count = count;
	options.regions_max = regions_max;
	options.name = "growing";
	*pool = NULL;
	return saferring_pool_create(&region, 1, &options, pool);
}

struct plot {
	struct saferring_device *device;
	struct saferring_region *region;
	struct saferring_pool *pool;
};

static struct plot plot_up(unsigned int flags)
{
	struct plot plot = { .device = open_device() };

	catch_reports();
	plot.region = make_region(plot.device, REGION_SIZE);
	assert_int_equal(create(plot.region, flags, 0, MOST, &plot.pool), 0);
	return plot;
}

static void plot_down(struct plot *plot)
{
	assert_int_equal(saferring_pool_destroy(plot->pool), 0);
	drop_region(plot->region);
	/* What the pool had created is gone with it. */
	assert_int_equal(saferring_device_close(plot->device), 0);
}

static struct saferring_pool_stats stats_of(struct saferring_pool *pool)
{
	struct saferring_pool_stats stats = { .size = sizeof(stats) };

	assert_int_equal(saferring_pool_stats(pool, &stats), 0);
	return stats;
}

static void a_pool_grows_when_it_is_empty_and_up_to_its_bound(void **state)
{
	struct plot plot = plot_up(SAFERRING_POOL_GROW);
	saferring_buffer all[ALL], one_more;
	bool seen[4 * PER_REGION] = { false };
	unsigned int number;

	(void)state;
	assert_int_equal(stats_of(plot.pool).buffers, PER_REGION);
	for (number = 0; number < ALL; number++) {
		unsigned char *data;
		size_t index;

		all[number] = get(plot.pool);
		index = saferring_buffer_index(plot.pool, all[number]);
		assert_false(seen[index]);
		seen[index] = true;
		data = saferring_buffer_data(plot.pool, all[number]);
		memset(data, (int)number, 65536);
		assert_int_equal(stats_of(plot.pool).regions,
				 number / PER_REGION + 1);
	}
	assert_int_equal(saferring_buffer_get(plot.pool, &one_more), -ENOBUFS);
	assert_error(-ENOBUFS, SAFERRING_REASON_EXHAUSTED);
	assert_int_equal(stats_of(plot.pool).buffers, ALL);
	for (number = 0; number < ALL; number++) {
		unsigned char *data =
			saferring_buffer_data(plot.pool, all[number]);

		assert_int_equal(data[0], number);
		assert_int_equal(data[65535], number);
		put(plot.pool, all[number]);
	}
	assert_int_equal(stats_of(plot.pool).available, ALL);
	plot_down(&plot);
}

static void a_pool_that_may_not_grow_by_itself_does_not(void **state)
{
	struct plot plot = plot_up(0);
	saferring_buffer all[2 * PER_REGION], one_more;
	struct saferring_region *more, *odd;

	(void)state;
	assert_int_equal(saferring_buffer_get_many(plot.pool, all,
						   2 * PER_REGION),
			 PER_REGION);
	assert_int_equal(saferring_buffer_get(plot.pool, &one_more), -ENOBUFS);
	more = make_region(plot.device, REGION_SIZE);
	odd = make_region(plot.device, 2 * REGION_SIZE);
	assert_int_equal(saferring_pool_grow(plot.pool, odd), -EINVAL);
	assert_int_equal(saferring_pool_grow(plot.pool, plot.region), -EBUSY);
	assert_int_equal(saferring_pool_grow(plot.pool, more), 0);
	assert_int_equal(saferring_pool_grow(plot.pool, more), -EBUSY);
	assert_int_equal(saferring_buffer_get_many(plot.pool, all + PER_REGION,
						   PER_REGION),
			 PER_REGION);
	assert_int_equal(saferring_buffer_put_many(plot.pool, all,
						   2 * PER_REGION),
			 2 * PER_REGION);
	assert_int_equal(saferring_pool_destroy(plot.pool), 0);
	drop_region(more);
	drop_region(odd);
	assert_int_equal(create(plot.region, 0, 0, 1, &plot.pool), 0);
	plot_down(&plot);
}

static void bounds_are_accepted_within_their_limits_only(void **state)
{
	struct saferring_device *device = open_device();
	struct saferring_region *region = make_region(device, REGION_SIZE);
	struct saferring_region *more = make_region(device, REGION_SIZE);
	struct saferring_pool *pool;

	(void)state;
	assert_int_equal(create(region, 0, 0, SAFERRING_POOL_REGIONS_MAX,
				&pool),
			 0);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	assert_int_equal(create(region, 0, 0, SAFERRING_POOL_REGIONS_MAX + 1,
				&pool),
			 -EINVAL);
	assert_int_equal(create(region, 0, 4, 2, &pool), -EINVAL);
	assert_int_equal(create(region, 0, 4, 1, &pool), 0);
	assert_int_equal(saferring_pool_grow(pool, more), -ENOSPC);
	assert_int_equal(saferring_error_last()->limit, 1);
	assert_int_equal(saferring_pool_destroy(pool), 0);
	drop_region(region);
	drop_region(more);
	assert_int_equal(saferring_device_close(device), 0);
}

/* A read into each buffer, by a ring that is older than most of them. */
static void a_ring_reads_into_regions_that_came_later(void **state)
{
	struct plot plot = plot_up(SAFERRING_POOL_GROW);
	struct saferring_ring *ring = make_ring(plot.pool, ALL, 0);
	struct saferring_completion done[ALL];
	const int fd = pattern_file(65536);
	unsigned int number;
	int have = 0, got;

	(void)state;
	for (number = 0; number < ALL; number++)
		assert_int_equal(saferring_ring_read(ring, fd, get(plot.pool),
						     0, 65536, 0, 0),
				 0);
	while (have < (int)ALL) {
		got = saferring_ring_wait(ring, done + have,
					  ALL - (unsigned int)have, 1,
					  SAFERRING_FOREVER);
		assert_true(got > 0);
		have += got;
	}
	for (number = 0; number < ALL; number++) {
		assert_int_equal(done[number].result, 65536);
		assert_pattern(saferring_buffer_data(plot.pool,
						     done[number].buffer),
			       0, 65536);
		put(plot.pool, done[number].buffer);
	}
	assert_int_equal(saferring_ring_destroy(ring, DESTROY_MS), 0);
	close(fd);
	plot_down(&plot);
}

struct eater {
	struct saferring_pool *pool;
	pthread_t thread;
	int failed;
};

static void *eat(void *argument)
{
	struct eater *eater = argument;
	saferring_buffer some[PER_REGION / 4];
	int round, got, number;

	for (round = 0; round < 300; round++) {
		got = saferring_buffer_get_many(eater->pool, some,
						PER_REGION / 4);
		for (number = 0; number < got; number++) {
			unsigned char *data = saferring_buffer_data(
				eater->pool, some[number]);

			if (!data) {
				eater->failed++;
				continue;
			}
			memset(data, number, 64);
		}
		if (got > 0 && saferring_buffer_put_many(eater->pool, some,
							 (unsigned int)got) !=
				       got)
			eater->failed++;
	}
	return NULL;
}

static void threads_use_a_pool_while_it_grows(void **state)
{
	struct plot plot = plot_up(SAFERRING_POOL_GROW);
	const unsigned int before = reports;
	struct eater eaters[8];
	unsigned int number;

	(void)state;
	for (number = 0; number < 8; number++) {
		eaters[number] = (struct eater){ .pool = plot.pool };
		assert_int_equal(pthread_create(&eaters[number].thread, NULL,
						eat, &eaters[number]),
				 0);
	}
	for (number = 0; number < 8; number++) {
		pthread_join(eaters[number].thread, NULL);
		assert_int_equal(eaters[number].failed, 0);
	}
	assert_int_equal(reports, before);
	assert_int_equal(stats_of(plot.pool).available,
			 stats_of(plot.pool).buffers);
	plot_down(&plot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_grows_when_it_is_empty_and_up_to_its_bound),
		cmocka_unit_test(a_pool_that_may_not_grow_by_itself_does_not),
		cmocka_unit_test(bounds_are_accepted_within_their_limits_only),
		cmocka_unit_test(a_ring_reads_into_regions_that_came_later),
		cmocka_unit_test(threads_use_a_pool_while_it_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
